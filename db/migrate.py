"""Numbered changes of the database's layout, each made and recorded in one transaction."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from genrec.errors import CatalogueError

MIGRATIONS = Path(__file__).with_name("migrations")
# Tells a catalogue of genrec from any other SQLite file ("gnrc").
APPLICATION_ID = 0x676E7263
_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the layout."""

    version: int
    name: str
    sql: str


def load_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the steps in order, and insist that no number is missing or taken twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise CatalogueError(f"Rename the migration {path.name}: it must be NNNN_name.sql.")
        found.append(Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8")))
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        names = ", ".join(step.name for step in found) or "none"
        raise CatalogueError(f"The migrations must be numbered 1, 2, 3 and so on, not: {names}.")
    return tuple(found)


async def migrate(
    connection: aiosqlite.Connection, migrations: tuple[Migration, ...] | None = None
) -> int:
    """Bring a database to the newest layout, and return its version."""
    steps = load_migrations() if migrations is None else migrations
    await _refuse_foreign(connection)
    while True:
        version = await _pragma(connection, "user_version")
        if version > len(steps):
            raise CatalogueError(
                f"The catalogue has layout {version}, and this genrec knows layouts up to"
                f" {len(steps)}: update genrec, or use another database."
            )
        if version == len(steps):
            return version
        await _apply(connection, steps[version])


async def _apply(connection: aiosqlite.Connection, step: Migration) -> None:
    try:
        await connection.execute_fetchall("BEGIN IMMEDIATE")
        # Asked again under the lock: another process may have made the step meanwhile.
        if await _pragma(connection, "user_version") == step.version - 1:
            for statement in _statements(step.sql):
                await connection.execute_fetchall(statement)
            await connection.execute_fetchall(f"PRAGMA user_version = {step.version}")
            await connection.execute_fetchall(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise


async def _refuse_foreign(connection: aiosqlite.Connection) -> None:
    # The tables first: one that another genrec makes meanwhile comes with its application_id.
    tables = await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    if next(iter(tables))[0] and await _pragma(connection, "application_id") != APPLICATION_ID:
        raise CatalogueError(
            "The file is a database of another program: name another file for the catalogue."
        )


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = await connection.execute_fetchall(f"PRAGMA {name}")
    return int(next(iter(rows))[0])


def _statements(sql: str) -> Iterator[str]:
    """Split a script where SQLite would; ``executescript`` commits before it starts."""
    statement = ""
    for piece in re.split(r"(?<=;)", sql):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
