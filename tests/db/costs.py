"""Counts of what a database does for an operation, and a catalogue of any size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from db.connection import Database
from db.generations import NewTrack
from db.tracks import Catalogue
from tests.db.fakes import DIMENSION, LABELS, MODEL, fingerprint

_BATCH = 2_000
RARE = "zanzibar"


_READS = ("blocks_fetched", "tuples_returned", "tuples_fetched")
_CHANGES = ("tuples_inserted", "tuples_updated", "tuples_deleted")


async def count_steps(db: Database, operation: Callable[[], Awaitable[object]]) -> int:
    """Return what an operation costs the engine.

    On SQLite these are the instructions of its virtual machine, on PostgreSQL pages and rows.
    """
    if db.engine == "postgres":
        return await _count_work(db, operation, (*_READS, *_CHANGES))
    return await _count_instructions(db, operation)


async def _count_work(
    db: Any, operation: Callable[[], Awaitable[object]], kinds: Sequence[str]
) -> int:
    """Return pages that are looked at, and rows that are read and changed, of these kinds."""
    work = 0
    counters = " + ".join(f"pg_stat_get_xact_{kind}(c.oid)" for kind in kinds)
    count = (
        f"SELECT coalesce(CAST(sum({counters}) AS bigint), 0) FROM pg_class AS c"
        " WHERE c.relnamespace = CAST(CAST(current_schema() AS text) AS regnamespace)"
    )
    begun = type(db)._begun

    @asynccontextmanager
    async def counted(self: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal work
        async with begun(self, **options) as session:
            before = await session.number(count)
            yield session
            work += await session.number(count) - before

    async def read(self: Any, sql: str, parameters: Sequence[Any]) -> Any:
        async with self._begun() as session:
            return await session.all(sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(db), "_begun", counted)
        patch.setattr(type(db), "_read", read)
        await operation()
    return work


async def _count_instructions(db: Any, operation: Callable[[], Awaitable[object]]) -> int:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connections = {db._reader, db._writer}
    for connection in connections:
        await connection.set_progress_handler(step, 1)
    try:
        await operation()
    finally:
        for connection in connections:
            await connection.set_progress_handler(None, 0)  # type: ignore[arg-type]
    return steps


async def count_changes(db: Any, operation: Callable[[], Awaitable[object]]) -> int:
    """Return the number of rows that an operation inserts, updates and deletes."""
    if db.engine == "postgres":
        return await _count_work(db, operation, _CHANGES)
    before = db._writer.total_changes
    await operation()
    return int(db._writer.total_changes - before)


def invented(number: int, count: int, vector: np.ndarray) -> NewTrack:
    """Return a track; three of each catalogue have a rare word, and all have a common one."""
    rare = f" {RARE}" if number in (1, count // 2, count - 1) else ""
    return NewTrack(
        title=f"Song {number:07d}{rare}",
        artist=f"Artist {number % (count // 10):06d}",
        genre=LABELS[number % len(LABELS)],
        embedding=vector,
        fingerprint=fingerprint(number % 50),
        source=f"/music/{number:07d}.mp3",
    )


async def fill_catalogue(db: Any, count: int) -> None:
    """Add tracks to the library, and five to a guild."""
    vectors = np.random.default_rng(0).standard_normal((count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(db)
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        tracks = [invented(number, count, vectors[number]) for number in numbers]
        await catalogue.add("library", MODEL, tracks)
    own = [invented(number, count, vectors[number]) for number in range(5)]
    await catalogue.add("guild:1", MODEL, own)
    if db.engine == "postgres":
        await db._pool.execute("VACUUM ANALYZE")  # as its autovacuum does sooner or later
