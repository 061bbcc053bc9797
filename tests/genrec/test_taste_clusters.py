"""Clusters of likes: their number, their members, and invalid input."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.taste_clusters import MOST_CLUSTERS, seats, silhouette, taste_clusters


def groups(sizes: list[int], *, noise: float = 0.15, dimension: int = 16, seed: int = 0):
    """Return unit rows around orthogonal directions, and the group of each."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(dimension)[labels] + noise * rng.standard_normal((len(labels), dimension))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), labels


@pytest.mark.parametrize("sizes", [[6, 4], [5, 4, 3], [8, 2, 2, 2]])
def test_separate_groups_become_clusters(sizes: list[int]) -> None:
    rows, labels = groups(sizes)
    found = taste_clusters(rows, np.ones(len(rows)))
    assert sorted(len(each.members) for each in found) == sorted(sizes)
    for each in found:
        assert len(set(labels[each.members])) == 1


def test_one_group_stays_one_cluster() -> None:
    rng = np.random.default_rng(3)
    rows = (np.eye(16)[0] + 0.1 * rng.standard_normal((10, 16))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    (only,) = taste_clusters(rows, np.ones(10))
    assert sorted(only.members.tolist()) == list(range(10))


@pytest.mark.parametrize("seed", range(5))
def test_every_like_is_in_one_cluster_and_centres_are_unit_vectors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((30, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = rng.uniform(0.1, 1, 30)
    found = taste_clusters(rows, weights)
    assert 1 <= len(found) <= MOST_CLUSTERS
    members = np.concatenate([each.members for each in found])
    assert sorted(members.tolist()) == list(range(30))
    assert sum(each.weight for each in found) == pytest.approx(weights.sum(), rel=1e-5)
    assert [each.weight for each in found] == sorted((each.weight for each in found), reverse=True)
    for each in found:
        assert np.linalg.norm(each.centre) == pytest.approx(1, abs=1e-5)
        near = rows[each.members] @ each.centre
        assert (np.diff(near) <= 1e-6).all(), "the nearest member is first"


def test_same_likes_give_the_same_clusters_in_any_order() -> None:
    rows, _ = groups([5, 4, 3])
    shuffled = np.random.default_rng(1).permutation(len(rows))
    first = {frozenset(each.members.tolist()) for each in taste_clusters(rows, np.ones(12))}
    second = taste_clusters(rows[shuffled], np.ones(12))
    assert {frozenset(shuffled[each.members].tolist()) for each in second} == first


def test_weights_move_the_centre() -> None:
    rows, _ = groups([3], noise=0.4)
    heavy = taste_clusters(rows, [10.0, 0.1, 0.1])[0]
    even = taste_clusters(rows, [1.0, 1.0, 1.0])[0]
    assert heavy.centre @ rows[0] > even.centre @ rows[0]


def test_single_and_opposite_likes_have_a_centre() -> None:
    row = np.eye(4, dtype=np.float32)[:1]
    (one,) = taste_clusters(row, [0.2])
    np.testing.assert_allclose(one.centre, row[0])
    both = taste_clusters(np.concatenate([row, -row]), [1.0, 1.0])
    assert np.isfinite(both[0].centre).all()


def test_silhouette_equals_its_definition() -> None:
    rows, _ = groups([3, 4], noise=0.5)
    labels = np.array([0, 0, 1, 1, 1, 0, 1])
    distances = 1 - rows @ rows.T
    expected = []
    for i, label in enumerate(labels):
        same = [j for j in range(7) if labels[j] == label and j != i]
        other = [j for j in range(7) if labels[j] != label]
        a, b = distances[i, same].mean(), distances[i, other].mean()
        expected.append((b - a) / max(a, b))
    assert silhouette(rows @ rows.T, labels) == pytest.approx(np.mean(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("weights", "count", "expected"),
    [([3.0, 1.0], 4, [3, 1]), ([1.0], 5, [5]), ([2.0, 2.0, 1.0], 5, [2, 2, 1]), ([], 3, [])],
)
def test_seats_are_in_proportion(weights: list[float], count: int, expected: list[int]) -> None:
    assert seats(weights, count) == expected


@pytest.mark.parametrize(
    ("rows", "weights"), [((0, 4), []), ((2, 4), [1.0]), ((2, 4), [1.0, 0.0]), ((1, 4), [-1.0])]
)
def test_invalid_likes_are_refused(rows: tuple[int, int], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="expected n rows and n weights"):
        taste_clusters(np.ones(rows, dtype=np.float32), weights)
