"""Lock of a scope: one indexing run at a time in all processes; a killed process releases it."""

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
    """Hold the lock of a scope during the block; raise CatalogueError if another run holds it."""
    if scope in db.locked_scopes:
        raise _taken(scope)
    db.locked_scopes.add(scope)
    try:
        async with AsyncExitStack() as stack:
            if not db.in_memory:
                await _lock_file(stack, f"{db.path}.{scope.replace(':', '-')}.lock", scope)
            yield
    finally:
        db.locked_scopes.discard(scope)


async def _lock_file(stack: AsyncExitStack, name: str, scope: str) -> None:
    # A SQLite lock on an empty database works on every system and ends with the process.
    make_private(Path(name))
    connection = await stack.enter_async_context(
        aiosqlite.connect(name, isolation_level=None, timeout=0)
    )
    try:
        await connection.execute_fetchall("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise _taken(scope) from error
        raise CatalogueError(
            f"The lock {name} cannot be taken ({error}): check that its folder is writable."
        ) from error


def _taken(scope: str) -> CatalogueError:
    return CatalogueError(
        f"The scope {scope} is being indexed already: wait for that run to end, or cancel it."
    )
