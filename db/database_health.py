"""Health of a database file: damage, broken references, damaged tracks and size."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from db.connection import Database

_MOST_ERRORS = 3


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """Result of a full check of a database; ``faults`` are SQLite's own words."""

    faults: tuple[str, ...]
    bytes: int
    log_bytes: int


async def database_health(db: Database) -> DatabaseHealth:
    """Read the whole database and return its faults and sizes.

    PostgreSQL checks itself (amcheck, data checksums), so of it only the size is read.
    """
    if db.engine == "postgres":
        size = await db.number("SELECT pg_database_size(current_database())")
        return DatabaseHealth((), size, 0)
    checked = await db.all(f"PRAGMA quick_check({_MOST_ERRORS})")
    faults = [str(row[0]) for row in checked if row[0] != "ok"]
    broken = await db.all("PRAGMA foreign_key_check")
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        faults.append(f"{len(broken)} rows of {tables} refer to rows that are gone")
    size, log_bytes = await asyncio.to_thread(_sizes, db.file)
    return DatabaseHealth(tuple(faults), size, log_bytes)


def _sizes(path: Path | None) -> tuple[int, int]:
    """Return the bytes of a database and of its write-ahead log; 0 where there is no file."""
    if path is None:
        return 0, 0
    files = (path, path.with_name(f"{path.name}-wal"))
    size, log_bytes = (file.stat().st_size if file.exists() else 0 for file in files)
    return size, log_bytes
