"""Cosine neighbours: a matrix of unit vectors, searched whole, and the choice of what to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.types import Track

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Fingerprint = NDArray[np.int8]

# Rows to a block of the selection: its maxima stay in cache, and a block holds few of the nearest.
_BLOCK = 256


class NeighbourIndex:
    """Unit vectors in one matrix; a query is one product at memory bandwidth.

    Parameters
    ----------
    ids
        int64 (n,), the catalogue's row ids.
    matrix
        float32 (n, d), rows of length 1.
    """

    def __init__(self, ids: NDArray[np.int64], matrix: Float) -> None:
        if len(ids) != len(matrix):
            raise ValueError(f"{len(ids)} ids and {len(matrix)} rows: one id a row is needed")
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
            How many; fewer come where fewer are allowed. Of rows equally near, the first come.
        allowed
            bool (n,): rows that may be answered; all of them by default.
        """
        if not len(self.ids):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        cosines = self.matrix @ embedding
        if allowed is not None:
            # The cosines are masked, not the rows: a filter never copies the matrix.
            np.copyto(cosines, np.float32(-np.inf), where=~allowed)
        nearest = _largest(cosines, k)
        return self.ids[nearest], cosines[nearest]


def _largest(values: Float, k: int) -> NDArray[np.intp]:
    """Return where the k largest finite values are, largest first, the earlier of equal ones first.

    The k-th largest of the maxima of all blocks is a bound that at least k values reach, and seldom
    many more. So one pass finds the few that need sorting, where ``argpartition`` moves them all.
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


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A near track, with what decides whether it may be answered.

    Attributes
    ----------
    track, cosine
        The track, and how near it is.
    artist_key, song_key
        Normalised artist and title; empty where unknown.
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
    """How neighbours become an answer.

    Attributes
    ----------
    count
        Tracks wanted.
    per_artist
        Tracks of one artist at most; a track without artist counts for itself.
    floor
        Cosine under which nothing is answered.
    """

    count: int = 5
    per_artist: int = 1
    floor: float = 0.0


def select_neighbours(
    candidates: Iterable[Candidate],
    choice: SelectionRules,
    *,
    same_recording: Callable[[Fingerprint, Fingerprint], bool],
    clip: Fingerprint | None = None,
    clip_song: tuple[str, str] = ("", ""),
) -> list[Candidate]:
    """Choose what to answer: near enough, never the clip, no song twice, artists varied.

    Parameters
    ----------
    candidates
        Nearest first.
    choice
        How many, and how varied.
    same_recording
        Says whether two fingerprints are of one recording.
    clip
        The clip's fingerprint: the recording it is cut from is not answered.
    clip_song
        Artist key and song key of the clip, where its tags or page name them: no other version of
        that song is answered either.

    Returns
    -------
    At most ``choice.count`` candidates, nearest first.
    """
    chosen: list[Candidate] = []
    heard = [] if clip is None else [clip]
    songs = {clip_song}
    artists: Counter[str] = Counter()
    for candidate in candidates:
        if len(chosen) == choice.count or candidate.cosine < choice.floor:
            break
        song = (candidate.artist_key, candidate.song_key)
        if all(song) and song in songs:
            continue
        if candidate.artist_key and artists[candidate.artist_key] >= choice.per_artist:
            continue
        if any(same_recording(candidate.fingerprint, other) for other in heard):
            # The clip's own track names its song, so that its other versions go too.
            songs.add(song)
            continue
        chosen.append(candidate)
        heard.append(candidate.fingerprint)
        songs.add(song)
        artists[candidate.artist_key] += 1
    return chosen
