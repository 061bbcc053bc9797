"""Scores of tracks for one or several seeds, in one pass over the matrix.

The score of a track is its smallest cosine with a liked seed. Group recommenders call this least
misery (O'Connor et al. 2001, PolyLens; Masthoff 2004): nobody in the group dislikes the choice.
So a mix is near all of its seeds, and not near their mean alone, which may be like none of them.

Tracks that are like a disliked seed lose, as in relevance feedback (Rocchio 1971). Rocchio
subtracts the mean of the disliked vectors from the query, which also prefers tracks that are merely
far from them. Here only the part of the cosine above that of unrelated tracks is subtracted.

A search for several seeds costs little more than one for a single seed. The smallest cosine is at
most any weighted mean of them, so one product with a weighted mean of the seeds bounds all scores
from above. Only rows whose bound reaches the k-th best score found are scored, as in the threshold
algorithm (Fagin, Lotem & Naor 2003). The weights are those of the shortest such mean: it is the
point of the seeds' convex hull nearest to zero (Wolfe 1976), found by the method of Frank & Wolfe
(1956).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.questions import Question
from genrec.similarity import NeighbourIndex, largest

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
_BLOCK = 1024  # rows: they and their cosines stay in the cache, and BLAS starts no threads
_SMALL = 32_768  # rows that are scored without a bound
_BOUND_SHARE = 512  # of so many rows, the one with the highest bound is scored first
_ROUNDING = np.float32(1e-5)  # of the bound, which is summed in another order
_STEPS = 200  # of Frank and Wolfe's method; five seeds need a few dozen
LESS = 1.0  # weight of the likeness to a disliked seed


@dataclass(frozen=True, slots=True, eq=False)
class SeedScores:
    """Scores the rows of a matrix for the seeds of a question.

    Attributes
    ----------
    liked
        float32 (m, d), the liked seeds; rows of length 1.
    disliked
        float32 (k, d), the seeds to be less like; k may be 0.
    unrelated
        Cosine up to which a track is not like a disliked seed.
    """

    liked: Float
    disliked: Float
    unrelated: float = 0.0

    @classmethod
    def of(cls, question: Question, unrelated: float = 0.0) -> SeedScores:
        """Return the scores of a question; ``unrelated`` is a cosine."""
        liked = np.stack([seed.embedding for seed in question.liked])
        disliked = [seed.embedding for seed in question.disliked]
        return cls(
            np.ascontiguousarray(liked, dtype=np.float32),
            np.array(disliked, dtype=np.float32).reshape(len(disliked), liked.shape[1]),
            unrelated,
        )

    @property
    def plain(self) -> bool:
        """True if the score is the cosine with the only seed."""
        return len(self.liked) == 1 and not len(self.disliked)

    def __call__(self, matrix: Float) -> Float:
        """Return the score of each row of float32 (n, d): float32 (n,).

        Several seeds are scored in one pass, block by block.
        """
        if self.plain:
            return np.asarray(matrix @ self.liked[0], dtype=np.float32)
        scores = np.empty(len(matrix), dtype=np.float32)
        seeds = np.concatenate([self.liked, self.disliked])
        cosines = np.empty((len(seeds), _BLOCK), dtype=np.float32)
        for start in range(0, len(matrix), _BLOCK):
            rows = matrix[start : start + _BLOCK]
            found = np.matmul(seeds, rows.T, out=cosines[:, : len(rows)])
            out = scores[start : start + _BLOCK]
            np.minimum.reduce(found[: len(self.liked)], axis=0, out=out)
            if len(self.disliked):
                out -= self._likeness(found[len(self.liked) :])
        return scores

    def search(
        self, index: NeighbourIndex, k: int, *, allowed: Mask | None = None
    ) -> tuple[NDArray[np.intp], Float]:
        """Return the places and scores of the ``k`` rows with the highest scores, best first.

        Parameters
        ----------
        index
            Its matrix is float32 (n, d).
        k
            Number of rows; fewer are returned if fewer are allowed. Ties keep index order.
        allowed
            bool (n,): mask of the rows to search; all of them by default.

        Returns
        -------
        places, scores
            intp (k,) and float32 (k,).
        """
        n = len(index)
        if self.plain or n < _SMALL or 4 * k > n // _BOUND_SHARE:
            return index.best(self, k, allowed=allowed)
        bounds = index.matrix @ shortest_mean(self.liked)
        if allowed is not None:
            np.copyto(bounds, np.float32(-np.inf), where=~allowed)
        first = self(index.matrix[largest(bounds, n // _BOUND_SHARE)])
        if len(first) < k:
            return index.best(self, k, allowed=allowed)
        least = np.partition(first, len(first) - k)[len(first) - k]
        near = np.flatnonzero(bounds >= least - _ROUNDING)
        scores = np.concatenate(
            [self(index.matrix[near[i : i + _BLOCK]]) for i in range(0, len(near), _BLOCK)]
        )
        best = largest(scores, k)
        return near[best], scores[best]

    def worst(self, rows: Float) -> Float:
        """Return each row's smallest cosine with a liked seed: float32 (n,)."""
        return np.asarray((rows @ self.liked.T).min(axis=1), dtype=np.float32)

    def floor(self, floor: float, zero: float) -> float:
        """Return the smallest score of a recommended track, from that for one seed.

        No track can be as near to several seeds as to one of them. For equal seeds the floor is
        ``floor``, for unrelated ones ``zero``, the mean cosine of unrelated tracks, and in between
        it falls with the smallest cosine of two seeds.
        """
        if len(self.liked) == 1:
            return floor
        alike = float(np.clip((self.liked @ self.liked.T).min(), 0.0, 1.0))
        return min(floor, zero + (floor - zero) * alike)

    def _likeness(self, cosines: Float) -> Float:
        """Return what disliked seeds subtract, from cosines (k, n): float32 (n,)."""
        above = np.maximum.reduce(cosines, axis=0) - np.float32(self.unrelated)
        return np.asarray(np.float32(LESS) * np.maximum(above, 0, out=above), dtype=np.float32)


def shortest_mean(seeds: Float) -> Float:
    """Return the shortest weighted mean of vectors, with weights that sum to 1.

    Parameters
    ----------
    seeds
        float32 (m, d), rows of length 1.

    Returns
    -------
    float32 (d,). It is a weighted mean also where the method ends before the shortest.
    """
    products = (seeds @ seeds.T).astype(np.float64)
    weights = np.full(len(seeds), 1 / len(seeds))
    for _ in range(_STEPS):
        gradient = products @ weights
        step = -weights
        step[gradient.argmin()] += 1
        curvature = step @ products @ step
        length = -(step @ gradient) / curvature if curvature > 1e-12 else 0.0
        if length < 1e-6:
            break
        weights += min(length, 1.0) * step
    return np.asarray(weights @ seeds, dtype=np.float32)
