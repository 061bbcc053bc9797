"""Columns of the active tracks for an index in memory, changes of them, and statistics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.vectors import sound_vectors
from genrec.agreement import CatalogueStatistics
from genrec.description_codec import description_matrix, description_of_checked
from genrec.music_filter import ANY_MUSIC, MusicFilter
from genrec.names import artist_key
from genrec.types import MusicDescription

REMOVED = 0  # id of a removed row; ids of tracks start at 1
_MOST_STATISTICS = 32  # of combinations of scopes, at most 150 kB each


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumn:
    """A column of n labels: codes, int32 (n,), into the distinct ``names``."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str]) -> LabelColumn:
        """Encode a list of labels."""
        names = tuple(dict.fromkeys(labels))
        code_of = {name: code for code, name in enumerate(names)}
        codes = np.fromiter((code_of[label] for label in labels), np.int32, count=len(labels))
        return cls(codes, names)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def mask(self, wanted: Collection[str]) -> NDArray[np.bool_]:
        """Return bool (n,), True for the rows with one of the wanted labels."""
        hits = np.array([name in wanted for name in self.names], dtype=bool)
        return hits[self.codes] if len(hits) else np.zeros(0, dtype=bool)


@dataclass(frozen=True, eq=False)
class CatalogueRows:
    """The active tracks of one model at one revision, as columns of n rows.

    ``ids`` is int64 (n,); a row with the id ``REMOVED`` is ignored, because its track was removed
    or has a newer row. ``matrix`` is float32 (n, d), contiguous and read-only, with rows of length
    1. ``genres`` are labels of the preset; ``artists`` are keys of ``artist_key``, "" if unknown.
    ``descriptions`` is float32 (n, fields of `genrec.description_codec`), NaN for a track without.
    ``damaged`` are ids of tracks that are left out, because their stored embedding is damaged.
    """

    revision: int
    model_id: str
    ids: NDArray[np.int64]
    matrix: NDArray[np.float32]
    artists: LabelColumn
    genres: LabelColumn
    scopes: LabelColumn
    descriptions: NDArray[np.float32]
    damaged: frozenset[int] = frozenset()

    def allowed(
        self,
        scopes: Collection[str],
        genre: str | None = None,
        artist: str | None = None,
        music: MusicFilter = ANY_MUSIC,
    ) -> NDArray[np.bool_]:
        """Return bool (n,), True for the rows that match; ``artist`` is a key."""
        mask = self.scopes.mask(scopes)
        mask &= self.ids != REMOVED
        if genre is not None:
            mask &= self.genres.mask((genre,))
        if artist is not None:
            mask &= self.artists.mask((artist,))
        if music != ANY_MUSIC:
            mask &= music.mask(self.descriptions)
        return mask

    @property
    def size_bytes(self) -> int:
        """Bytes of all columns: 4 d + 56 a row. Distinct names are not counted."""
        codes = sum(column.codes.nbytes for column in (self.artists, self.genres, self.scopes))
        return self.ids.nbytes + self.matrix.nbytes + self.descriptions.nbytes + codes

    @cached_property
    def count_by_scope(self) -> dict[str, int]:
        """The number of tracks of each scope."""
        codes = self.scopes.codes[self.ids != REMOVED]
        counts = np.bincount(codes, minlength=len(self.scopes.names))
        return dict(zip(self.scopes.names, counts.tolist(), strict=True))

    def statistics(self, scopes: Collection[str]) -> CatalogueStatistics:
        """Return what is usual among the tracks of the scopes, counted once per revision."""
        key = frozenset(scopes)
        found = self._statistics.get(key)
        if found is None:
            found = self._count(key)
            if len(self._statistics) >= _MOST_STATISTICS:
                self._statistics.clear()
            self._statistics[key] = found
        return found

    @cached_property
    def _statistics(self) -> dict[frozenset[str], CatalogueStatistics]:
        """The statistics that were counted, by scopes; several threads may fill it."""
        return {}

    def _count(self, scopes: Collection[str]) -> CatalogueStatistics:
        mask = self.allowed(scopes)
        counts = np.bincount(self.genres.codes[mask], minlength=len(self.genres.names))
        shares = (counts / max(int(mask.sum()), 1)).tolist()
        genres = dict(zip(self.genres.names, shares, strict=True))
        return CatalogueStatistics.of(self.descriptions[mask], genres)

    def described(self, ids: Collection[int]) -> dict[int, MusicDescription]:
        """Return the music descriptions of those of the tracks that have one, by id."""
        places = np.flatnonzero(np.isin(self.ids, list(ids)))
        rows = self.descriptions[places].astype(np.float64)
        return {
            track_id: description_of_checked(row.tolist())
            for track_id, row in zip(self.ids[places].tolist(), rows, strict=True)
            if track_id != REMOVED and np.isfinite(row).all()
        }


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """Changes of a model's active tracks since a revision, as ids.

    With ``reload`` the changes are no longer recorded, and all rows must be read.
    """

    revision: int
    reload: bool
    put: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueStats:
    """Counts of a model's active tracks; ``other_models`` counts those of each other model."""

    model_id: str
    tracks: int
    artists: int
    by_scope: Mapping[str, int]
    by_genre: Mapping[str, int]
    other_models: Mapping[str, int]
    failures: int


def build_rows(
    revision: int, model_id: str, rows: list[tuple[Any, ...]], dimension: int
) -> CatalogueRows:
    """Build the columns of SQL rows without damaged ones.

    A row is (id, vector, artist, genre, scope, description).
    """
    rows.sort(key=itemgetter(0))  # cheaper than in SQLite, which would sort the BLOBs too
    matrix, sound = sound_vectors([row[1] for row in rows], dimension)
    damaged = frozenset[int]()
    if not sound.all():
        damaged = frozenset(row[0] for row, good in zip(rows, sound, strict=True) if not good)
        rows = [row for row in rows if row[0] not in damaged]
    ids, _, artists, genres, scopes, described = zip(*rows, strict=True) if rows else ((),) * 6
    key = lru_cache(maxsize=None)(artist_key)
    return CatalogueRows(
        revision=revision,
        model_id=model_id,
        ids=np.array(ids, dtype=np.int64),
        matrix=matrix,
        artists=LabelColumn.of([key(artist) for artist in artists]),
        genres=LabelColumn.of(genres),
        scopes=LabelColumn.of(scopes),
        descriptions=description_matrix(described),
        damaged=damaged,
    )
