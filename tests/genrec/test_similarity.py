"""Search returns the nearest rows, and the selection rules hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from genrec import similarity
from genrec.similarity import (
    Candidate,
    NeighbourIndex,
    SelectionRules,
    near_pairs,
    select_neighbours,
)
from genrec.types import Track

RNG = np.random.default_rng(1)


def units(n: int, d: int = 16) -> np.ndarray:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("n", [1, 5, 6, 256, 1000, 1024, 5000])
def test_search_equals_a_full_sort(n: int) -> None:
    matrix, query = units(n), units(1)[0]
    ids = np.arange(n, dtype=np.int64) + 100
    found, cosines = NeighbourIndex(ids, matrix).search(query, 5)
    order = np.argsort(-(matrix @ query))[:5]
    np.testing.assert_array_equal(found, ids[order])
    np.testing.assert_allclose(cosines, (matrix @ query)[order], rtol=1e-6)


def test_search_returns_allowed_rows_only() -> None:
    matrix = units(50)
    allowed = np.zeros(50, dtype=bool)
    allowed[[3, 7]] = True
    found, _ = NeighbourIndex(np.arange(50), matrix).search(matrix[5], 5, allowed=allowed)
    assert set(found) == {3, 7}


@pytest.mark.parametrize("k", [1, 5, 48, 400, 5000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 1.0])
def test_search_with_a_mask_equals_sorting_the_allowed_rows(k: int, share: float) -> None:
    matrix, query = units(3000), units(1)[0]
    allowed = RNG.random(3000) < share
    found, cosines = NeighbourIndex(np.arange(3000), matrix).search(query, k, allowed=allowed)
    rows = np.flatnonzero(allowed)
    expected = rows[np.argsort(-(matrix @ query)[rows], kind="stable")][:k]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(cosines, (matrix @ query)[expected])


def test_search_ties_keep_index_order() -> None:
    matrix = np.repeat(units(1), 2000, axis=0)
    found, _ = NeighbourIndex(np.arange(2000), matrix).search(matrix[0], 7)
    assert found.tolist() == list(range(7))
    matrix = np.eye(3, dtype=np.float32)[np.arange(2000) % 3]  # three cosines in turn
    query = np.array([0.8, 0.6, 0.0], np.float32)
    found, _ = NeighbourIndex(np.arange(2000), matrix).search(query, 1000)
    assert found.tolist() == [*range(0, 2000, 3), *range(1, 999, 3)]


def test_search_finds_the_nearest_in_any_order_of_rows() -> None:
    matrix, query = units(2100), units(1)[0]
    matrix[np.argsort(matrix @ query)] = matrix.copy()
    for order in (matrix, matrix[::-1].copy(), matrix[np.argsort(matrix @ query)]):
        found, _ = NeighbourIndex(np.arange(2100), order).search(query, 300)
        expected = np.argsort(-(order @ query), kind="stable")[:300]
        np.testing.assert_array_equal(found, expected)


def test_search_skips_rows_of_nan() -> None:
    matrix = units(600)
    matrix[3] = np.nan
    for k, expected in ((2, 2), (600, 599)):
        found, _ = NeighbourIndex(np.arange(600), matrix).search(matrix[5], k)
        assert len(found) == expected
        assert 3 not in found


def test_search_of_an_empty_index_is_empty() -> None:
    found, cosines = NeighbourIndex(np.zeros(0, np.int64), units(0)).search(units(1)[0], 5)
    assert len(found) == len(cosines) == 0


def test_index_rejects_fewer_ids_than_rows() -> None:
    with pytest.raises(ValueError, match="one id per row"):
        NeighbourIndex(np.arange(3), units(4))


def candidate(number: int, cosine: float, artist: str = "", song: str = "") -> Candidate:
    """Return a candidate whose track id and fingerprint are ``number``."""
    track = Track(number, song or f"song {number}", artist, "jazz", f"/{number}.mp3")
    return Candidate(track, cosine, artist, song, np.full((15, 1), number, np.int8))


def same_tens(a: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Return whether a fingerprint has the tens digit of one of the others."""
    return any(a[0, 0] // 10 == other[0, 0] // 10 for other in others)


def numbers(chosen: list[Candidate]) -> list[int]:
    return [candidate.track.id for candidate in chosen]


def test_select_skips_the_clips_recording_and_other_versions_of_its_song() -> None:
    near = [
        candidate(10, 0.99, "abba", "waterloo"),
        candidate(20, 0.95, "abba", "waterloo"),
        candidate(30, 0.9, "abba", "chiquitita"),
    ]
    chosen = select_neighbours(
        near,
        SelectionRules(),
        same_recording=same_tens,
        is_clip=lambda candidate: candidate.track.id == 10,
    )
    assert numbers(chosen) == [30]


def test_select_returns_a_recording_once() -> None:
    near = [candidate(40, 0.9), candidate(41, 0.8), candidate(50, 0.7)]
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same_tens)) == [40, 50]


