"""Exact nearest neighbours by cosine, and the selection rules for recommendations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.types import Track

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Fingerprint = NDArray[np.int8]

# Values per block in `_largest`: the maxima stay in the cache, and a block has few of the top k.
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
        if not len(self.ids):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        cosines = self.matrix @ embedding
        if allowed is not None:
            # Masking the cosines and not the rows saves a copy of the matrix.
            np.copyto(cosines, np.float32(-np.inf), where=~allowed)
        nearest = _largest(cosines, k)
        return self.ids[nearest], cosines[nearest]


def _largest(values: Float, k: int) -> NDArray[np.intp]:
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
            for j in _largest(row, k)[: min(k, n - 1)].tolist():
                pair = (min(i, j), max(i, j))
                if row[j] >= floor and pair not in seen:
                    seen.add(pair)
                    yield pair


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A search result with the fields that the selection rules need.

    Attributes
    ----------
    track, cosine
        The track and its cosine with the query.
    artist_key, song_key
        Normalised artist and title; empty if unknown.
    fingerprint
        int8 (bands, columns), for ``same_recording``.
    """

    track: Track
    cosine: float
    artist_key: str
    song_key: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRules:
    """Rules that select neighbours from the candidates.

    Attributes
    ----------
    count
        Largest number of neighbours.
    per_artist
        Largest number of tracks of one artist; tracks without artist are not limited.
    floor
        Smallest cosine of a neighbour.
    """

    count: int = 5
    per_artist: int = 1
    floor: float = 0.0


def select_neighbours(
    candidates: Iterable[Candidate],
    rules: SelectionRules,
    *,
    same_recording: Callable[[Fingerprint, Sequence[Fingerprint]], bool],
    is_clip: Callable[[Candidate], bool] = lambda candidate: False,
    clip_song: tuple[str, str] = ("", ""),
) -> list[Candidate]:
    """Return the candidates that the rules select, without the clip's own song and duplicates.

    Each recording and each song (artist key and song key) is selected at most once. The clip's own
    recording and song are skipped.

    Parameters
    ----------
    candidates
        Nearest first.
    rules
        Count, limit per artist and smallest cosine.
    same_recording
        Returns whether a fingerprint is of the recording of one of the others.
    is_clip
        Returns whether a candidate is the clip's own recording.
    clip_song
        Artist key and song key of the clip; empty if unknown.

    Returns
    -------
    At most ``rules.count`` candidates, nearest first.
    """
    selected: list[Candidate] = []
    fingerprints: list[Fingerprint] = []
    songs = {clip_song}
    artists: Counter[str] = Counter()
    for candidate in candidates:
        if len(selected) == rules.count or candidate.cosine < rules.floor:
            break
        song = (candidate.artist_key, candidate.song_key)
        if all(song) and song in songs:
            continue
        if candidate.artist_key and artists[candidate.artist_key] >= rules.per_artist:
            continue
        if is_clip(candidate) or same_recording(candidate.fingerprint, fingerprints):
            # The duplicate may name the clip's song, whose other versions are skipped too.
            songs.add(song)
            continue
        selected.append(candidate)
        fingerprints.append(candidate.fingerprint)
        songs.add(song)
        artists[candidate.artist_key] += 1
    return selected
