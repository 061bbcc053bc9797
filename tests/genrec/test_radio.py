"""Radio lists: artists apart, no song twice, small and even steps, chance that can be repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from genrec.fingerprint import NO_FINGERPRINT
from genrec.radio import NEIGHBOURHOOD, RadioRules, draw_songs, is_apart, order_songs
from genrec.selection import Candidate
from genrec.types import Track


def never_the_same(_: object, __: object) -> bool:
    return False


def candidate(number: int, artist: str | None = None, song: str | None = None) -> Candidate:
    artist = f"artist {number}" if artist is None else artist
    return Candidate(
        track=Track(number, f"Song {number}", artist, "jazz", f"/{number}.mp3"),
        cosine=1 - number / 10_000,
        artist_key=artist,
        song_key=song or f"song {number}",
        fingerprint=NO_FINGERPRINT + np.int8(number % 100),
        vector=np.eye(1, dtype=np.float32)[0],
    )


def ids(songs: Sequence[Candidate]) -> list[int]:
    return [song.track.id for song in songs]


def draw(candidates: Sequence[Candidate], **rules: int) -> list[int]:
    given = RadioRules(**rules)
    return ids(draw_songs(candidates, given, same_recording=never_the_same).songs)


def points(n: int, seed: int, dimension: int = 8) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def steps(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
    return np.arccos(np.clip((x[order[:-1]] * x[order[1:]]).sum(axis=1), -1, 1))


def test_songs_are_of_the_neighbourhood_and_near_ones_are_likelier():
    candidates = [candidate(n) for n in range(400)]
    drawn = [draw(candidates, count=20, chance=chance) for chance in range(50)]
    assert {len(songs) for songs in drawn} == {20}
    places = np.concatenate(drawn)
    assert places.max() < 20 * NEIGHBOURHOOD
    assert (places < 20).mean() > 1.5 * (places >= 40).mean() > 0


def test_chance_is_repeated_by_its_number_and_differs_between_numbers():
    candidates = [candidate(n) for n in range(200)]
    assert draw(candidates, chance=7) == draw(candidates, chance=7)
    assert draw(candidates, chance=7) != draw(candidates, chance=8)


def test_version_and_recording_are_drawn_once():
    versions = [candidate(n, artist="a", song="one song") for n in range(30)]
    others = [candidate(n) for n in range(30, 34)]
    for chance in range(20):
        drawn = draw([*versions, *others], count=5, apart=0, chance=chance)
        assert sum(number < 30 for number in drawn) <= 1

    def same(fingerprint, others):
        return any((fingerprint == other).all() for other in others)

    twins = [candidate(1), candidate(101), candidate(2), candidate(102), candidate(3)]
    found = draw_songs(twins, RadioRules(count=5), same_recording=same)
    assert sorted(number % 100 for number in ids(found.songs)) == [1, 2, 3]
    assert not found.too_few_artists


@pytest.mark.parametrize("apart", [0, 1, 4])
def test_artist_has_at_most_the_songs_that_fit_apart(apart):
    candidates = [candidate(n, artist=f"artist {n % 7}") for n in range(300)]
    found = draw_songs(candidates, RadioRules(count=28, apart=apart), same_recording=never_the_same)
    artists = [song.artist_key for song in found.songs]
    assert max(map(artists.count, artists)) <= -(-len(artists) // (apart + 1))
    order = order_songs(points(len(artists), 1), artists, apart=apart)
    assert is_apart([artists[place] for place in order], apart)
    assert len(order) == 28
    assert not found.too_few_artists


def test_too_few_artists_give_a_shorter_list_and_are_told():
    candidates = [candidate(n, artist=f"artist {n % 2}") for n in range(300)]
    found = draw_songs(candidates, RadioRules(count=30, apart=4), same_recording=never_the_same)
    assert len(found.songs) == 2
    assert found.too_few_artists
    few = draw_songs(candidates[:1], RadioRules(count=30), same_recording=never_the_same)
    assert (len(few.songs), few.too_few_artists) == (1, False)
    none = draw_songs([], RadioRules(count=30), same_recording=never_the_same)
    assert (none.songs, none.too_few_artists) == ((), False)


def test_nearest_songs_by_few_artists_are_followed_by_farther_ones():
    """The nearest forty songs are by two artists, of which a list of 12 has room for 5 songs."""
    candidates = [candidate(n, artist=f"artist {n % 2}") for n in range(40)]
    candidates += [candidate(n) for n in range(40, 80)]
    for chance in range(10):
        rules = RadioRules(count=12, apart=4, chance=chance)
        found = draw_songs(candidates, rules, same_recording=never_the_same)
        artists = [song.artist_key for song in found.songs]
        assert (len(artists), found.too_few_artists) == (12, False)
        order = order_songs(points(12, chance), artists, apart=4)
        assert len(order) == 12
        assert is_apart([artists[place] for place in order], 4)


@pytest.mark.parametrize("apart", [1, 2, 4, 8])
def test_drawn_songs_always_have_an_order(apart):
    """Few artists with many songs are the hardest: each list is as full as it can be."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        artists = rng.integers(0, rng.integers(2, 14), 60).astype(str).tolist()
        candidates = [candidate(n, artist=artists[n]) for n in range(60)]
        rules = RadioRules(count=20, apart=apart, chance=seed)
        songs = draw_songs(candidates, rules, same_recording=never_the_same).songs
        drawn = [song.artist_key for song in songs]
        order = order_songs(points(len(songs), seed), drawn, apart=apart)
        assert is_apart([drawn[place] for place in order], apart)
        assert len(order) == len(songs), (seed, drawn)


