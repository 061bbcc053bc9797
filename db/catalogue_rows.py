"""What is read out of the catalogue at once: columns for an index in memory, changes, figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.vectors import unpack_matrix
from genrec.names import artist_key

REMOVED = 0  # the id of a row whose track is served no more; those of tracks begin at 1


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumn:
    """A column of n words, kept as codes (n,) int32 into the distinct words."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str]) -> LabelColumn:
        """Code a column."""
        names = tuple(dict.fromkeys(words))
        place = {name: code for code, name in enumerate(names)}
        codes = np.fromiter((place[word] for word in words), np.int32, count=len(words))
        return cls(codes, names)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def mask(self, wanted: Collection[str]) -> NDArray[np.bool_]:
        """Return where the column holds one of the wanted words, (n,) bool."""
        hits = np.array([name in wanted for name in self.names], dtype=bool)
        return hits[self.codes] if len(hits) else np.zeros(0, dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class CatalogueRows:
    """The served tracks of one model at one moment, row by row.

    A row with the id ``REMOVED`` is none of them: its track was removed or has another row.
    ``matrix`` is float32 (n, d), contiguous and read-only, of unit rows; ``ids`` int64 (n,).
    ``genres`` are the preset's own, ``artists`` the keys that all spellings share (empty: unknown).
    """

    revision: int
    model_id: str
    ids: NDArray[np.int64]
    matrix: NDArray[np.float32]
    artists: LabelColumn
    genres: LabelColumn
    scopes: LabelColumn

    def allowed(
        self, scopes: Collection[str], genre: str | None = None, artist: str | None = None
    ) -> NDArray[np.bool_]:
        """Return which rows may be answered with, (n,) bool; ``artist`` is a key."""
        mask = self.scopes.mask(scopes)
        mask &= self.ids != REMOVED
        if genre is not None:
            mask &= self.genres.mask((genre,))
        if artist is not None:
            mask &= self.artists.mask((artist,))
        return mask


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """What happened to a model's served tracks since a revision."""

    revision: int
    reload: bool
    put: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueStats:
    """Figures about the tracks that are served with a model, and how many other models have."""

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
    """Turn rows (id, vector, artist, genre, scope) into columns."""
    rows.sort(key=itemgetter(0))  # cheaper here than in SQLite, which would sort the BLOBs
    ids, blobs, artists, genres, scopes = zip(*rows, strict=True) if rows else ((),) * 5
    key = lru_cache(maxsize=None)(artist_key)
    return CatalogueRows(
        revision=revision,
        model_id=model_id,
        ids=np.array(ids, dtype=np.int64),
        matrix=unpack_matrix(blobs, dimension),
        artists=LabelColumn.of([key(artist) for artist in artists]),
        genres=LabelColumn.of(genres),
        scopes=LabelColumn.of(scopes),
    )
