"""The interface of nearest-neighbour search over the active tracks of a model.

`db.matrix.MatrixNeighbours` keeps the embeddings of a process in memory and searches them exactly.
`db.pgvector.PgNeighbours` leaves them in PostgreSQL, so that the memory of a bot does not grow with
the catalogue. What a question asks for and what the rules leave out is the same for both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows
from db.tracks import Catalogue
from genrec.agreement import CatalogueStatistics
from genrec.music_filter import ANY_MUSIC, MusicFilter
from genrec.seed_scores import SeedScores
from genrec.sound_tags import TagLimits, TagReading, tag_limits
from genrec.types import MusicDescription

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrackFilter:
    """Tracks that a search may return.

    Attributes
    ----------
    scopes
        Scopes that are searched.
    genre, music
        A label of the preset, and tempo, key and sound tags; all tracks by default.
    without
        Ids of tracks that are left out.
    without_artists
        Artist keys whose tracks are left out.
    reading
        The preset's reading of sound tags, by which tracks have those of ``music``.
    """

    scopes: Collection[str]
    genre: str | None = None
    music: MusicFilter = ANY_MUSIC
    without: frozenset[int] = frozenset()
    without_artists: frozenset[str] = frozenset()
    reading: TagReading | None = None

    @property
    def tag_limits(self) -> TagLimits | None:
        """Limits of the embedding of a track with all wanted sound tags; None without any.

        Raises
        ------
        TagUnknown
            The preset has no reading of tags, or none of this name.
        """
        return tag_limits(self.reading, self.music.tags) if self.music.tags else None

    @property
    def is_narrow(self) -> bool:
        """Whether tracks are left out for what they are like, and not for their id or artist."""
        return self.genre is not None or self.music != ANY_MUSIC

    @property
    def whole(self) -> TrackFilter:
        """The same filter with tracks of every genre, tempo, key and tag."""
        return replace(self, genre=None, music=ANY_MUSIC)


@dataclass(frozen=True, slots=True, eq=False)
class NearRows:
    """Found tracks: ``ids``, int64 (n,), ``scores``, float32 (n,), ``vectors``, float32 (n, d).

    The highest scores come first. ``vectors`` are the stored embeddings, of length 1.
    """

    ids: NDArray[np.int64]
    scores: Float
    vectors: Float


@dataclass(frozen=True, slots=True, eq=False)
class IndexedTracks:
    """Embeddings and artists of some tracks, in the order of their ids.

    Attributes
    ----------
    ids
        int64 (n,).
    vectors
        float32 (n, d), of length 1.
    artists, genres
        Artist keys, "" if unknown, and labels of the preset.
    """

    ids: NDArray[np.int64]
    vectors: Float
    artists: Sequence[str]
    genres: Sequence[str]


class Neighbours(Protocol):
    """Nearest neighbours among the active tracks of a model; changes are seen at once."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue that is searched."""
        ...

    @property
    def model_id(self) -> str:
        """The model whose tracks are searched."""
        ...

    @property
    def damaged(self) -> int:
        """Number of tracks that are left out, because their stored embedding is damaged."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size of the tracks in the memory of this process."""
        ...

    async def refresh(self) -> int:
        """Bring what is kept in memory up to date, and return the revision of the catalogue."""
        ...

    def count_by_scope(self) -> dict[str, int]:
        """Return the number of tracks of each scope, as of the last update."""
        ...

    async def search(self, scores: SeedScores, among: TrackFilter, count: int) -> NearRows:
        """Return up to ``count`` tracks with the highest scores; ties keep the order of ids."""
        ...

    async def near_arc(self, start: Float, goal: Float, among: TrackFilter) -> NearRows:
        """Return tracks near the arc between two embeddings, as `genrec.paths.near_arc` does.

        The scores are the cosines with the goal, and the order is that of the ids.
        """
        ...

    async def vectors(self, ids: Collection[int]) -> IndexedTracks:
        """Return the embeddings of those of the tracks that are searched."""
        ...

    async def described(self, ids: Collection[int]) -> dict[int, MusicDescription]:
        """Return the music descriptions of those of the tracks that have one, by id."""
        ...

    async def statistics(self, scopes: Collection[str]) -> CatalogueStatistics:
        """Return what is usual among the tracks of the scopes."""
        ...

    async def count_artists(self, scopes: Collection[str]) -> tuple[int, int]:
        """Return the numbers of tracks and artists; an unknown artist counts once a track."""
        ...

    async def ids_of(self, scopes: Collection[str], artist: str | None = None) -> list[int]:
        """Return the ids of the tracks of the scopes, or of those by one artist key."""
        ...

    async def sample(self, scopes: Collection[str], count: int) -> list[int]:
        """Return the ids of up to ``count`` tracks of the scopes, drawn by chance."""
        ...

    async def rows(self, scopes: Collection[str] | None = None) -> CatalogueRows:
        """Return all tracks of some scopes as columns in memory; they may contain further scopes.

        Raises
        ------
        CatalogueError
            There are too many tracks for one process.
        """
        ...

    def maintained(self) -> AbstractAsyncContextManager[None]:
        """Save or build what makes the index fast, in the background of the block."""
        ...
