"""Exact nearest neighbours in the memory of this process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows
from db.index.live import LiveIndex
from db.neighbours import IndexedTracks, NearRows, TrackFilter
from genrec.agreement import CatalogueStatistics
from genrec.paths import near_arc
from genrec.seed_scores import SeedScores
from genrec.similarity import NeighbourIndex
from genrec.types import MusicDescription

Float = NDArray[np.float32]


class MatrixNeighbours(LiveIndex):
    """Neighbours by one product with the matrix of all embeddings; the default.

    With a million tracks each step takes long enough to block the event loop, so it is in a thread.
    """

    @property
    def model_id(self) -> str:
        """The model whose tracks are searched."""
        return self._model_id

    async def refresh(self) -> int:
        """Load or update the matrix, and return its revision."""
        return (await self.rows()).revision

    async def search(self, scores: SeedScores, among: TrackFilter, count: int) -> NearRows:
        """Return up to ``count`` tracks with the highest scores; ties keep the order of ids."""
        rows = await self.rows()
        allowed = await asyncio.to_thread(_allowed, rows, among)
        index = NeighbourIndex(rows.ids, rows.matrix)
        places, found = await asyncio.to_thread(scores.search, index, count, allowed=allowed)
        return NearRows(rows.ids[places], found, rows.matrix[places])

    async def near_arc(self, start: Float, goal: Float, among: TrackFilter) -> NearRows:
        """Return tracks near the arc between two embeddings, as `genrec.paths.near_arc` does."""
        rows = await self.rows()

        def find() -> NearRows:
            places = near_arc(rows.matrix, start, goal, _allowed(rows, among))
            vectors = rows.matrix[places]
            return NearRows(rows.ids[places], vectors @ goal, vectors)

        return await asyncio.to_thread(find)

    async def vectors(self, ids: Collection[int]) -> IndexedTracks:
        """Return the embeddings of those of the tracks that are searched."""
        rows = await self.rows()

        def find() -> IndexedTracks:
            places = _places(rows, ids)
            return IndexedTracks(
                rows.ids[places],
                rows.matrix[places],
                [rows.artists[place] for place in places.tolist()],
                [rows.genres[place] for place in places.tolist()],
            )

        return await asyncio.to_thread(find)

    async def described(self, ids: Collection[int]) -> dict[int, MusicDescription]:
        """Return the music descriptions of those of the tracks that have one, by id."""
        rows = await self.rows()
        return await asyncio.to_thread(rows.described, ids)

    async def statistics(self, scopes: Collection[str]) -> CatalogueStatistics:
        """Return what is usual among the tracks of the scopes, counted once per revision."""
        rows = await self.rows()
        return await asyncio.to_thread(rows.statistics, scopes)

    async def count_artists(self, scopes: Collection[str]) -> tuple[int, int]:
        """Return the numbers of tracks and artists; an unknown artist counts once a track."""
        rows = await self.rows()
        return await asyncio.to_thread(_count_artists, rows, scopes)

    async def ids_of(self, scopes: Collection[str], artist: str | None = None) -> list[int]:
        """Return the ids of the tracks of the scopes, or of those by one artist key."""
        rows = await self.rows()
        mask = await asyncio.to_thread(rows.allowed, scopes, None, artist)
        return [int(track_id) for track_id in rows.ids[mask]]

    async def sample(self, scopes: Collection[str], count: int) -> list[int]:
        """Return the ids of up to ``count`` tracks of the scopes, drawn by chance."""
        rows = await self.rows()
        places = np.flatnonzero(await asyncio.to_thread(rows.allowed, scopes))
        chosen = random.sample(range(len(places)), min(count, len(places)))
        return [int(track_id) for track_id in rows.ids[places[chosen]]] if chosen else []

    async def rows(
        self,
        scopes: Collection[str] | None = None,  # noqa: ARG002 - all are in memory
    ) -> CatalogueRows:
        """Return all rows of the matrix, whatever the scopes."""
        return await super().rows()

    def maintained(self) -> AbstractAsyncContextManager[None]:
        """Save snapshots in the background of the block, and once more at its end."""
        return self.saving_snapshots()


def _allowed(rows: CatalogueRows, among: TrackFilter) -> NDArray[np.bool_]:
    """Return bool (n,), True for the rows that a filter lets through."""
    allowed = rows.allowed(among.scopes, among.genre, None, among.music)
    if len(among.without) == 1:
        allowed &= rows.ids != next(iter(among.without))
    elif among.without:
        allowed &= ~np.isin(rows.ids, sorted(among.without))
    if (limits := among.tag_limits) is not None:
        allowed &= limits.mask(rows.matrix)
    if among.without_artists:
        allowed &= ~rows.artists.mask(among.without_artists)
    return allowed


def _places(rows: CatalogueRows, ids: Collection[int]) -> NDArray[np.intp]:
    """Return the places of tracks in the order of their ids."""
    if len(ids) == 1:
        return np.flatnonzero(rows.ids == next(iter(ids)))
    places = np.flatnonzero(np.isin(rows.ids, list(ids)))
    return places[np.argsort(rows.ids[places], kind="stable")]


def _count_artists(rows: CatalogueRows, scopes: Collection[str]) -> tuple[int, int]:
    codes = rows.artists.codes[rows.allowed(scopes)]
    tracks = np.bincount(codes, minlength=len(rows.artists.names))
    unknown = sum(
        int(count) for name, count in zip(rows.artists.names, tracks, strict=True) if not name
    )
    known = int(np.count_nonzero(tracks)) - (1 if unknown else 0)
    return len(codes), known + unknown
