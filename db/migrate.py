"""Migrations of the database schema, each applied and recorded in one transaction."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aiosqlite

from db.search_text import register_functions, register_functions_sync
from genrec.errors import CatalogueError

MIGRATIONS = Path(__file__).with_name("migrations") / "sqlite"
# "gnrc": distinguishes a genrec database from other SQLite files.
APPLICATION_ID = 0x676E7263
_COLUMNS = (
    "SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c"
    " WHERE t.type = 'table'"
)
_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL script."""

    version: int
    name: str
    sql: str


def load_migrations(folder: Path = MIGRATIONS, *, first: int = 1) -> tuple[Migration, ...]:
    """Read the migrations in order from ``first``; a missing or duplicate number is an error."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise CatalogueError(
                f"The migration {path.name} must be named NNNN_name.sql: rename it."
            )
        found.append(Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8")))
    if [migration.version for migration in found] != list(range(first, len(found) + first)):
        names = ", ".join(migration.name for migration in found) or "none"
        raise CatalogueError(
            f"The migrations must be numbered {first}, {first + 1}, {first + 2}, ... without gaps,"
            f" not: {names}."
        )
    return tuple(found)


async def migrate(
    connection: aiosqlite.Connection, migrations: tuple[Migration, ...] | None = None
) -> int:
    """Apply the missing migrations and return the version of the schema."""
    known = load_migrations() if migrations is None else migrations
    await register_functions(connection)
    await _refuse_foreign(connection)
    while True:
        version = await _pragma(connection, "user_version")
        if version < 0:
            raise CatalogueError(
                f"The catalogue has the impossible schema version {version}: it is damaged, so"
                " restore a backup, or use another database."
            )
        if version > len(known):
            raise CatalogueError(
                f"The catalogue has schema version {version}, and this genrec supports at most"
                f" {len(known)}: update genrec, or use another database."
            )
        if version == len(known):
            return version
        await _apply(connection, known[version])


async def check_schema(connection: aiosqlite.Connection) -> None:
    """Raise CatalogueError unless the database has all tables and columns of the migrations.

    A schema version that does not belong to the tables would otherwise fail in some later query.
    """
    found = {tuple(row) for row in await connection.execute_fetchall(_COLUMNS)}
    if missing := sorted(_expected_columns() - found):
        table, column = missing[0]
        raise CatalogueError(
            f"The catalogue lacks the column {column} of the table {table}: it is damaged, so"
            " restore a backup, or use another database."
        )


@lru_cache(maxsize=1)
def _expected_columns() -> frozenset[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        register_functions_sync(connection)
        for migration in load_migrations():
            connection.executescript(migration.sql)
        return frozenset(connection.execute(_COLUMNS))


async def _apply(connection: aiosqlite.Connection, migration: Migration) -> None:
    try:
        await connection.execute_fetchall("BEGIN IMMEDIATE")
        # Read again under the lock: another process may have applied the migration meanwhile.
        if await _pragma(connection, "user_version") == migration.version - 1:
            for statement in _statements(migration.sql):
                await connection.execute_fetchall(statement)
            await connection.execute_fetchall(f"PRAGMA user_version = {migration.version}")
            await connection.execute_fetchall(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise


async def _refuse_foreign(connection: aiosqlite.Connection) -> None:
    # Tables before application_id: another genrec that creates them meanwhile sets both at once.
    tables = await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    if next(iter(tables))[0] and await _pragma(connection, "application_id") != APPLICATION_ID:
        raise CatalogueError(
            "The file is a database of another program: choose another file for the catalogue."
        )


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = await connection.execute_fetchall(f"PRAGMA {name}")
    return int(next(iter(rows))[0])


def _statements(sql: str) -> Iterator[str]:
    """Split a script into statements; ``executescript`` would commit the transaction first."""
    statement = ""
    for piece in re.split(r"(?<=;)", sql):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
