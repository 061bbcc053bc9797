"""In-memory index of a model's active tracks, loaded from a snapshot and updated by changes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from db.catalogue_rows import CatalogueRows
from db.connection import Database
from db.index.growable import GrowableIndex
from db.index.snapshot import read_snapshot, snapshot_path, write_snapshot
from db.key_values import get_value, set_value
from db.tracks import Catalogue
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

_SNAPSHOT_KEY = "snapshot"
# SQLite loads fewer tracks than this in an unnoticeable time.
_MIN_SNAPSHOT_TRACKS = 20_000
# Less than half of the changes that the database keeps, so a snapshot never becomes too old.
_REWRITE_AFTER_CHANGES = 4_000
_SNAPSHOT_INTERVAL_S = 300.0


class LiveIndex:
    """The active tracks of a model; ``rows`` returns them up to date."""

    def __init__(self, database: Database, model_id: str) -> None:
        self.catalogue = Catalogue(database)
        self._db = database
        self._model_id = model_id
        self._index: GrowableIndex | None = None
        self._revision = -1  # of the index
        self._snapshot_revision: int | None = None
        self._lock = asyncio.Lock()

    async def rows(self) -> CatalogueRows:
        """Return the current rows; they are immutable, so the caller may keep them."""
        revision = await self.catalogue.revision()
        if self._index is None or self._revision != revision:
            async with self._lock:
                await self._update()
        assert self._index is not None
        return self._index.rows

    @property
    def damaged(self) -> int:
        """Number of tracks that are left out, because their stored embedding is damaged."""
        return 0 if self._index is None else len(self._index.rows.damaged)

    @property
    def size_bytes(self) -> int:
        """Size of the tracks in memory: embeddings, ids, labels and descriptions."""
        return 0 if self._index is None else self._index.rows.size_bytes

    def count_by_scope(self) -> dict[str, int]:
        """Return the number of tracks of each scope, as of the last update."""
        return {} if self._index is None else self._index.rows.count_by_scope

    async def save_snapshot(self) -> bool:
        """Write a snapshot if it is worthwhile, and return whether it was written.

        A failed write is logged: it only makes the next start slower.
        """
        if self._index is None or self._db.file is None:
            return False
        rows, path, token = self._index.rows, snapshot_path(self._db.file), secrets.token_hex(16)
        written_at = self._snapshot_revision
        if written_at is not None and self._revision - written_at < _REWRITE_AFTER_CHANGES:
            return False
        try:
            if len(rows.ids) < _MIN_SNAPSHOT_TRACKS:
                path.unlink(missing_ok=True)  # from a time with more tracks
                return False
            await asyncio.to_thread(write_snapshot, path, rows, token)
            # The token comes last: a kill in between leaves a file that is ignored.
            await set_value(self._db, _SNAPSHOT_KEY, token)
        except (OSError, CatalogueError) as error:
            log.warning("snapshot not written, the next start will be slower: %s", error)
            return False
        # The mapped file replaces the matrix: it has spare capacity, and the system can reclaim
        # its memory.
        async with self._lock:
            self._index = await self._from_snapshot() or self._index
        return True

    @asynccontextmanager
    async def saving_snapshots(self) -> AsyncIterator[None]:
        """Save snapshots in the background of the block, and once more at its end."""
        stop = asyncio.Event()
        saving = asyncio.create_task(self._save_until(stop))
        try:
            yield
        finally:
            stop.set()
            await saving

    async def _save_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.save_snapshot()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _SNAPSHOT_INTERVAL_S)
        await self.save_snapshot()

    async def _update(self) -> None:
        known = self.damaged
        if self._index is None:
            self._index = await self._from_snapshot()
        if self._index is None or not await self._apply_changes(self._index):
            rows = await self.catalogue.load(self._model_id)
            self._index, self._revision = GrowableIndex(rows), rows.revision
            self._snapshot_revision = None
        if self.damaged != known:
            log.warning(
                "damaged embeddings: %d tracks of %s are left out, index the music again",
                self.damaged, self._model_id,
            )  # fmt: skip

    async def _from_snapshot(self) -> GrowableIndex | None:
        # A restored or different database has another token.
        if self._db.file is None:
            return None
        token = await get_value(self._db, _SNAPSHOT_KEY)
        if token is None:
            return None
        path = snapshot_path(self._db.file)
        index = await asyncio.to_thread(read_snapshot, path, model_id=self._model_id, token=token)
        if index is not None:
            self._revision = self._snapshot_revision = index.rows.revision
        return index

    async def _apply_changes(self, index: GrowableIndex) -> bool:
        """Apply the changes since the index's revision; return False if it must be reloaded."""
        changes = await self.catalogue.changes_since(self._model_id, self._revision)
        if changes.reload:
            return False
        if changes.put or changes.removed:
            added = await self.catalogue.load(self._model_id, changes.put)
            if len(added.ids) and added.matrix.shape[1] != index.rows.matrix.shape[1]:
                return False
            removed = {*changes.put, *changes.removed}
            await asyncio.to_thread(index.update, changes.revision, added, removed)
        self._revision = changes.revision
        return True
