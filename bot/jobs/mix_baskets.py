"""Clips that users collect across messages for a mix: in memory, for 15 minutes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bot.sources import Attachment

KEPT_S = 15 * 60.0
MOST_SEEDS = 5
"""Seeds of one mix, and clips in one basket."""
MOST_BASKETS = 2_000  # of a few hundred bytes each; the one that was used longest ago goes first


@dataclass(frozen=True, slots=True)
class CollectedClip:
    """A clip in a basket; ``number`` names it in custom ids, and ``liked`` is as in `Seed`."""

    number: int
    source: Attachment | str
    liked: bool = True

    @property
    def name(self) -> str:
        """The file's name, or the link."""
        return self.source.filename if isinstance(self.source, Attachment) else self.source


@dataclass(frozen=True, slots=True)
class AddedClips:
    """Numbers of clips that are new, are in the basket already, and have no place."""

    added: int
    known: int
    left_out: int


@dataclass(slots=True)
class _Basket:
    used_at: float
    clips: list[CollectedClip] = field(default_factory=list)
    next_number: int = 1


class MixBaskets:
    """The baskets of all users, each kept for 15 minutes after its last use."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._baskets: OrderedDict[int, _Basket] = OrderedDict()

    def add(self, user_id: int, sources: Iterable[Attachment | str]) -> AddedClips:
        """Add clips to a user's basket while there is room."""
        basket = self._used(user_id)
        added = known = left_out = 0
        for source in sources:
            if any(_is_same(clip.source, source) for clip in basket.clips):
                known += 1
            elif len(basket.clips) == MOST_SEEDS:
                left_out += 1
            else:
                basket.clips.append(CollectedClip(basket.next_number, source))
                basket.next_number += 1
                added += 1
        return AddedClips(added, known, left_out)

    def clips(self, user_id: int) -> tuple[CollectedClip, ...]:
        """Return the clips of a user's basket; none if it is too old."""
        self._drop_old()
        basket = self._baskets.get(user_id)
        return tuple(basket.clips) if basket else ()

    def turn(self, user_id: int, number: int) -> None:
        """Make a liked clip one of *less of this*, or the other way round."""
        basket = self._used(user_id)
        basket.clips = [
            replace(clip, liked=not clip.liked) if clip.number == number else clip
            for clip in basket.clips
        ]

    def remove(self, user_id: int, number: int) -> None:
        """Remove a clip; one that is gone already is no error."""
        basket = self._used(user_id)
        basket.clips = [clip for clip in basket.clips if clip.number != number]

    def clear(self, user_id: int) -> None:
        """Forget a user's basket."""
        self._baskets.pop(user_id, None)

    def _used(self, user_id: int) -> _Basket:
        """Return a user's basket, which is then the last one to be forgotten."""
        self._drop_old()
        basket = self._baskets.setdefault(user_id, _Basket(self._now()))
        basket.used_at = self._now()
        self._baskets.move_to_end(user_id)
        while len(self._baskets) > MOST_BASKETS:
            self._baskets.popitem(last=False)
        return basket

    def _drop_old(self) -> None:
        oldest = self._now() - KEPT_S
        while self._baskets and next(iter(self._baskets.values())).used_at < oldest:
            self._baskets.popitem(last=False)


def _is_same(one: Attachment | str, other: Attachment | str) -> bool:
    """Return whether two sources are the same clip: Discord signs an upload's address anew."""
    if isinstance(one, Attachment) and isinstance(other, Attachment):
        return one.url.partition("?")[0] == other.url.partition("?")[0]
    return one == other
