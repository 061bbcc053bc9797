"""CPU time to store batches of tracks on PostgreSQL: one statement over arrays, or COPY."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count, islice

import pytest

from db import generations, served, word_index
from db.connection import Database, open_db
from db.served import open_served
from db.session import SqlSession
from db.set_rows import Columns, run_for_rows
from db.tracks import Catalogue
from tests.benchmarks.served_world import cpu_seconds
from tests.db.fakes import MODEL, new_track
from tests.db.postgres_server import PostgresServer

BATCHES = {16: 60, 500: 6}  # tracks of a task of a cluster, and of a large transaction; rounds
_TURNS = 3


async def copy_for_rows(
    tx: SqlSession, statement: str, columns: Columns, rows: Sequence[Sequence[object]]
) -> None:
    """Run a statement like `run_for_rows`, whose rows come by COPY into a temporary table."""
    if not rows:
        return
    table = f"given_{abs(hash(tuple(columns)))}"
    described = ", ".join(f"{name} {kind}" for name, kind in columns)
    await tx.run(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({described}) ON COMMIT DELETE ROWS"
    )
    await tx.copy(table, [name for name, _ in columns], rows)
    await tx.run(statement.format(rows=f"{table} AS r"))


Way = Callable[[SqlSession, str, Columns, Sequence[Sequence[object]]], Awaitable[None]]
WAYS: dict[str, Way] = {"arrays": run_for_rows, "COPY": copy_for_rows}


async def _stored_ms(
    db: Database, numbers: count[int], size: int, rounds: int, server: PostgresServer
) -> float:
    """Return the mean CPU milliseconds of genrec and server to store a batch of new tracks."""
    batches = [
        [new_track(n, source=f"/new/{n}.mp3") for n in islice(numbers, size)]
        for _ in range(rounds + 1)
    ]
    await Catalogue(db).add("library", MODEL, batches.pop())
    before = cpu_seconds(server)
    for batch in batches:
        await Catalogue(db).add("library", MODEL, batch)
    return 1000 * (cpu_seconds(server) - before) / rounds


async def test_batches_by_arrays_and_by_copy(
    postgres_address: str, postgres_server: PostgresServer, timed: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    numbers = count()
    async with open_db(postgres_address) as db:
        assert await open_served(db, MODEL)
        for size, rounds in BATCHES.items():
            spent = dict.fromkeys(WAYS, 0.0)
            started = time.perf_counter()
            for _ in range(_TURNS if timed else 1):
                for name, way in WAYS.items():
                    for module in (generations, served, word_index):
                        monkeypatch.setattr(module, "run_for_rows", way)
                    spent[name] += await _stored_ms(
                        db, numbers, size, rounds if timed else 1, postgres_server
                    )
            if timed:
                figures = ", ".join(f"{ms / _TURNS:.1f} ms by {name}" for name, ms in spent.items())
                with capsys.disabled():
                    sys.stdout.write(
                        f"\n{size} tracks: {figures} (CPU of genrec and the server;"
                        f" {time.perf_counter() - started:.0f} s in all)\n"
                    )
        assert await Catalogue(db).count(MODEL, "library") == next(numbers)
