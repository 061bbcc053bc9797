"""Neighbours are the nearest, and the choice among them is one people would make."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.similarity import Candidate, NeighbourIndex, SelectionRules, select_neighbours
from genrec.types import Track

RNG = np.random.default_rng(1)


def units(n: int, d: int = 16) -> np.ndarray:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("n", [1, 5, 6, 256, 1000, 1024, 5000])
def test_search_equals_sorting_everything(n: int) -> None:
    matrix, query = units(n), units(1)[0]
    ids = np.arange(n, dtype=np.int64) + 100
    found, cosines = NeighbourIndex(ids, matrix).search(query, 5)
    order = np.argsort(-(matrix @ query))[:5]
    np.testing.assert_array_equal(found, ids[order])
    np.testing.assert_allclose(cosines, (matrix @ query)[order], rtol=1e-6)


def test_only_allowed_rows_are_found() -> None:
    matrix = units(50)
    allowed = np.zeros(50, dtype=bool)
    allowed[[3, 7]] = True
    found, _ = NeighbourIndex(np.arange(50), matrix).search(matrix[5], 5, allowed=allowed)
    assert set(found) == {3, 7}


@pytest.mark.parametrize("k", [1, 5, 48, 400, 5000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 1.0])
def test_a_filter_finds_what_sorting_the_allowed_rows_finds(k: int, share: float) -> None:
    matrix, query = units(3000), units(1)[0]
    allowed = RNG.random(3000) < share
    found, cosines = NeighbourIndex(np.arange(3000), matrix).search(query, k, allowed=allowed)
    rows = np.flatnonzero(allowed)
    expected = rows[np.argsort(-(matrix @ query)[rows], kind="stable")][:k]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(cosines, (matrix @ query)[expected])


def test_of_rows_equally_near_the_first_come() -> None:
    matrix = np.repeat(units(1), 2000, axis=0)
    found, _ = NeighbourIndex(np.arange(2000), matrix).search(matrix[0], 7)
    assert found.tolist() == list(range(7))


def test_what_is_nearest_is_found_wherever_it_stands() -> None:
    matrix, query = units(2100), units(1)[0]
    matrix[np.argsort(matrix @ query)] = matrix.copy()
    for order in (matrix, matrix[::-1].copy(), matrix[np.argsort(matrix @ query)]):
        found, _ = NeighbourIndex(np.arange(2100), order).search(query, 300)
        expected = np.argsort(-(order @ query), kind="stable")[:300]
        np.testing.assert_array_equal(found, expected)


def test_a_row_that_is_no_number_is_not_found() -> None:
    matrix = units(600)
    matrix[3] = np.nan
    for k, expected in ((2, 2), (600, 599)):
        found, _ = NeighbourIndex(np.arange(600), matrix).search(matrix[5], k)
        assert len(found) == expected
        assert 3 not in found


def test_an_empty_catalogue_finds_nothing() -> None:
    found, cosines = NeighbourIndex(np.zeros(0, np.int64), units(0)).search(units(1)[0], 5)
    assert len(found) == len(cosines) == 0


def test_each_row_needs_an_id() -> None:
    with pytest.raises(ValueError, match="one id a row"):
        NeighbourIndex(np.arange(3), units(4))


def candidate(number: int, cosine: float, artist: str = "", song: str = "") -> Candidate:
    """Make a candidate whose fingerprint is its number."""
    track = Track(number, song or f"song {number}", artist, "jazz", f"/{number}.mp3")
    return Candidate(track, cosine, artist, song, np.full((15, 1), number, np.int8))


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Take fingerprints of one tens digit for one recording."""
    return bool(a[0, 0] // 10 == b[0, 0] // 10)


def numbers(chosen: list[Candidate]) -> list[int]:
    return [one.track.id for one in chosen]


def test_the_clips_own_recording_is_left_out_and_so_are_its_other_versions() -> None:
    near = [
        candidate(10, 0.99, "abba", "waterloo"),
        candidate(20, 0.95, "abba", "waterloo"),
        candidate(30, 0.9, "abba", "chiquitita"),
    ]
    clip = np.full((15, 1), 11, np.int8)
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same, clip=clip)) == [
        30
    ]


def test_a_recording_comes_once() -> None:
    near = [candidate(40, 0.9), candidate(41, 0.8), candidate(50, 0.7)]
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same)) == [40, 50]


def test_a_song_comes_once_whoever_recorded_the_version() -> None:
    near = [
        candidate(10, 0.9, "a", "x"),
        candidate(20, 0.8, "a", "x"),
        candidate(30, 0.7, "b", "x"),
    ]
    assert numbers(select_neighbours(near, SelectionRules(per_artist=5), same_recording=same)) == [
        10,
        30,
    ]


def test_one_track_an_artist_unless_more_are_asked_for() -> None:
    near = [candidate(10 * i, 1 - i / 20, "a" if i < 4 else "b", f"s{i}") for i in range(1, 7)]
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same)) == [10, 40]
    assert numbers(select_neighbours(near, SelectionRules(per_artist=2), same_recording=same)) == [
        10,
        20,
        40,
        50,
    ]


def test_unknown_artists_do_not_crowd_each_other_out() -> None:
    near = [candidate(10 * i, 0.9) for i in range(1, 5)]
    assert len(select_neighbours(near, SelectionRules(), same_recording=same)) == 4


def test_the_song_named_by_the_clips_tags_is_left_out() -> None:
    near = [candidate(10, 0.9, "a", "x"), candidate(20, 0.8, "b", "y")]
    chosen = select_neighbours(near, SelectionRules(), same_recording=same, clip_song=("a", "x"))
    assert numbers(chosen) == [20]


def test_nothing_under_the_floor_and_no_more_than_asked() -> None:
    near = [candidate(10 * i, 1 - i / 10) for i in range(1, 9)]
    assert numbers(select_neighbours(near, SelectionRules(floor=0.65), same_recording=same)) == [
        10,
        20,
        30,
    ]
    assert numbers(select_neighbours(near, SelectionRules(count=2), same_recording=same)) == [
        10,
        20,
    ]
