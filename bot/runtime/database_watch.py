"""Watch of the database of a running process: PostgreSQL may be away, or read-only for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.connection import Database
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

PROBE_EVERY_S = 3.0
# A query without an answer counts as a fault after the first, and is given up after the second.
SILENT_S, GIVE_UP_S = 3.0, 10.0
_END_S = 0.5
_STATE = "SELECT current_setting('transaction_read_only')"
_AWAY = "database out of reach"


class DatabaseWatch:
    """State of a PostgreSQL database, which one query each 3 s looks up; who reads it sends none.

    The next query waits for the end of the last one, so a server that hangs gets one at a time. A
    SQLite file is not watched.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self.missing = ""
        """Why the database cannot be used; "" if it can."""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the database during the block."""
        if self._db.engine == "sqlite":
            yield
            return
        probing = asyncio.create_task(self._keep_probing())
        try:
            yield
        finally:
            probing.cancel()
            await asyncio.wait([probing], timeout=_END_S)

    async def _keep_probing(self) -> None:
        while True:
            probe = asyncio.create_task(self._fault())
            try:
                done, _ = await asyncio.wait([probe], timeout=SILENT_S)
                if not done:
                    self._note("database does not respond", f"for {SILENT_S:.0f} s")
                    done, _ = await asyncio.wait([probe], timeout=GIVE_UP_S - SILENT_S)
                if done:
                    self._note(*probe.result())
            finally:
                probe.cancel()
                await asyncio.wait([probe])
            await asyncio.sleep(PROBE_EVERY_S)

    async def _fault(self) -> tuple[str, str]:
        """Return what is missing and its cause for the log; both are "" if nothing is."""
        try:
            [(read_only,)] = await self._db.all(_STATE)
        except CatalogueError as error:
            return _AWAY, str(error)
        except Exception as error:
            log.exception("database not probed")
            return _AWAY, type(error).__name__
        if read_only == "on":
            return "database read-only", f"{self._db.name} takes no changes"
        return "", ""

    def _note(self, missing: str, cause: str) -> None:
        if missing and missing != self.missing:
            log.error("%s: %s", missing, cause)
        elif self.missing and not missing:
            log.info("database in reach again: %s", self._db.name)
        self.missing = missing
