"""One indexing run a scope at a time, over all processes; a killed one holds nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiosqlite

from db.connection import Database, make_private
from genrec.errors import CatalogueError


@asynccontextmanager
async def scope_lock(db: Database, scope: str) -> AsyncIterator[None]:
    """Hold a scope for the block, or refuse at once where somebody else does."""
    if scope in db.locked_scopes:
        raise _held(scope)
    db.locked_scopes.add(scope)
    try:
        async with AsyncExitStack() as stack:
            if not db.in_memory:
                await _lock_file(stack, f"{db.path}.{scope.replace(':', '-')}.lock", scope)
            yield
    finally:
        db.locked_scopes.discard(scope)


async def _lock_file(stack: AsyncExitStack, name: str, scope: str) -> None:
    # SQLite's own lock on an empty database: it works on every system, and ends with the process.
    make_private(Path(name))
    connection = await stack.enter_async_context(
        aiosqlite.connect(name, isolation_level=None, timeout=0)
    )
    try:
        await connection.execute_fetchall("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise _held(scope) from error
        raise CatalogueError(
            f"The lock {name} cannot be taken ({error}): check that its folder is writable."
        ) from error


def _held(scope: str) -> CatalogueError:
    return CatalogueError(
        f"The tracks of {scope} are being indexed already: wait for that run to end, or cancel it."
    )
