"""Places of tracks on a map: two numbers for each embedding, so that near tracks lie together.

The layout itself is t-distributed stochastic neighbour embedding (t-SNE; van der Maaten and Hinton
2008, "Visualizing data using t-SNE") of at most ``MAX_LANDMARKS`` tracks, and runs in a process of
its own, `genrec.map_process`. The other tracks are placed among their nearest landmarks. So are
tracks that are added later, which leaves all others where they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Ids = NDArray[np.int64]

MIN_TRACKS = 10  # fewer give no picture
MAX_LANDMARKS = 5_000  # laid out by t-SNE in about 10 s on one core
PLACED_AMONG = 5  # landmarks whose places a further track is put between
_SHARPNESS = 40.0  # of the weights: the nearest landmark counts most
_CELLS = 1 << 23  # cosines that are computed at once, 32 MB
_MIX = 0x9E3779B97F4A7C15  # odd, from the golden ratio (Knuth 1998, multiplicative hashing)


def landmarks(ids: Ids, count: int = MAX_LANDMARKS) -> NDArray[np.intp]:
    """Return the rows of at most ``count`` tracks that a layout is made of, in order.

    Parameters
    ----------
    ids
        int64 (n,), the track ids.
    count
        Largest number of landmarks.

    Returns
    -------
    Rows of ``ids``. A hash of the id selects them, so that a library which grows keeps most of its
    landmarks.
    """
    if len(ids) <= count:
        return np.arange(len(ids))
    with np.errstate(over="ignore"):
        mixed = ids.astype(np.uint64) * np.uint64(_MIX)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_MIX)
    return np.sort(np.argsort(mixed, kind="stable")[:count])


def place(matrix: Float, known: Float, positions: Float) -> Float:
    """Return places for tracks among known ones: means of their nearest, weighted by cosine.

    Parameters
    ----------
    matrix
        float32 (n, d), embeddings of the tracks to place, of length 1.
    known
        float32 (m, d), embeddings of the tracks that have a place, of length 1; m is at least 1.
    positions
        float32 (m, 2), their places.

    Returns
    -------
    float32 (n, 2).

    Raises
    ------
    ValueError
        No place is known, or there is not one for each known track.
    """
    if not len(known) or len(known) != len(positions):
        raise ValueError(f"positions: {len(positions)} for {len(known)} tracks; one each is needed")
    placed = np.empty((len(matrix), 2), dtype=np.float32)
    among = min(PLACED_AMONG, len(known))
    block = max(1, _CELLS // len(known))
    for start in range(0, len(matrix), block):
        cosines = matrix[start : start + block] @ known.T
        near = np.argpartition(-cosines, among - 1, axis=1)[:, :among]
        best = np.take_along_axis(cosines, near, axis=1)
        weights = np.exp(_SHARPNESS * (best - best.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        placed[start : start + block] = np.einsum("nk,nkd->nd", weights, positions[near])
    return placed


def normalised(positions: Float) -> Float:
    """Return places moved and scaled into the square from -1 to 1, with one scale for both axes."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((positions - (low + high) / 2) * (2 / extent), dtype=np.float32)


def aligned(positions: Float, old: Float) -> Float:
    """Return places turned and mirrored so that they lie nearest to older ones.

    Parameters
    ----------
    positions, old
        float32 (n, 2), new and old places of the same tracks.

    Returns
    -------
    A 2 x 2 orthogonal matrix; ``positions @ matrix`` is the turned layout (Schoenemann 1966,
    orthogonal Procrustes problem).
    """
    u, _, vt = np.linalg.svd((positions - positions.mean(axis=0)).T @ (old - old.mean(axis=0)))
    return np.asarray(u @ vt, dtype=np.float32)


def neighbour_agreement(positions: Float, labels: NDArray[np.int64], k: int = 10) -> float:
    """Return the mean share of the ``k`` nearest places whose track has the same label, 0..1.

    Parameters
    ----------
    positions
        float32 (n, d) with n above ``k``: places, or embeddings to compare them with.
    labels
        int64 (n,), such as a genre.
    k
        Number of neighbours.
    """
    same = 0.0
    for row, position in enumerate(positions):
        distances = ((positions - position) ** 2).sum(axis=1)
        distances[row] = np.inf
        near = np.argpartition(distances, k - 1)[:k]
        same += float((labels[near] == labels[row]).mean())
    return same / len(positions)
