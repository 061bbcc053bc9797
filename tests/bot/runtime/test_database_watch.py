"""Whether PostgreSQL can be used: what one query each few seconds finds, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bot.runtime import database_watch
from bot.runtime.database_watch import DatabaseWatch
from db.connection import open_db
from genrec.errors import CatalogueError
from tests.db.postgres_server import running_server


class FakeDatabase:
    """A database on PostgreSQL that counts its queries; ``answer`` makes the rows of one."""

    engine, name = "postgres", "postgresql://db/genrec"

    def __init__(self) -> None:
        self.answer: Callable[[], Any] = lambda: [("off",)]
        self.running = self.most_at_once = self.queries = 0

    async def all(self, _sql: str) -> Any:
        self.queries += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            rows = self.answer()
            return await rows if asyncio.iscoroutine(rows) else rows
        finally:
            self.running -= 1


@pytest.fixture(autouse=True)
def _probe_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("PROBE_EVERY_S", 0.1), ("SILENT_S", 0.2), ("GIVE_UP_S", 0.6)):
        monkeypatch.setattr(database_watch, name, seconds)


async def until(watch: DatabaseWatch, missing: str, timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while watch.missing != missing:  # noqa: ASYNC110 - a probe has no event
            await asyncio.sleep(0.02)


def refuse() -> Any:
    raise CatalogueError("The catalogue postgresql://db/genrec cannot be reached.")


async def test_faults_are_told_once_in_the_log_and_pass(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    db = FakeDatabase()
    watch = DatabaseWatch(db)  # type: ignore[arg-type]
    async with watch.watching():
        assert watch.missing == ""
        db.answer = refuse
        await until(watch, "database out of reach")
        await asyncio.sleep(0.5)
        db.answer = lambda: [("on",)]
        await until(watch, "database read-only")
        db.answer = lambda: [("off",)]
        await until(watch, "")
    assert [record.getMessage() for record in caplog.records] == [
        "database out of reach: The catalogue postgresql://db/genrec cannot be reached.",
        "database read-only: postgresql://db/genrec takes no changes",
        "database in reach again: postgresql://db/genrec",
    ]


async def test_silent_server_gets_one_query_at_a_time_and_a_new_one_later() -> None:
    db = FakeDatabase()
    db.answer = lambda: asyncio.sleep(3600)
    watch = DatabaseWatch(db)  # type: ignore[arg-type]
    async with watch.watching():
        await until(watch, "database does not respond")
        assert db.queries == 1
        db.answer = lambda: [("off",)]
        await until(watch, "")
        assert (db.most_at_once, db.queries) == (1, 2)


async def test_error_of_another_kind_ends_no_watch() -> None:
    db = FakeDatabase()

    def broken() -> Any:
        raise RuntimeError

    db.answer = broken
    watch = DatabaseWatch(db)  # type: ignore[arg-type]
    async with watch.watching():
        await until(watch, "database out of reach")
        db.answer = lambda: [("off",)]
        await until(watch, "")
    assert db.queries >= 2


async def test_sqlite_file_is_not_queried() -> None:
    watch = DatabaseWatch(SimpleNamespace(engine="sqlite"))  # type: ignore[arg-type]
    async with watch.watching():
        await asyncio.sleep(0.3)
    assert watch.missing == ""


async def test_killed_server_is_missed_and_found_again() -> None:
    with running_server() as server:
        async with open_db(server.new_schema()) as db:
            watch = DatabaseWatch(db)
            async with watch.watching():
                await asyncio.sleep(0.5)
                assert watch.missing == ""
                await asyncio.to_thread(server.kill)
                await until(watch, "database out of reach")
                await asyncio.to_thread(server.start)
                await until(watch, "")
                server.execute(
                    "ALTER DATABASE postgres SET default_transaction_read_only = on",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'genrec'",
                )
                await until(watch, "database read-only")
