"""Migrations of the schema on PostgreSQL, each applied and recorded in one transaction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from db.migrate import MIGRATIONS, Migration, load_migrations
from db.postgres_leases import lock_number
from genrec.errors import CatalogueError

POSTGRES_MIGRATIONS = MIGRATIONS.with_name("postgres")
# PostgreSQL begins with the whole schema as it stands after this one of SQLite.
FIRST_VERSION = 16
OLDEST_SERVER = 15
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)
_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_migration (version bigint PRIMARY KEY,"
    " name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
)
# One statement, because another process may create all tables meanwhile.
_TABLES = (
    "SELECT count(*) FILTER (WHERE tablename = 'schema_migration'), count(*) FROM pg_tables"
    " WHERE schemaname = current_schema()"
)


def load_postgres_migrations(folder: Path = POSTGRES_MIGRATIONS) -> tuple[Migration, ...]:
    """Read the migrations in order; a missing or duplicate number is an error."""
    return load_migrations(folder, first=FIRST_VERSION)


async def migrate_postgres(
    connection: Any, schema: str, migrations: tuple[Migration, ...] | None = None
) -> int:
    """Apply the missing migrations and return the version of the schema."""
    known = load_postgres_migrations() if migrations is None else migrations
    server = connection.get_server_version()
    if server.major < OLDEST_SERVER:
        raise CatalogueError(
            f"The PostgreSQL server has version {server.major}, and genrec needs {OLDEST_SERVER} or"
            " newer: update the server."
        )
    if not await _newer(connection, known):
        return known[-1].version
    async with connection.transaction():
        # Read again under the lock: another process may have applied them meanwhile.
        await connection.execute(
            f"SELECT pg_advisory_xact_lock({lock_number(schema, 'lock:migrate')})"
        )
        missing = await _newer(connection, known)
        await connection.execute(_TABLE)
        for migration in missing:
            if _COMMENT.sub("", migration.sql).strip():  # asyncpg fails on an empty script
                await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migration (version, name) VALUES ($1, $2)",
                migration.version, migration.name,
            )  # fmt: skip
    return known[-1].version


async def _newer(connection: Any, known: tuple[Migration, ...]) -> tuple[Migration, ...]:
    """Return the migrations that the schema lacks."""
    ours, tables = await connection.fetchrow(_TABLES)
    if not ours:
        if tables:
            raise CatalogueError(
                "The PostgreSQL database has tables of another program: create a database for"
                " genrec alone, or name a schema of its own (?search_path=genrec,public)."
            )
        return known
    version = await connection.fetchval("SELECT max(version) FROM schema_migration") or 0
    if version > known[-1].version:
        raise CatalogueError(
            f"The catalogue has schema version {version}, and this genrec supports at most"
            f" {known[-1].version}: update genrec, or use another database."
        )
    return tuple(migration for migration in known if migration.version > version)
