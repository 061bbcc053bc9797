"""Ways of songs: even steps, nearer to the goal, no artist twice; compared with all ways."""

from __future__ import annotations

import time
from itertools import combinations, permutations

import numpy as np
import pytest

from genrec.paths import LONGER, arc_points, chance, find_way, largest_step, near_arc
from genrec.similarity import NeighbourIndex

NO_GROUPS = -1


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    """Return random unit vectors, float32 (n, d)."""
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def none(n: int) -> np.ndarray:
    """Return groups that exclude nothing."""
    return np.full(n, NO_GROUPS)


def to_goal(rows: np.ndarray, way: list[int]) -> np.ndarray:
    """Return the angle of each song of a way to the goal."""
    return np.arccos(np.clip(rows[way] @ rows[-1], -1, 1))


def best_of_all(rows: np.ndarray, songs: int, groups: np.ndarray, least: float) -> float:
    """Return the smallest largest step of all ways that the rules allow; inf if there is none."""
    best = np.inf
    for inner in combinations(range(1, len(rows) - 1), songs - 2):
        for order in permutations(inner):
            way = [0, *order, len(rows) - 1]
            used = [g for g in groups[list(order)] if g != NO_GROUPS]
            if len(set(used)) < len(used):
                continue
            if (-np.diff(to_goal(rows, way))[:-1] >= least).all():
                best = min(best, largest_step(rows, way))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_largest_step_is_the_smallest_of_all_ways(seed: int) -> None:
    rows = unit_rows(9, 3, seed)
    way = find_way(rows, none(9), 4)
    best = {songs: best_of_all(rows, songs, none(9), 1e-6) for songs in (3, 4)}
    lowest = min(best.values())
    longest = max(songs for songs, step in best.items() if step <= LONGER * lowest)
    assert len(way) == longest
    assert largest_step(rows, way) == pytest.approx(best[longest], abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_repeated_artist_costs_little(seed: int) -> None:
    rows = unit_rows(10, 3, seed + 50)
    groups = np.array([NO_GROUPS, 0, 0, 0, 1, 1, 1, 2, 2, NO_GROUPS])
    way = find_way(rows, groups, 4)
    inner = groups[way[1:-1]].tolist()
    assert len(set(inner)) == len(inner)
    best = min(best_of_all(rows, songs, groups, 1e-6) for songs in (3, 4))
    assert largest_step(rows, way) <= 1.25 * best + 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_more_songs_do_not_make_the_largest_step_larger(seed: int) -> None:
    rows = unit_rows(120, 5, seed + 200)
    groups = np.random.default_rng(seed).integers(0, 30, 120)
    groups[[0, -1]] = 100, 101
    ways = [find_way(rows, groups, songs) for songs in (3, 5, 8, 12, 20)]
    steps = [largest_step(rows, way) for way in ways]
    for few, many in combinations(steps, 2):
        assert many <= LONGER * few + 1e-5
    assert len(ways[-1]) >= 5


def test_song_that_needs_a_larger_step_is_left_out() -> None:
    angles = np.radians([0, 40, 80, 120])
    rows = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    beside = np.array([0.0, 0.5, 0.866])  # 76 degrees from its nearest on the way
    rows = np.insert(rows, 2, beside, axis=0).astype(np.float32)
    assert (np.diff(to_goal(rows, [0, 1, 2, 3, 4])) < 0).all()
    assert find_way(rows, none(5), 5) == [0, 1, 3, 4]


def test_small_steps_are_equally_small() -> None:
    angles = np.radians([0, 1, 2, 3, 30, 32])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert find_way(rows, none(6), 6) == [0, 1, 2, 3, 4, 5]
    assert find_way(rows, none(6), 3) == [0, 3, 5]


def test_way_of_few_artists_is_found_in_little_time() -> None:
    rows, groups = unit_rows(402, 64, 0), np.random.default_rng(0).integers(0, 6, 402)
    groups[[0, -1]] = 100, 101
    since = time.process_time()
    way = find_way(rows, groups, 20, ids=np.arange(402), chance_seed=3)
    assert time.process_time() - since < 1  # 4 s with a search for every repair
    assert len(set(groups[way].tolist())) == len(way) <= 8


@pytest.mark.parametrize("songs", [3, 8, 20])
def test_way_has_its_ends_and_each_song_is_nearer_to_the_goal(songs: int) -> None:
    rows = unit_rows(300, 3, songs)
    groups = np.arange(300) // 3
    way = find_way(rows, groups, songs)
    assert (way[0], way[-1], len(way)) == (0, 299, songs)
    assert (np.diff(to_goal(rows, way)) < 0).all()
    assert len(set(groups[way].tolist())) == songs


def test_tracks_in_a_group_of_an_end_are_left_out() -> None:
    rows = unit_rows(40, 3, 1)
    groups = np.array([0] * 20 + [1] * 20)
    assert find_way(rows, groups, 5) == [0, 39]
    groups[20] = 7
    assert set(find_way(rows, groups, 5)) <= {0, 20, 39}


def test_ends_in_one_group_are_both_kept() -> None:
    rows = unit_rows(60, 3, 4)
    groups = np.arange(60)
    groups[-1] = 0
    way = find_way(rows, groups, 4)
    assert (way[0], way[-1], len(way)) == (0, 59, 4)


def test_many_tracks_of_few_artists_end_in_a_way_without_repeats() -> None:
    rows = unit_rows(400, 4, 3)
    groups = np.arange(400) % 15
    groups[[0, -1]] = 100, 101
    way = find_way(rows, groups, 12)
    assert len(way) >= 8
    assert len(set(groups[way].tolist())) == len(way)


def test_too_few_tracks_give_a_shorter_way() -> None:
    rows = unit_rows(3, 3, 9)
    rows[1] = arc_points(rows[0], rows[2], 1)[0]
    assert find_way(rows, none(3), 8) == [0, 1, 2]
    assert find_way(rows[[0, 2]], none(2), 8) == [0, 1]


def test_equal_and_opposite_ends_have_a_way() -> None:
    rows = unit_rows(30, 3, 2)
    rows[-1] = rows[0]
    assert find_way(rows, none(30), 4) == [0, 29]  # nothing is nearer to the goal than the goal
    rows[-1] = -rows[0]
    way = find_way(rows, none(30), 5)
    assert (len(way), way[0], way[-1]) == (5, 0, 29)
    assert np.isfinite(arc_points(rows[0], rows[-1], 4)).all()


def test_points_of_the_arc_divide_it_evenly() -> None:
    start, goal = unit_rows(2, 8, 5)
    points = np.vstack([start, arc_points(start, goal, 5), goal])
    assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)
    steps = np.arccos((points[:-1] * points[1:]).sum(axis=1))
    assert steps == pytest.approx(np.arccos(start @ goal) / 6, abs=1e-3)


