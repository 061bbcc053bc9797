"""Medoids of a list: one for each group, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.medoids import MOST_COMPARED, medoids


def groups(*sizes: int, seed: int = 0) -> np.ndarray:
    """Return unit vectors in groups around the axes."""
    rng = np.random.default_rng(seed)
    axes = np.repeat(np.eye(8)[: len(sizes)], sizes, axis=0)
    x = axes + 0.1 * rng.normal(size=axes.shape)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_each_group_has_a_medoid_whatever_its_size(seed):
    x = groups(100, 5, 30, seed=seed)
    chosen = medoids(x, 3)
    assert [int(x[place].argmax()) for place in chosen] == [0, 1, 2]
    assert chosen == sorted(chosen)


def test_medoid_of_one_group_has_the_smallest_sum_of_distances():
    x = groups(41, seed=3)
    assert medoids(x, 1) == [int((1 - x @ x.T).sum(axis=1).argmin())]


def test_short_list_is_returned_whole():
    x = groups(1, 1, 1)
    assert medoids(x, 3) == medoids(x, 5) == [0, 1, 2]
    assert medoids(x[:0], 5) == []


def test_equal_tracks_count_once():
    x = np.repeat(groups(1, 1), 4, axis=0)
    assert len(medoids(x, 5)) == 2


def test_long_list_keeps_its_groups():
    x = groups(6 * MOST_COMPARED, MOST_COMPARED, seed=4)
    assert [int(x[place].argmax()) for place in medoids(x, 2)] == [0, 1]


def test_number_of_groups_below_one_is_refused():
    with pytest.raises(ValueError, match="k=0: expected 1 or more"):
        medoids(groups(3), 0)