def test_songs_without_artist_are_not_limited():
    candidates = [candidate(n, artist="") for n in range(100)]
    assert len(draw(candidates, count=30)) == 30
    assert len(order_songs(points(30, 2), [""] * 30, apart=4)) == 30


@pytest.mark.parametrize("seed", range(5))
def test_steps_are_smaller_and_more_even_than_of_a_random_order(seed):
    x = points(60, seed)
    artists = [f"artist {n % 20}" for n in range(60)]
    order = order_songs(x, artists, apart=3)
    assert sorted(order) == list(range(60))
    assert order[0] == 0
    assert is_apart([artists[place] for place in order], 3)
    rng = np.random.default_rng(seed)
    random = [steps(x, rng.permutation(60)) for _ in range(100)]
    assert steps(x, order).sum() < min(each.sum() for each in random)
    assert steps(x, order).max() < np.percentile([each.max() for each in random], 5)


def test_order_of_points_on_an_arc_is_the_arc():
    angle = np.linspace(0, 1.5, 12)
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    mixed = [0, *np.random.default_rng(3).permutation(np.arange(1, 12))]
    order = order_songs(arc[mixed], [""] * 12, apart=4)
    assert [mixed[place] for place in order] == list(range(12))


def test_local_search_mends_the_greedy_order():
    """Greedy leaves 1 for last: from 0 it goes to the right, then far back."""
    x = np.array([0.0, -0.11, 0.1, 0.2, 0.3, 0.4])
    arc = np.stack([np.cos(x), np.sin(x)], axis=1).astype(np.float32)
    assert order_songs(arc, [""] * 6, apart=0) == [0, 1, 2, 3, 4, 5]


def test_frequent_artist_comes_early_enough():
    """Nearest first would leave the three songs of one artist for the end."""
    artists = ["x", "b", "c", "d", "e", "a", "a", "a"]
    x = np.concatenate([np.linspace(0, 0.4, 5), [1.3, 1.4, 1.5]])
    arc = np.stack([np.cos(x), np.sin(x)], axis=1).astype(np.float32)
    order = order_songs(arc, artists, apart=2)
    assert sorted(order) == list(range(8))
    assert is_apart([artists[place] for place in order], 2)


def test_empty_and_single_lists_have_an_order():
    assert order_songs(points(0, 1), [], apart=4) == []
    assert order_songs(points(1, 1), ["a"], apart=4) == [0]
    assert order_songs(points(2, 1), ["a", "a"], apart=4) == [0]


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"count": 0}, "count=0: expected 1 to 100"),
        ({"count": 101}, "count=101: expected 1 to 100"),
        ({"apart": -1}, "apart=-1: expected 0 or more"),
        ({"chance": -1}, "chance=-1: expected 0 or more"),
    ],
)
def test_rules_outside_their_range_are_refused(rules, fault):
    with pytest.raises(ValueError, match=fault):
        RadioRules(**rules)
