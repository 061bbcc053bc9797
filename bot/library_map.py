"""The use case of the library map: the place of each track of some scopes, without Discord.

A map is computed once for each combination of scopes, in a process of low priority, and kept in
memory and in a file beside the database. Few changes of the library place the new tracks among
their neighbours. After many changes the map is computed again, from the old places.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from db.connection import Database
from db.map_cache import StoredMap, checksums, map_path, read_map, write_map
from db.neighbours import Neighbours
from genrec.errors import MapTooSmall
from genrec.map_layout import lay_out
from genrec.track_map import MIN_TRACKS, Float, Ids, aligned, normalised, place

log = logging.getLogger(__name__)

CHANGED_MUCH = 0.2  # share of tracks that came or went since the layout
_MAX_IN_MEMORY = 8


class LayOut(Protocol):
    """Computes places, as `genrec.map_layout.lay_out` does; tests replace it."""

    def __call__(self, ids: Ids, matrix: Float, start: Float | None = None) -> Awaitable[Float]:
        """Return float32 (n, 2) for int64 (n,), float32 (n, d) and older places to start from."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LibraryMap:
    """A map: ``ids``, int64 (n,), ``positions``, float32 (n, 2) within -1..1, and ``matrix``.

    ``matrix`` is float32 (n, d), the embeddings, to place a clip with `place_of`.
    """

    ids: Ids
    positions: Float
    matrix: Float

    def place_of(self, embedding: Float) -> tuple[float, float]:
        """Return the place of a clip among its nearest tracks."""
        x, y = place(embedding[np.newaxis], self.matrix, self.positions)[0].tolist()
        return x, y


class LibraryMaps:
    """Maps by scopes; two requests for one map compute it once, and one map is computed at a time.

    A map that is ready does not wait for another one's computation.

    Parameters
    ----------
    index
        The active tracks.
    database
        Beside its file the maps are kept.
    model_id
        The preset whose embeddings are used.
    compute
        Computes a layout.
    """

    def __init__(
        self, *, index: Neighbours, database: Database, model_id: str, compute: LayOut = lay_out
    ) -> None:
        self._index = index
        self._database = database
        self._model_id = model_id
        self._compute = compute
        self._stored: OrderedDict[frozenset[str], StoredMap] = OrderedDict()
        self._running: dict[tuple[frozenset[str], int], asyncio.Task[LibraryMap]] = {}
        self._turn = asyncio.Lock()

    async def of(
        self, scopes: Collection[str], on_compute: Callable[[], None] = lambda: None
    ) -> LibraryMap:
        """Return the map of the tracks of the scopes; ``on_compute`` is called if it takes long.

        Raises
        ------
        MapTooSmall
            The scopes hold fewer than `MIN_TRACKS` tracks.
        MapFailed, MapLibraryMissing
            The layout cannot be computed.
        """
        key = frozenset(scopes)
        rows = await self._index.rows(key)
        running = self._running.get((key, rows.revision))
        if running is None:
            mask = await asyncio.to_thread(rows.allowed, key)
            ids, matrix = await asyncio.to_thread(lambda: (rows.ids[mask], rows.matrix[mask]))
            running = self._running.get((key, rows.revision))
            if running is None:
                running = asyncio.create_task(self._map(key, ids, matrix))
                self._running[key, rows.revision] = running
                running.add_done_callback(lambda _: self._running.pop((key, rows.revision), None))
        done, _ = await asyncio.wait({running}, timeout=0.2)
        if not done:
            on_compute()
        # A request that is cancelled does not stop the others.
        return await asyncio.shield(running)

    async def _map(self, key: frozenset[str], ids: Ids, matrix: Float) -> LibraryMap:
        if len(ids) < MIN_TRACKS:
            raise MapTooSmall(
                f"A map needs at least {MIN_TRACKS} tracks, and here are {len(ids)}: add music, or"
                " choose all tracks."
            )
        sums = await asyncio.to_thread(checksums, matrix)
        found = await self._unchanged(key, ids, sums)
        if found is None:
            async with self._turn:
                found = await self._unchanged(key, ids, sums)
                found = found or await self._made(key, ids, matrix, sums)
        return LibraryMap(ids, found.positions, matrix)

    async def _unchanged(
        self, key: frozenset[str], ids: Ids, sums: NDArray[np.uint32]
    ) -> StoredMap | None:
        """Return the map if it has all of the tracks and no other, without waiting for a turn."""
        stored = await self._known(key)
        if stored is None or len(ids) != len(stored.ids):
            return None
        kept = await asyncio.to_thread(_kept, ids, sums, stored)
        if (kept < 0).any() or _changed(stored, kept) > CHANGED_MUCH:
            return None
        stored = await asyncio.to_thread(_in_order, ids, sums, stored, kept)
        self._keep(key, stored)
        return stored

    async def _made(
        self, key: frozenset[str], ids: Ids, matrix: Float, sums: NDArray[np.uint32]
    ) -> StoredMap:
        """Return a map with new places, and keep it."""
        stored, kept = await self._known(key), np.full(len(ids), -1)
        if stored is not None:
            kept = await asyncio.to_thread(_kept, ids, sums, stored)
        if stored is None or _changed(stored, kept) > CHANGED_MUCH:
            stored = await self._laid_out(ids, matrix, sums, stored, kept)
        else:
            stored = await asyncio.to_thread(_with_new, ids, matrix, sums, stored, kept)
        self._keep(key, stored)
        await self._write(key, stored)
        return stored

    async def _known(self, key: frozenset[str]) -> StoredMap | None:
        file = self._database.file
        if key in self._stored or file is None:
            return self._stored.get(key)
        path = map_path(file, self._model_id, key)
        return await asyncio.to_thread(read_map, path, self._model_id, key)

    def _keep(self, key: frozenset[str], stored: StoredMap) -> None:
        self._stored[key] = stored
        self._stored.move_to_end(key)
        while len(self._stored) > _MAX_IN_MEMORY:
            self._stored.popitem(last=False)

    async def _write(self, key: frozenset[str], stored: StoredMap) -> None:
        file = self._database.file
        if file is None:
            return
        path = map_path(file, self._model_id, key)
        try:
            await asyncio.to_thread(write_map, path, stored, self._model_id, key)
        except OSError as error:
            log.warning("map not written, a restart will compute it again: %s", error)

    async def _laid_out(
        self,
        ids: Ids,
        matrix: Float,
        sums: NDArray[np.uint32],
        old: StoredMap | None,
        kept: NDArray[np.int64],
    ) -> StoredMap:
        """Return a new layout, which starts from the old places and is turned to lie like them."""
        loop = asyncio.get_running_loop()
        since, start = loop.time(), None
        both = kept >= 0
        if old is not None and both.sum() >= MIN_TRACKS:
            before = await asyncio.to_thread(_with_new, ids, matrix, sums, old, kept)
            start = before.positions
        positions = await self._compute(ids, matrix, start)
        if start is not None:
            positions = positions @ aligned(positions[both], start[both])
        log.info("map computed: %d tracks in %.1f s", len(ids), loop.time() - since)
        everything = np.ones(len(ids), dtype=bool)
        return StoredMap(ids, normalised(positions), sums, everything, len(ids))


