"""Baskets of collected clips: kept for a while, of limited size, and of one user each."""

from __future__ import annotations

from bot.jobs.mix_baskets import KEPT_S, MOST_BASKETS, MixBaskets
from bot.sources import Attachment


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def upload(number: int, signature: str = "a") -> Attachment:
    return Attachment(f"https://cdn.example/{number}.mp3?hm={signature}", f"{number}.mp3", 1000)


def test_basket_is_forgotten_some_time_after_its_last_change() -> None:
    clock = Clock()
    baskets = MixBaskets(now=clock)
    baskets.add(1, [upload(1)])
    clock.now += KEPT_S - 1
    baskets.add(1, [upload(2)])
    clock.now += KEPT_S - 1
    assert [clip.name for clip in baskets.clips(1)] == ["1.mp3", "2.mp3"]
    clock.now += 2
    assert baskets.clips(1) == ()


def test_basket_holds_five_clips_each_once() -> None:
    baskets = MixBaskets()
    added = baskets.add(1, [upload(n) for n in (1, 2, 1)] + ["https://song.example/3"])
    assert (added.added, added.known, added.left_out) == (3, 1, 0)
    assert baskets.add(1, [upload(1, signature="b")]).known == 1
    added = baskets.add(1, [upload(n) for n in range(4, 9)])
    assert (added.added, added.left_out) == (2, 3)
    assert baskets.clips(2) == ()


def test_clip_is_turned_and_removed_by_its_number() -> None:
    baskets = MixBaskets()
    baskets.add(1, [upload(1), upload(2)])
    baskets.turn(1, 2)
    assert [clip.liked for clip in baskets.clips(1)] == [True, False]
    baskets.turn(1, 2)
    baskets.remove(1, 1)
    baskets.remove(1, 1)
    assert [(clip.number, clip.liked) for clip in baskets.clips(1)] == [(2, True)]
    baskets.add(1, [upload(3)])
    assert [clip.number for clip in baskets.clips(1)] == [2, 3]
    baskets.clear(1)
    assert baskets.clips(1) == ()


def test_number_of_baskets_is_limited_and_the_oldest_goes_first() -> None:
    baskets = MixBaskets()
    for user_id in range(MOST_BASKETS + 1):
        baskets.add(user_id, [upload(user_id)])
    assert baskets.clips(0) == ()
    assert baskets.clips(1) != ()
