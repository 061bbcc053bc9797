"""What is served of a model, in memory and up to date: from snapshot and changes, or SQLite."""

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

_KNOWN_AS = "snapshot"
# Fewer are read from SQLite in less time than it would take anybody to notice.
_WORTH_A_FILE = 20_000
# Under half of the changes that are kept: a snapshot is replaced before it cannot be caught up.
_REWRITE_AFTER = 4_000
_LOOK_EVERY_S = 300.0


class LiveIndex:
    """The served tracks of a model; ``rows`` brings them up to date first."""

    def __init__(self, database: Database, model_id: str) -> None:
        self.catalogue = Catalogue(database)
        self._db = database
        self._model_id = model_id
        self._held: GrowableIndex | None = None
        self._at = -1  # the revision that the rows are of
        self._kept_at: int | None = None  # and that of the snapshot, where there is one
        self._lock = asyncio.Lock()

    async def rows(self) -> CatalogueRows:
        """Return the rows of this moment. They never change: who has them may keep them."""
        revision = await self.catalogue.revision()
        if self._held is None or self._at != revision:
            async with self._lock:
                await self._bring_up_to_date()
        assert self._held is not None
        return self._held.rows

    async def keep(self) -> bool:
        """Write a snapshot where one is worth while, and tell whether it was written.

        A copy that cannot be written is no reason to stop: the next start is slower.
        """
        if self._held is None or self._db.in_memory:
            return False
        rows, path, token = self._held.rows, snapshot_path(self._db.path), secrets.token_hex(16)
        if self._kept_at is not None and self._at - self._kept_at < _REWRITE_AFTER:
            return False
        try:
            if len(rows.ids) < _WORTH_A_FILE:
                path.unlink(missing_ok=True)  # of a time when there were more
                return False
            await asyncio.to_thread(write_snapshot, path, rows, token)
            # Only now the database knows it. Killed in between, there is a file nobody believes.
            await set_value(self._db, _KNOWN_AS, token)
        except (OSError, CatalogueError) as error:
            log.warning("No snapshot of the tracks was written, so starts are slower: %s", error)
            return False
        # The file is what is held from now on: it has room for more tracks, and memory that the
        # system may take back when it is short.
        async with self._lock:
            self._held = await self._from_snapshot() or self._held
        return True

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep a snapshot beside the database while the block runs, and once more at its end."""
        stop = asyncio.Event()
        training_callbacks = asyncio.create_task(self._keep_until(stop))
        try:
            yield
        finally:
            stop.set()
            await training_callbacks

    async def _keep_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.keep()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)
        await self.keep()

    async def _bring_up_to_date(self) -> None:
        if self._held is None:
            self._held = await self._from_snapshot()
        if self._held is None or not await self._catch_up(self._held):
            rows = await self.catalogue.load(self._model_id)
            self._held, self._at, self._kept_at = GrowableIndex(rows), rows.revision, None

    async def _from_snapshot(self) -> GrowableIndex | None:
        # A database that was put back from a backup, or is another one, does not know the token.
        token = None if self._db.in_memory else await get_value(self._db, _KNOWN_AS)
        if token is None:
            return None
        path = snapshot_path(self._db.path)
        held = await asyncio.to_thread(read_snapshot, path, model_id=self._model_id, token=token)
        if held is not None:
            self._at = self._kept_at = held.rows.revision
        return held

    async def _catch_up(self, held: GrowableIndex) -> bool:
        """Apply what has changed since, or tell that everything must be read anew."""
        changes = await self.catalogue.changes_since(self._model_id, self._at)
        if changes.reload:
            return False
        if changes.put or changes.removed:
            added = await self.catalogue.load(self._model_id, changes.put)
            if len(added.ids) and added.matrix.shape[1] != held.rows.matrix.shape[1]:
                return False
            gone = {*changes.put, *changes.removed}
            await asyncio.to_thread(held.update, changes.revision, added, gone)
        self._at = changes.revision
        return True
