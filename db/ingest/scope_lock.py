"""Lock of a scope: one indexing run at a time in all processes; a killed process releases it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.connection import Database
from genrec.errors import CatalogueError


@asynccontextmanager
async def scope_lock(db: Database, scope: str) -> AsyncIterator[None]:
    """Hold the lease of a scope during the block; raise CatalogueError if another run holds it."""
    lease = await db.leases.take(f"scope:{scope}")
    if lease is None:
        raise CatalogueError(
            f"The scope {scope} is being indexed already: wait for that run to end, or cancel it."
        )
    try:
        yield
    finally:
        await lease.release()
