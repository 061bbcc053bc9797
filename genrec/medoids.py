"""Medoids: the few tracks that stand for the groups of a longer list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_COMPARED = 500
"""Tracks of a list that are compared with each other; of a longer list, evenly spaced ones."""
_ROUNDS = 20


def medoids(embeddings: NDArray[np.float32], k: int) -> list[int]:
    """Return the tracks in the middle of the ``k`` groups that a list falls into.

    Each group counts once, however many tracks it has, so that a rare kind of music in the list has
    its say. The first medoids are chosen one by one, each to lower the distances most (BUILD of
    Kaufman and Rousseeuw, "Finding Groups in Data", 1990), then refined in turns (Park and Jun, "A
    simple and fast algorithm for K-medoids clustering", 2009).

    Parameters
    ----------
    embeddings
        float32 (n, d), of length 1.
    k
        Number of groups, 1 or more.

    Returns
    -------
    At most ``k`` indexes, in the order of the list; all of them if there are no more. Of equal
    tracks only one is returned.

    Raises
    ------
    ValueError
        ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k={k}: expected 1 or more")
    n = len(embeddings)
    if not n:
        return []
    places = np.linspace(0, n - 1, min(n, MOST_COMPARED)).round().astype(np.int64)
    x = embeddings[places]
    distances = np.maximum(1.0 - x @ x.T, 0.0)
    chosen = _build(distances, k)
    for _ in range(_ROUNDS):
        groups = distances[:, chosen].argmin(axis=1)
        moved = sorted(_middle(distances, np.flatnonzero(groups == g)) for g in range(len(chosen)))
        if moved == chosen:
            break
        chosen = moved
    return [int(places[place]) for place in chosen]


def _build(distances: NDArray[np.float32], k: int) -> list[int]:
    """Return the first medoids, without those that are equal to an earlier one."""
    chosen: list[int] = []
    nearest = np.full(len(distances), np.inf)
    while len(chosen) < min(k, len(distances)):
        left = np.minimum(nearest, distances).sum(axis=1)
        left[chosen] = np.inf
        best = int(left.argmin())
        if chosen and nearest[best] < 1e-6:
            break  # every track is equal to a medoid
        chosen.append(best)
        nearest = np.minimum(nearest, distances[best])
    return sorted(chosen)


def _middle(distances: NDArray[np.float32], group: NDArray[np.int64]) -> int:
    """Return the member of a group with the smallest sum of distances to the others."""
    return int(group[distances[np.ix_(group, group)].sum(axis=1).argmin()])
