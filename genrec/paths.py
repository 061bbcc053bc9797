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
SHARE_OF_STEP = 0.1  # smallest progress of a step, as a share of an even step
CHANCE = 1 / 3  # largest lengthening of the steps to a track by chance
_PARTS = 8  # points of the arc that candidates are searched near
_BLOCK = 1024  # rows: they and their cosines stay in the cache, and BLAS starts no threads
_POWER = 6  # of the steps in the sum that makes them even
_TIES = 1e-6  # radians; steps of tracks that are equal in float32
_REPAIRS = 12  # artists that are reduced to one track, one after the other


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

    Among the ways whose largest step is the smallest, it is the one with the smallest sum of
    sixth powers of the steps, so that the second largest and the next are small too. A step is the
    angle between two tracks. Each song is nearer to the goal than the one before, by a tenth of an
    even step where that is possible.
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
    Row numbers from 0 to n - 1; fewer than ``songs`` if no way has so many.
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
    way = _nearer_each_time(steps, to_goal, groups, songs)
    if chance_seed:
        longer = chance(order if ids is None else ids[order], chance_seed)
        longer[way[1:-1]] = 1.0
        way = _nearer_each_time(steps * (1 + CHANCE * longer), to_goal, groups, songs)
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


def _nearer_each_time(steps: Double, to_goal: Double, groups: Ids, songs: int) -> list[int]:
    """Return the longest way, with a smallest progress of each song where that shortens none."""
    best: list[int] = []
    for share in (SHARE_OF_STEP, 0.0):
        least = max(share * to_goal[0] / (songs - 1), _TIES)
        nearer = to_goal[:, None] - to_goal[None] >= least
        nearer[:, -1] = True
        nearer[-1] = False
        way = _without_repeats(np.where(nearer, steps, np.inf), groups, songs)
        if len(way) > len(best):
            best = way
        if len(best) == songs:
            break
    return best


def _without_repeats(steps: Double, groups: Ids, songs: int) -> list[int]:
    """Return the best way that uses no group twice; each repeated group keeps one track."""
    way, _ = _solve(steps, songs)
    for left in reversed(range(_REPAIRS)):
        counts = Counter(groups[i] for i in way[1:-1] if groups[i] >= 0)
        group, times = max(counts.items(), key=lambda each: each[1], default=(-1, 0))
        if times < 2:
            break
        if not left:
            steps = _first_of_each_group(steps, groups)
            way, _ = _solve(steps, songs)
            break
        tried = []
        for kept in [i for i in way[1:-1] if groups[i] == group]:
            fewer = steps.copy()
            dropped = groups == group
            dropped[[0, kept, -1]] = False
            fewer[:, dropped] = np.inf
            tried.append((*_solve(fewer, songs), fewer))
        way, _, steps = min(tried, key=lambda each: (-len(each[0]), each[1]))
    return way


def _first_of_each_group(steps: Double, groups: Ids) -> Double:
    """Return the steps without those to a second track of a group."""
    _, first = np.unique(groups[1:-1], return_index=True)
    dropped = groups >= 0
    dropped[first + 1] = False
    dropped[[0, -1]] = False
    return np.where(dropped[None], np.inf, steps)


def _solve(steps: Double, songs: int) -> tuple[list[int], tuple[float, float]]:
    """Return the longest way of at most ``songs`` songs, its largest step and sum of powers."""
    largest, _ = _layers(steps, songs, np.maximum)
    reached = [k for k, costs in enumerate(largest) if np.isfinite(costs[-1])]
    if not reached:
        return [], (np.inf, np.inf)
    last, bound = reached[-1], largest[reached[-1]][-1]
    short = np.where(steps <= bound + _TIES, steps**_POWER, np.inf)
    sums, parents = _layers(short, last + 1, np.add)
    way = [len(steps) - 1]
    for layer in reversed(parents[:last]):
        way.append(int(layer[way[-1]]))
    return way[::-1], (float(bound), float(sums[last][-1]))


def _layers(costs: Double, songs: int, join: np.ufunc) -> tuple[list[Double], list[Places]]:
    """Return the cost of the best way to each row with 1, 2 ... songs, and the rows before.

    The rows are in the order of a way, so that only steps to later rows are finite.
    """
    found = [np.full(len(costs), np.inf)]
    found[0][0] = 0.0
    parents: list[Places] = []
    for _ in range(songs - 1):
        joined = join(found[-1][:, None], costs)
        parents.append(joined.argmin(axis=0))
        found.append(joined[parents[-1], np.arange(len(costs))])
    return found, parents
