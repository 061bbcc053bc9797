"""Exact nearest neighbours by cosine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Values per block in `largest`: the maxima stay in the cache, and a block has few of the top k.
_BLOCK = 256
_PAIR_CELLS = 1 << 24  # cosines of `near_pairs` that are computed at once


class NeighbourIndex:
    """Exact cosine search over unit vectors: a query is one matrix-vector product.

    Parameters
    ----------
    ids
        int64 (n,), the track ids.
    matrix
        float32 (n, d), rows of length 1.
    """

    def __init__(self, ids: NDArray[np.int64], matrix: Float) -> None:
        if len(ids) != len(matrix):
            raise ValueError(f"ids: {len(ids)} for {len(matrix)} rows; one id per row is needed")
        self.ids = ids
        self.matrix = np.ascontiguousarray(matrix, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self, embedding: Float, k: int, *, allowed: Mask | None = None
    ) -> tuple[NDArray[np.int64], Float]:
        """Return the ids and cosines of the ``k`` nearest rows, nearest first.

        Parameters
        ----------
        embedding
            float32 (d,), of length 1.
        k
            Number of rows; fewer are returned if fewer are allowed. Ties keep index order.
        allowed
            bool (n,): mask of the rows to search; all of them by default.

        Returns
        -------
        ids, cosines
            int64 (k,) and float32 (k,).
        """
        places, cosines = self.best(lambda matrix: matrix @ embedding, k, allowed=allowed)
        return self.ids[places], cosines

    def best(
        self, score: Callable[[Float], Float], k: int, *, allowed: Mask | None = None
    ) -> tuple[NDArray[np.intp], Float]:
        """Return the places and scores of the ``k`` rows with the highest scores, as `search`.

        ``score`` returns new float32 (n,) for the matrix.
        """
        if not len(self.ids):
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32)
        scores = score(self.matrix)
        if allowed is not None:
            # Masking the scores and not the rows saves a copy of the matrix.
            np.copyto(scores, np.float32(-np.inf), where=~allowed)
        nearest = largest(scores, k)
        return nearest, scores[nearest]


def largest(values: Float, k: int) -> NDArray[np.intp]:
    """Return the indices of the k largest finite values, largest first; ties keep their order.

    At least k values, and rarely many more, reach the k-th largest of the block maxima. So one pass
    finds the few values to sort. ``argpartition`` would move all of them.
    """
    blocks = len(values) // _BLOCK
    tail = values[blocks * _BLOCK :]
    maxima = np.concatenate([values[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1), tail])
    maxima = maxima[np.isfinite(maxima)]
    if 0 < k <= len(maxima):
        near = np.flatnonzero(values >= np.partition(maxima, len(maxima) - k)[len(maxima) - k])
        near = near[np.isfinite(values[near])]
    else:
        near = np.flatnonzero(np.isfinite(values))
    return near[np.argsort(-values[near], kind="stable")[:k]]


def near_pairs(matrix: Float, k: int, floor: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows of which one is among the ``k`` nearest rows of the other.

    Parameters
    ----------
    matrix
        float32 (n, d), rows of length 1.
    k
        Number of neighbours of each row.
    floor
        Smallest cosine of a pair.

    Yields
    ------
    (i, j) with i < j, each pair once. The memory for cosines is at most 64 MB, or one row.
    """
    n = len(matrix)
    block = max(1, _PAIR_CELLS // max(n, 1))
    seen: set[tuple[int, int]] = set()
    for start in range(0, n, block):
        cosines = matrix[start : start + block] @ matrix.T
        for i, row in enumerate(cosines, start):
            row[i] = -np.inf
            for j in largest(row, k)[: min(k, n - 1)].tolist():
                pair = (min(i, j), max(i, j))
                if row[j] >= floor and pair not in seen:
                    seen.add(pair)
                    yield pair