def test_candidates_lie_near_the_arc_and_are_nearer_to_the_goal() -> None:
    rows = unit_rows(3000, 8, 6)
    start, goal = rows[:2]
    allowed = np.arange(3000) % 2 == 0
    found = near_arc(rows, start, goal, allowed, count=80)
    assert len(found) == 80
    assert (np.diff(found) > 0).all()
    assert allowed[found].all()
    assert (rows[found] @ goal > start @ goal).all()
    index = NeighbourIndex(np.arange(3000), rows)
    nearer = allowed & (rows @ goal > start @ goal)
    for point in arc_points(start, goal, 8):
        nearest, _ = index.search(point, 5, allowed=nearer)
        assert set(nearest.tolist()) <= set(found.tolist())


def test_few_candidates_are_all_found_once() -> None:
    rows = unit_rows(50, 4, 7)
    start, goal = rows[:2]
    found = near_arc(rows, start, goal, np.ones(50, dtype=np.bool_), count=400)
    assert found.tolist() == np.flatnonzero(rows @ goal > start @ goal).tolist()
    assert not len(near_arc(rows, start, goal, np.zeros(50, dtype=np.bool_)))
    assert not len(near_arc(rows[:0], start, goal, np.zeros(0, dtype=np.bool_)))


def test_chance_gives_another_way_that_its_seed_repeats() -> None:
    rows, ids = unit_rows(400, 8, 8), np.arange(1000, 1400)
    best = find_way(rows, none(400), 8, ids=ids)
    ways = [find_way(rows, none(400), 8, ids=ids, chance_seed=seed) for seed in range(1, 9)]
    assert ways == [find_way(rows, none(400), 8, ids=ids, chance_seed=seed) for seed in range(1, 9)]
    assert len({tuple(way) for way in ways}) >= 4
    assert best not in ways
    assert all(largest_step(rows, way) <= 1.34 * largest_step(rows, best) for way in ways)


def test_chance_depends_on_ids_and_not_on_their_order() -> None:
    ids = np.array([5, 2**40, 7])
    assert chance(ids[::-1], 3).tolist() == chance(ids, 3)[::-1].tolist()
    many = chance(np.arange(10_000), 1)
    assert 0 <= many.min() < many.max() < 1
    assert many.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(many, chance(np.arange(10_000), 2))[0, 1]) < 0.05
