"""Lock of a scope: one indexing run at a time in all processes; a killed process releases it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.connection import Database, SqlSession
from db.generations import CATALOGUE, Generation, is_building
from db.leases import Lease
from genrec.errors import CatalogueError


class ScopeLock:
    """The held lease of a scope. A connection that breaks loses it, and another run may take it."""

    def __init__(self, db: Database, scope: str, lease: Lease) -> None:
        self._db = db
        self._scope = scope
        self._lease = lease

    async def keep(self) -> None:
        """Take a lost lease again; raise CatalogueError if another run holds it."""
        if self._lease.lost.is_set():
            self._lease = await _take(self._db, self._scope)

    @asynccontextmanager
    async def writing(
        self, generation: Generation, *, durable: bool = False
    ) -> AsyncIterator[SqlSession]:
        """Begin a transaction that writes a building generation.

        A process learns of a lost lease only some seconds later, so the generation is looked up
        too: another run may have ended with it.

        Raises
        ------
        CatalogueError
            Another run of the scope is going on, or has ended since the lease was lost.
        """
        await self.keep()
        async with self._db.transaction(durable=durable, lock=CATALOGUE) as tx:
            if not await is_building(tx, generation):
                raise CatalogueError(
                    f"Another run has indexed the scope {self._scope} since this one began: index"
                    " again, which resumes."
                )
            yield tx

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[SqlSession]:
        """Begin a durable transaction that changes tracks of the scope in any generation.

        What its block relies on may have been read before, so a lost lease is not taken again.

        Raises
        ------
        CatalogueError
            The lease is lost: another run may have begun.
        """
        async with self._db.transaction(durable=True, lock=CATALOGUE) as tx:
            if not await self._lease.confirm():
                raise CatalogueError(
                    f"The connection that kept other runs of the scope {self._scope} away broke, so"
                    " nothing was changed: run the command again."
                )
            yield tx

    async def release(self) -> None:
        """Give the lease back."""
        await self._lease.release()


@asynccontextmanager
async def scope_lock(db: Database, scope: str) -> AsyncIterator[ScopeLock]:
    """Hold the lease of a scope during the block; raise CatalogueError if another run holds it."""
    lock = ScopeLock(db, scope, await _take(db, scope))
    try:
        yield lock
    finally:
        await lock.release()


async def _take(db: Database, scope: str) -> Lease:
    lease = await db.leases.take(f"scope:{scope}")
    if lease is None:
        raise CatalogueError(
            f"The scope {scope} is being indexed already: wait for that run to end, or cancel it."
        )
    return lease
