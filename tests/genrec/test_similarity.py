"""Search returns the nearest rows, and pairs of near rows are found."""

from __future__ import annotations

import numpy as np
import pytest

from genrec import similarity
from genrec.similarity import (
    NeighbourIndex,
    near_pairs,
)

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
