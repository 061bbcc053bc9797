"""A plane for the songs of a way and the tracks around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Plane = NDArray[np.float64]

AROUND = 160  # tracks that a map of a way shows beside its songs
_WEIGHT = 0.1  # of the tracks around: they decide only what the way leaves open


def nearest_around(way: Float, rows: Float, count: int = AROUND) -> NDArray[np.intp]:
    """Return the sorted indices of the ``count`` rows that are nearest to a song of a way.

    Parameters
    ----------
    way, rows
        float32 (k, d) and (n, d), rows of length 1.
    """
    if len(rows) <= count:
        return np.arange(len(rows))
    return np.sort(np.argsort(-(rows @ way.T).max(axis=1), kind="stable")[:count])


def local_plane(way: Float, around: Float) -> tuple[Plane, Plane]:
    """Return the places of a way's songs and of tracks around it on a plane, start on the left.

    Principal component analysis (K. Pearson, "On lines and planes of closest fit to systems of
    points in space", 1901) of the way, to which the tracks around it count little.

    Parameters
    ----------
    way
        float32 (k, d), rows of length 1, two or more: the songs in order.
    around
        float32 (n, d).

    Returns
    -------
    float (k, 2) and (n, 2), in the unit of the embeddings.
    """
    middle = way.mean(axis=0, dtype=np.float64)
    songs, others = way - middle, around - middle
    spread = songs.T @ songs + _WEIGHT**2 * others.T @ others
    plane = np.linalg.eigh(spread)[1][:, :-3:-1]
    songs, others = songs @ plane, others @ plane
    signs = np.where(songs[-1] - songs[0] >= 0, 1.0, -1.0)
    # The second axis has no direction of its own: most of the way is in its upper half.
    signs[1] = 1.0 if np.median(songs[:, 1]) >= songs[[0, -1], 1].mean() else -1.0
    return songs * signs, others * signs
