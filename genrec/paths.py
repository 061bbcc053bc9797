"""Ways of songs: from one track to another in small, even steps, each nearer to the goal."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from genrec.similarity import NeighbourIndex

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Ids = NDArray[np.int64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

MIN_SONGS, MAX_SONGS = 3, 20  # of a way, both ends included
CANDIDATES = 400  # tracks near the arc that a way is made of
CHANCE = 1 / 3  # largest lengthening of the steps to a track by chance
SMALL_STEP = np.radians(30)  # steps up to it count as equally small
LONGER = 1.05  # ratio by which the largest step may grow for a way with more songs
_PARTS = 8  # points of the arc that candidates are searched near
_BLOCK = 1024  # rows: they and their cosines stay in the cache, and BLAS starts no threads
_POWER = 6  # of the steps in the sum that makes them even
_TIES = 1e-6  # radians; steps of tracks that are equal in float32
_TRIES = 24  # searches with one track of an artist that comes twice
_FEWER = (12, 8, 5, 3)  # songs of the shorter ways that are tried

_Cost = tuple[float, int, float]  # largest step, negative number of steps, sum of powers


def arc_points(start: Float, goal: Float, count: int) -> Float:
    """Return the ``count`` points between two ends that divide their arc evenly.

    Spherical linear interpolation: K. Shoemake, "Animating rotation with quaternion curves",
    SIGGRAPH 1985.

    Parameters
    ----------
    start, goal
        float32 (d,), of length 1.

    Returns
    -------
    float32 (count, d), of length 1. The weights of the ends are those of `arc_weights`.
    """
    points: Float = arc_weights(float(start @ goal), count) @ np.stack([start, goal])
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    return points


def arc_weights(cosine: float, count: int) -> Float:
    """Return the weights of start and goal in each point of `arc_points`, float32 (count, 2).

    Of opposite ends, whose arc is not defined, the weights are linear.
    """
    share = np.arange(1, count + 1) / (count + 1)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-3:
        weights = np.stack([1 - share, share], axis=1)
    else:
        weights = np.stack([np.sin((1 - share) * angle), np.sin(share * angle)], axis=1)
        weights /= np.sin(angle)
    return weights.astype(np.float32)


def near_arc(
    matrix: Float, start: Float, goal: Float, allowed: Mask, *, count: int = CANDIDATES
) -> Places:
    """Return up to ``count`` rows near the arc between two ends, as many for each part of it.

    One pass over the matrix gives the cosines with both ends. Those with a point of the arc follow
    from them, because the point is a weighted sum of the ends.

    Parameters
    ----------
    matrix
        float32 (n, d), rows of length 1.
    start, goal
        float32 (d,), of length 1.
    allowed
        bool (n,): rows that may be returned.

    Returns
    -------
    Sorted indices of rows that are nearer to the goal than the start is.
    """
    ends, cosines = np.stack([start, goal]), np.empty((len(matrix), 2), dtype=np.float32)
    for first in range(0, len(matrix), _BLOCK):
        rows = matrix[first : first + _BLOCK]
        np.matmul(rows, ends.T, out=cosines[first : first + len(rows)])
    cosines[~(allowed & (cosines[:, 1] > float(start @ goal)))] = -np.inf
    index = NeighbourIndex(np.arange(len(matrix)), cosines)
    found = [
        index.search(weights, count)[0] for weights in arc_weights(float(start @ goal), _PARTS)
    ]
    # The nearest to each part, then the second nearest to each, and so on.
    ranks = np.concatenate([np.arange(len(part)) for part in found])
    rows, firsts = np.unique(
        np.concatenate(found)[np.argsort(ranks, kind="stable")], return_index=True
    )
    return np.sort(rows[np.argsort(firsts)[:count]])


def find_way(
    rows: Float, groups: Ids, songs: int, *, ids: Ids | None = None, chance_seed: int = 0
) -> list[int]:
    """Return the way from the first row to the last with the smallest largest step.

    A step is the angle between two tracks, and each song is nearer to the goal than the one before.
    Among the ways whose largest step is the smallest, up to a twentieth, it is the longest: songs
    that need larger steps are not in it. Among ways of that length it is the one with the smallest
    largest step, and then with the smallest sum of sixth powers of the steps, so that the second
    largest and the next are small too. Steps up to ``SMALL_STEP`` count as equally small.
    Without the groups, dynamic programming over the number of songs finds both (the bottleneck
    shortest path: M. Pollack, "The maximum capacity through a network", Operations Research 8,
    1960). Of a group that a way uses twice, one track is kept, whichever gives the better way.

    Playlists between a start and an end song: A. Flexer, D. Schnitzer, M. Gasser and G. Widmer,
    "Playlist generation using start and end songs", ISMIR 2008. They rank songs by the ratio of
    the distances to both ends, and their steps may be large.

    Parameters
    ----------
    rows
        float32 (n, d), of length 1: the start, the candidates, the goal.
    groups
        int64 (n,): a way has one track of a group at most, as of an artist, beside the ends. -1
        for none. Candidates in a group of an end are left out.
    songs
        Number of songs of the way, both ends included, 2 or more.
    ids
        int64 (n,), which the chance depends on; needed with a ``chance_seed``.
    chance_seed
        0 for the best way. Another number gives another way: steps to tracks of the best way count
        as a third longer, and steps to other tracks as up to a third, by chance. The same number
        gives the same way.

    Returns
    -------
    Row numbers from 0 to n - 1; fewer than ``songs`` if no way has so many, or if such a way has
    larger steps.
    """
    used = np.ones(len(rows), dtype=np.bool_)
    used[1:-1] = (groups[1:-1] < 0) | ~np.isin(groups[1:-1], groups[[0, -1]])
    to_goal = _angles(rows, rows[-1:])[:, 0]
    to_goal[-1] = 0.0
    used[1:-1] &= to_goal[1:-1] < to_goal[0] - _TIES
    order = np.flatnonzero(used)
    order = order[np.argsort(-to_goal[order], kind="stable")]
    order = np.concatenate([[0], order[(order > 0) & (order < len(rows) - 1)], [len(rows) - 1]])
    rows, groups, to_goal = rows[order], groups[order], to_goal[order]
    steps = _angles(rows, rows)
    # Each song is nearer to the goal than the one before.
    steps[to_goal[:, None] - to_goal[None] < _TIES] = np.inf
    steps[:-1, -1] = to_goal[:-1]
    way = _without_repeats(steps, groups, songs)
    if chance_seed:
        longer = chance(order if ids is None else ids[order], chance_seed)
        longer[way[1:-1]] = 1.0
        way = _without_repeats(steps * (1 + CHANCE * longer), groups, songs)
    return [int(row) for row in order[way]]


def largest_step(rows: Float, way: list[int]) -> float:
    """Return the largest angle between two neighbours of a way, in radians."""
    return float(np.arccos(np.clip((rows[way[:-1]] * rows[way[1:]]).sum(axis=1), -1, 1)).max())


def chance(ids: Ids, seed: int) -> Double:
    """Return a number in 0..1 for each id that depends on the id and the seed alone.

    SplitMix64: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014.
    """
    mixed = ids.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53


def _angles(a: Float, b: Float) -> Double:
    angles: Double = np.arccos(np.clip((a @ b.T).astype(np.float64), -1.0, 1.0))
    return angles


def _without_repeats(steps: Double, groups: Ids, songs: int) -> list[int]:
    """Return the best way that uses no group twice.

    Where the groups make the largest step larger, ways of fewer songs are searched too, because
    they repeat fewer groups.
    """
    inner = groups[1:-1]
    songs = min(songs, 2 + len(np.unique(inner[inner >= 0])) + int((inner < 0).sum()))
    lowest, _ = _largest(steps, songs)
    ways = [_repaired(steps, groups, songs)]
    if ways[0][1][0] > LONGER * lowest + _TIES:
        ways += [_repaired(steps, groups, fewer) for fewer in _FEWER if fewer < songs]
    limit = LONGER * min(cost[0] for _, cost in ways) + _TIES
    return next(way for way, cost in ways if cost[0] <= limit)


def _repaired(steps: Double, groups: Ids, songs: int) -> tuple[list[int], _Cost]:
    """Return a way whose repeated groups keep one track each, one group after the other.

    Each of the group's tracks on the way is tried. Once `_TRIES` searches are made, the one with
    the smaller steps is kept, which takes one search.
    """
    left = np.arange(len(groups))
    way, cost = _solve(steps, songs)
    tries = 0
    while True:
        counts = Counter(groups[left[i]] for i in way[1:-1] if groups[left[i]] >= 0)
        group, times = max(counts.items(), key=lambda each: each[1], default=(-1, 0))
        if times < 2:
            return [int(left[i]) for i in way], cost
        found = [place for place in range(1, len(way) - 1) if groups[left[way[place]]] == group]
        if tries + len(found) > _TRIES:
            found = [min(found, key=lambda at: max(_beside(steps, way, at)))]
        tries += len(found)
        tried = []
        for kept in (way[place] for place in found):
            rows = groups[left] != group
            rows[[0, kept, -1]] = True
            fewer = steps[np.ix_(rows, rows)]
            tried.append((*_solve(fewer, songs), fewer, left[rows]))
        way, cost, steps, left = min(tried, key=lambda each: each[1])


def _beside(steps: Double, way: list[int], place: int) -> tuple[float, float]:
    """Return the steps to a song of a way and from it."""
    return steps[way[place - 1], way[place]], steps[way[place], way[place + 1]]


def _largest(steps: Double, songs: int) -> tuple[float, Double]:
    """Return the smallest largest step, and that of the best way with 1, 2 ... ``songs`` songs.

    The direct step from start to goal counts only if there is no other way.
    """
    largest = np.array([costs[-1] for costs in _layers(steps, songs, np.maximum)])
    if np.isfinite(largest[2:]).any():
        largest[1] = np.inf
    largest = np.maximum(largest, SMALL_STEP)
    return float(largest.min()), largest


def _solve(steps: Double, songs: int) -> tuple[list[int], _Cost]:
    """Return the longest way of at most ``songs`` songs with a smallest largest step, and its cost.

    Of ways with as many songs it is the one with the smallest sum of powers.
    """
    lowest, largest = _largest(steps, songs)
    last = int(np.flatnonzero(largest <= LONGER * lowest + _TIES)[-1])
    bound = float(largest[last])
    powers = np.where(steps <= bound + _TIES, steps**_POWER, np.inf)
    sums = _layers(powers, last + 1, np.add)
    way = [len(steps) - 1]
    for before in reversed(sums[:last]):
        way.append(int((before + powers[:, way[-1]]).argmin()))
    return way[::-1], (bound, -last, float(sums[last][-1]))


def _layers(costs: Double, songs: int, join: np.ufunc) -> list[Double]:
    """Return the cost of the best way to each row with 1, 2 ... songs.

    The rows are in the order of a way, so that only steps to later rows are finite.
    """
    found = [np.full(len(costs), np.inf)]
    found[0][0] = 0.0
    joined = np.empty_like(costs)
    for _ in range(songs - 1):
        join(found[-1][:, None], costs, out=joined)
        found.append(joined.min(axis=0))
    return found
