"""Tests of the live index: its rows are current, whether loaded from SQLite or a snapshot."""

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
def small_libraries_have_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_MIN_SNAPSHOT_TRACKS", 1)
    monkeypatch.setattr(live, "_REWRITE_AFTER_CHANGES", 3)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "catalogue.db") as database:
        yield database


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """List the loads from SQLite: None for a full load, ids for a partial one."""
    calls: list[object] = []
    load = live.Catalogue.load

    async def recorded(self: object, model_id: str, ids: object = None) -> CatalogueRows:
        calls.append(ids)
        return await load(self, model_id, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(live.Catalogue, "load", recorded)
    return calls


async def add(db: Database, *seeds: int, scope: str = "library") -> list[int]:
    return await LiveIndex(db, MODEL).catalogue.add(scope, MODEL, [new_track(n) for n in seeds])


async def assert_current(rows: CatalogueRows, db: Database) -> None:
    """Compare rows with a fresh index."""
    assert content(rows) == content(await LiveIndex(db, MODEL).rows())
    assert rows.revision == await LiveIndex(db, MODEL).catalogue.revision()


async def test_changes_are_applied_without_a_full_load(db: Database, loads: list[object]) -> None:
    ids = await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    await index.rows()
    more = await add(db, 10, 11)
    await index.catalogue.remove("library", ids[:2])
    rows = await index.rows()
    assert await index.rows() is rows
    assert loads == [None, tuple(more)]
    await assert_current(rows, db)


async def test_removed_scope_is_applied_without_a_full_load(
    db: Database, loads: list[object]
) -> None:
    await add(db, *range(10))
    await add(db, 20, 21, scope="guild:1")
    index = LiveIndex(db, MODEL)
    await index.rows()
    await index.catalogue.remove_scope("guild:1")
    rows = await index.rows()
    assert len(content(rows)) == 10
    assert [ids for ids in loads if ids != ()] == [None]
    await assert_current(rows, db)


async def test_large_removed_scope_causes_a_full_load(
    db: Database, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "MAX_RECORDED", 9)
    await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    await index.rows()
    await index.catalogue.remove_scope("library")
    assert content(await index.rows()) == {}
    assert loads == [None, None]


async def test_activated_generation_causes_a_full_load(db: Database, loads: list[object]) -> None:
    await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    await index.rows()
    async with db.transaction(lock=generations.CATALOGUE) as tx:
        new = await generations.ensure(tx, "library", MODEL, DIMENSION, "building")
        await generations.put(tx, new, [new_track(3)])
        await generations.activate(tx, new)
    assert len(content(await index.rows())) == 1
    assert loads == [None, None]


async def test_concurrent_calls_load_once(db: Database, loads: list[object]) -> None:
    await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    results = await asyncio.gather(*(index.rows() for _ in range(20)))
    assert all(rows is results[0] for rows in results)
    assert loads == [None]


async def test_start_from_a_snapshot_loads_only_later_changes(
    db: Database, loads: list[object]
) -> None:
    ids = await add(db, *range(10))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.save_snapshot()
    assert not await before.save_snapshot(), "nothing has changed"
    more = await add(db, 20, scope="guild:5")
    await before.catalogue.remove("library", ids[:1])
    loads.clear()
    after = LiveIndex(db, MODEL)
    rows = await after.rows()
    assert loads == [tuple(more)]
    assert not await after.save_snapshot(), "too little has changed"
    await add(db, 21, 22)
    await after.rows()
    assert await after.save_snapshot()
    loads.clear()
    rows = await LiveIndex(db, MODEL).rows()
    assert loads == []
    assert REMOVED not in rows.ids
    snapshot_path(db.path).unlink()
    await assert_current(rows, db)


async def test_saved_snapshot_is_mapped_and_grows_without_a_copy(
    db: Database, loads: list[object]
) -> None:
    await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    at_first = await index.rows()
    assert await index.save_snapshot()
    mapped = await index.rows()
    assert not np.shares_memory(mapped.matrix, at_first.matrix)
    more = await add(db, 10)
    assert np.shares_memory((await index.rows()).matrix, mapped.matrix)
    assert loads == [None, tuple(more)]
    await assert_current(await index.rows(), db)


async def test_change_during_a_snapshot_write_is_not_lost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await add(db, *range(10))
    index = LiveIndex(db, MODEL)
    await index.rows()
    loop = asyncio.get_running_loop()

    async def change() -> None:
        await add(db, 10)
        await index.catalogue.remove("library", ids[:2])
        await index.rows()

    def slowly(path: Path, rows: CatalogueRows, token: str) -> None:
        asyncio.run_coroutine_threadsafe(change(), loop).result(timeout=30)
        write_snapshot(path, rows, token)

    monkeypatch.setattr(live, "write_snapshot", slowly)
    assert await index.save_snapshot()
    await assert_current(await index.rows(), db)
    await assert_current(await LiveIndex(db, MODEL).rows(), db)


async def test_too_old_snapshot_is_ignored(
    db: Database, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "_MAX_CHANGES", 3)
    await add(db, *range(5))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.save_snapshot()
    for seed in range(5, 10):
        await add(db, seed)
    loads.clear()
    rows = await LiveIndex(db, MODEL).rows()
    assert loads == [None]
    await assert_current(rows, db)


async def test_restored_database_ignores_a_later_snapshot(db: Database, tmp_path: Path) -> None:
    await add(db, *range(5))
    backup = await db.backup()
    index = LiveIndex(db, MODEL)
    await add(db, 5)
    await index.rows()
    assert await index.save_snapshot()
    restored = tmp_path / "restored.db"
    backup.rename(restored)
    snapshot_path(db.path).rename(snapshot_path(str(restored)))
    async with open_db(restored) as again:
        await add(again, 99)  # same revision as the snapshot, another track
        rows = await LiveIndex(again, MODEL).rows()
        assert len(content(rows)) == 6
        assert max(content(rows)) == max(await add(again, 99))
        await assert_current(await LiveIndex(again, MODEL).rows(), again)


async def test_database_in_memory_or_with_few_tracks_has_no_snapshot(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with open_db(MEMORY) as memory:
        await add(memory, 1)
        index = LiveIndex(memory, MODEL)
        await index.rows()
        assert not await index.save_snapshot()
    await add(db, 1)
    index = LiveIndex(db, MODEL)
    await index.rows()
    assert await index.save_snapshot()
    monkeypatch.setattr(live, "_MIN_SNAPSHOT_TRACKS", 10)
    await add(db, 2, 3, 4, 5)
    await index.rows()
    assert not await index.save_snapshot()
    assert not snapshot_path(db.path).exists(), "the snapshot of a larger library is deleted"


async def test_failed_snapshot_write_is_only_logged(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "write_snapshot", full)
    await add(db, 1)
    index = LiveIndex(db, MODEL)
    await index.rows()
    assert not await index.save_snapshot()
    assert "snapshot not written" in caplog.text


async def test_snapshot_is_saved_by_the_end_of_the_block(db: Database) -> None:
    await add(db, 1, 2)
    index = LiveIndex(db, MODEL)
    async with index.saving_snapshots():
        await index.rows()
    assert read_snapshot(snapshot_path(db.path), model_id=MODEL, token=await token(db)) is not None


async def token(db: Database) -> str:
    row = await db.one("SELECT value FROM kept_value WHERE name = 'snapshot'")
    assert row is not None
    return str(row[0])


async def test_damaged_snapshot_is_rewritten(db: Database, loads: list[object]) -> None:
    await add(db, *range(5))
    before = LiveIndex(db, MODEL)
    await before.rows()
    assert await before.save_snapshot()
    path = snapshot_path(db.path)
    path.write_bytes(b"nonsense")
    loads.clear()
    after = LiveIndex(db, MODEL)
    await after.rows()
    assert loads == [None]
    assert await after.save_snapshot()
    assert read_snapshot(path, model_id=MODEL, token=await token(db)) is not None
    assert sqlite3.connect(db.path).execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert (await after.rows()).matrix.shape[1] == DIMENSION
