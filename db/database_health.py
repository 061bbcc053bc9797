"""Health of a database file: damage, broken references, damaged tracks and size."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from db.connection import Database

_MOST_ERRORS = 3
_PINGS = 5


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


async def server_facts(db: Database) -> str:
    """Return versions, schema, encryption and latency of a PostgreSQL server; "" of SQLite."""
    if db.engine == "sqlite":
        return ""
    facts = await db.all(
        "SELECT current_setting('server_version'),"
        " (SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
        " (SELECT max(version) FROM schema_migration),"
        " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
    )
    server, vector, schema, encrypted = facts[0]
    took = []
    for _ in range(_PINGS):
        begun = time.perf_counter()
        await db.number("SELECT 1")
        took.append(time.perf_counter() - begun)
    return ", ".join((
        f"PostgreSQL {server.split()[0]}",
        f"pgvector {vector}" if vector else "no pgvector: the matrix in memory serves",
        f"schema {schema}",
        "TLS" if encrypted else "no TLS",
        f"{min(took) * 1000:.1f} ms for a query",
    ))  # fmt: skip


def _sizes(path: Path | None) -> tuple[int, int]:
    """Return the bytes of a database and of its write-ahead log; 0 where there is no file."""
    if path is None:
        return 0, 0
    files = (path, path.with_name(f"{path.name}-wal"))
    size, log_bytes = (file.stat().st_size if file.exists() else 0 for file in files)
    return size, log_bytes
