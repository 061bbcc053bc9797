"""What is served is up to date, from wherever it was read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from db import generations
from db.catalogue_rows import REMOVED, CatalogueRows
from db.connection import MEMORY, Database, open_db
from db.index import live
from db.index.live import LiveIndex
from db.index.snapshot import read_snapshot, snapshot_path, write_snapshot
from tests.db.fakes import DIMENSION, MODEL, content, new_track


@pytest.fixture(autouse=True)
def every_library_is_worth_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_WORTH_A_FILE", 1)
    monkeypatch.setattr(live, "_REWRITE_AFTER", 3)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "catalogue.db") as database:
        yield database


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note how SQLite is asked: None for everything, ids for some."""
    asked: list[object] = []
    load = live.Catalogue.load

    async def noted(self: object, model_id: str, ids: object = None) -> CatalogueRows:
        asked.append(ids)
        return await load(self, model_id, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(live.Catalogue, "load", noted)
    return asked


async def serve(db: Database, *seeds: int, scope: str = "library") -> list[int]:
    return await LiveIndex(db, MODEL).catalogue.add(scope, MODEL, [new_track(n) for n in seeds])


async def assert_true(rows: CatalogueRows, db: Database) -> None:
    """Hold rows against a load of everything."""
    assert content(rows) == content(await LiveIndex(db, MODEL).rows())
    assert rows.revision == await LiveIndex(db, MODEL).catalogue.revision()


async def test_changes_are_applied_and_not_read_anew(db: Database, loads: list[object]) -> None:
    ids = await serve(db, *range(10))
    now = LiveIndex(db, MODEL)
    await now.rows()
    more = await serve(db, 10, 11)
    await now.catalogue.remove("library", ids[:2])
    rows = await now.rows()
    assert await now.rows() is rows
    assert loads == [None, tuple(more)]
    await assert_true(rows, db)


async def test_a_switch_is_read_anew(db: Database, loads: list[object]) -> None:
    await serve(db, *range(10))
    now = LiveIndex(db, MODEL)
    await now.rows()
    await now.catalogue.remove_scope("library")
    await serve(db, 3)
    assert len(content(await now.rows())) == 1
    assert loads == [None, None]


async def test_many_ask_at_once_and_it_is_read_once(db: Database, loads: list[object]) -> None:
    await serve(db, *range(10))
    now = LiveIndex(db, MODEL)
    answers = await asyncio.gather(*(now.rows() for _ in range(20)))
    assert all(rows is answers[0] for rows in answers)
    assert loads == [None]


async def test_a_start_from_the_snapshot_reads_only_what_changed_since(
    db: Database, loads: list[object]
) -> None:
    ids = await serve(db, *range(10))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.keep()
    assert not await before.keep(), "nothing has changed"
    more = await serve(db, 20, scope="guild:5")
    await before.catalogue.remove("library", ids[:1])
    loads.clear()
    after = LiveIndex(db, MODEL)
    rows = await after.rows()
    assert loads == [tuple(more)]
    assert not await after.keep(), "too little has changed"
    await serve(db, 21, 22)
    await after.rows()
    assert await after.keep()
    loads.clear()
    rows = await LiveIndex(db, MODEL).rows()
    assert loads == []
    assert REMOVED not in rows.ids
    snapshot_path(db.path).unlink()
    await assert_true(rows, db)


async def test_what_was_kept_is_held_and_takes_more_without_a_copy(
    db: Database, loads: list[object]
) -> None:
    await serve(db, *range(10))
    now = LiveIndex(db, MODEL)
    at_first = await now.rows()
    assert await now.keep()
    mapped = await now.rows()
    assert not np.shares_memory(mapped.matrix, at_first.matrix)
    more = await serve(db, 10)
    assert np.shares_memory((await now.rows()).matrix, mapped.matrix)
    assert loads == [None, tuple(more)]
    await assert_true(await now.rows(), db)


async def test_what_changes_while_a_snapshot_is_written_is_not_lost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await serve(db, *range(10))
    now = LiveIndex(db, MODEL)
    await now.rows()
    loop = asyncio.get_running_loop()

    async def change() -> None:
        await serve(db, 10)
        await now.catalogue.remove("library", ids[:2])
        await now.rows()

    def slowly(path: Path, rows: CatalogueRows, token: str) -> None:
        asyncio.run_coroutine_threadsafe(change(), loop).result(timeout=30)
        write_snapshot(path, rows, token)

    monkeypatch.setattr(live, "write_snapshot", slowly)
    assert await now.keep()
    await assert_true(await now.rows(), db)
    await assert_true(await LiveIndex(db, MODEL).rows(), db)


async def test_a_snapshot_that_is_too_old_is_not_used(
    db: Database, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "_MAX_CHANGES", 3)
    await serve(db, *range(5))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.keep()
    for seed in range(5, 10):
        await serve(db, seed)
    loads.clear()
    rows = await LiveIndex(db, MODEL).rows()
    assert loads == [None]
    await assert_true(rows, db)


async def test_a_database_put_back_does_not_believe_a_later_snapshot(
    db: Database, tmp_path: Path
) -> None:
    await serve(db, *range(5))
    backup = await db.backup()
    now = LiveIndex(db, MODEL)
    await serve(db, 5)
    await now.rows()
    assert await now.keep()
    restored = tmp_path / "restored.db"
    backup.rename(restored)
    snapshot_path(db.path).rename(snapshot_path(str(restored)))
    async with open_db(restored) as again:
        await serve(again, 99)  # the same revision as the snapshot's, and another track
        rows = await LiveIndex(again, MODEL).rows()
        assert len(content(rows)) == 6
        assert max(content(rows)) == max(await serve(again, 99))
        await assert_true(await LiveIndex(again, MODEL).rows(), again)


async def test_in_memory_and_for_few_tracks_there_is_no_snapshot(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with open_db(MEMORY) as memory:
        await serve(memory, 1)
        now = LiveIndex(memory, MODEL)
        await now.rows()
        assert not await now.keep()
    await serve(db, 1)
    now = LiveIndex(db, MODEL)
    await now.rows()
    assert await now.keep()
    monkeypatch.setattr(live, "_WORTH_A_FILE", 10)
    await serve(db, 2, 3, 4, 5)
    await now.rows()
    assert not await now.keep()
    assert not snapshot_path(db.path).exists(), "one of a larger library is no use"


async def test_a_folder_that_takes_no_file_is_a_warning(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "write_snapshot", full)
    await serve(db, 1)
    now = LiveIndex(db, MODEL)
    await now.rows()
    assert not await now.keep()
    assert "starts are slower" in caplog.text


async def test_one_is_written_while_the_block_runs_or_at_its_end(db: Database) -> None:
    await serve(db, 1, 2)
    now = LiveIndex(db, MODEL)
    async with now.kept():
        await now.rows()
    assert read_snapshot(snapshot_path(db.path), model_id=MODEL, token=await token(db)) is not None


async def token(db: Database) -> str:
    row = await db.one("SELECT value FROM kept_value WHERE name = 'snapshot'")
    assert row is not None
    return str(row[0])


async def test_a_damaged_snapshot_is_made_again(db: Database, loads: list[object]) -> None:
    await serve(db, *range(5))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.keep()
    path = snapshot_path(db.path)
    path.write_bytes(b"nonsense")
    loads.clear()
    after = LiveIndex(db, MODEL)
    await after.rows()
    assert loads == [None]
    assert await after.keep()
    assert read_snapshot(path, model_id=MODEL, token=await token(db)) is not None
    assert sqlite3.connect(db.path).execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert (await after.rows()).matrix.shape[1] == DIMENSION