def test_select_returns_a_song_of_an_artist_once() -> None:
    near = [
        candidate(10, 0.9, "a", "x"),
        candidate(20, 0.8, "a", "x"),
        candidate(30, 0.7, "b", "x"),
    ]
    assert numbers(
        select_neighbours(near, SelectionRules(per_artist=5), same_recording=same_tens)
    ) == [
        10,
        30,
    ]


def test_select_limits_tracks_per_artist() -> None:
    near = [candidate(10 * i, 1 - i / 20, "a" if i < 4 else "b", f"s{i}") for i in range(1, 7)]
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same_tens)) == [10, 40]
    assert numbers(
        select_neighbours(near, SelectionRules(per_artist=2), same_recording=same_tens)
    ) == [
        10,
        20,
        40,
        50,
    ]


def test_select_counts_tracks_without_artist_alone() -> None:
    near = [candidate(10 * i, 0.9) for i in range(1, 5)]
    assert len(select_neighbours(near, SelectionRules(), same_recording=same_tens)) == 4


def test_select_skips_the_song_named_by_the_clips_tags() -> None:
    near = [candidate(10, 0.9, "a", "x"), candidate(20, 0.8, "b", "y")]
    chosen = select_neighbours(
        near, SelectionRules(), same_recording=same_tens, clip_song=("a", "x")
    )
    assert numbers(chosen) == [20]


def test_select_rejects_negative_cosines_by_default() -> None:
    near = [candidate(10, 0.0), candidate(20, -0.1)]
    assert numbers(select_neighbours(near, SelectionRules(), same_recording=same_tens)) == [10]


def test_select_stops_at_the_cosine_floor_and_at_the_count() -> None:
    near = [candidate(10 * i, 1 - i / 10) for i in range(1, 9)]
    assert numbers(
        select_neighbours(near, SelectionRules(floor=0.65), same_recording=same_tens)
    ) == [
        10,
        20,
        30,
    ]
    assert numbers(select_neighbours(near, SelectionRules(count=2), same_recording=same_tens)) == [
        10,
        20,
    ]


def test_near_pairs_are_each_rows_nearest_above_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = units(150)
    matrix[1::2] = matrix[::2] + 0.1 * matrix[1::2]  # 75 near pairs
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    expected = [(i, i + 1) for i in range(0, 150, 2)]
    assert sorted(near_pairs(matrix, 3, 0.97)) == expected
    monkeypatch.setattr(similarity, "_PAIR_CELLS", 1000)  # blocks of six rows
    assert sorted(near_pairs(matrix, 1, -1.0))[:1] == [(0, 1)]
    assert sorted(near_pairs(matrix, 3, 0.97)) == expected


@pytest.mark.parametrize("rows", [0, 1])
def test_near_pairs_of_fewer_than_two_rows_are_none(rows: int) -> None:
    assert list(near_pairs(units(rows), 5, -1.0)) == []
