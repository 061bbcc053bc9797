"""Open the database that a location names: a SQLite file, one in memory, or PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from db.address import PostgresAddress, database_place
from db.session import Database, SqlSession
from db.sqlite import MEMORY, backup_path, open_sqlite
from genrec.errors import CatalogueError

__all__ = ["MEMORY", "Database", "SqlSession", "backup_path", "open_db"]


@asynccontextmanager
async def open_db(
    location: Path | str | PostgresAddress, *, check: bool = True, busy_timeout_s: float = 5.0
) -> AsyncIterator[Database]:
    """Open and migrate the database at a path, at ``":memory:"`` or at a PostgreSQL address.

    Any problem with it raises ``CatalogueError``. ``check`` reads a whole SQLite file to find
    damage: before the block, or for a large file in the background, where damage ends the block.
    ``busy_timeout_s`` is how long a SQLite file may be locked by another program.
    """
    if isinstance(location, str):
        location = database_place(location)
    if isinstance(location, PostgresAddress):
        # Imported here: without PostgreSQL nothing of it is loaded, and asyncpg may be missing.
        try:
            from db.postgres import open_postgres  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise CatalogueError(
                f"The catalogue {location} needs the library {error.name}: install it (pip install"
                ' "genrec[postgres]"), or set GENREC_DATABASE to a file.'
            ) from error

        async with open_postgres(location) as server:
            yield server
        return
    async with open_sqlite(location, check=check, busy_timeout_s=busy_timeout_s) as database:
        yield database
