"""Scores of tracks for one or several seeds, in one pass over the matrix.

The score of a track is its smallest cosine with a liked seed. Group recommenders call this least
misery (O'Connor et al. 2001, PolyLens; Masthoff 2004): nobody in the group dislikes the choice.
So a mix is near all of its seeds, and not near their mean alone, which may be like none of them.

Tracks that are like a disliked seed lose, as in relevance feedback (Rocchio 1971). Rocchio
subtracts the mean of the disliked vectors from the query, which also prefers tracks that are merely
far from them. Here only the part of the cosine above that of unrelated tracks is subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.questions import Question

Float = NDArray[np.float32]
_BLOCK = 1024  # rows: they and their cosines stay in the cache, and BLAS starts no threads
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