def _kept(ids: Ids, sums: NDArray[np.uint32], stored: StoredMap) -> NDArray[np.int64]:
    """Return for each track its row in the stored map; -1 if it is new or was analysed again."""
    order = np.argsort(stored.ids, kind="stable")
    at = np.minimum(np.searchsorted(stored.ids, ids, sorter=order), len(order) - 1)
    found: NDArray[np.int64] = order[at].astype(np.int64)
    same = (stored.ids[found] == ids) & (stored.checksums[found] == sums)
    return np.where(same, found, -1)


def _changed(stored: StoredMap, kept: NDArray[np.int64]) -> float:
    """Return the share of tracks that came or went since the layout was computed."""
    still = int(stored.laid_out[kept[kept >= 0]].sum())
    return (len(kept) - still + stored.size - still) / stored.size


def _in_order(
    ids: Ids, sums: NDArray[np.uint32], stored: StoredMap, kept: NDArray[np.int64]
) -> StoredMap:
    """Return the stored map in the order of the tracks, all of which it has."""
    return StoredMap(ids, stored.positions[kept], sums, stored.laid_out[kept], stored.size)


def _with_new(
    ids: Ids,
    matrix: Float,
    sums: NDArray[np.uint32],
    stored: StoredMap,
    kept: NDArray[np.int64],
) -> StoredMap:
    """Return the map with the new tracks placed among the others, which stay where they are."""
    new = kept < 0
    positions = np.empty((len(ids), 2), dtype=np.float32)
    positions[~new] = stored.positions[kept[~new]]
    if new.any():
        positions[new] = place(matrix[new], matrix[~new], positions[~new])
    laid_out = np.zeros(len(ids), dtype=bool)
    laid_out[~new] = stored.laid_out[kept[~new]]
    return StoredMap(ids, positions, sums, laid_out, stored.size)
