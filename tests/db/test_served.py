"""What is served stays up to date, and a snapshot is believed only where it tells the truth."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from db import generations, served, snapshot
from db.connection import MEMORY, Database, open_db
from db.held import HeldRows
from db.rows import NOBODY, CatalogueRows
from db.served import Served
from db.snapshot import read_snapshot, snapshot_path, write_snapshot
from tests.db.fakes import DIMENSION, MODEL, new_track

OTHER_MODEL = "fake@000000000002"
TOKEN = "a token"


@pytest.fixture(autouse=True)
def every_library_is_worth_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_WORTH_A_FILE", 1)
    monkeypatch.setattr(served, "_REWRITE_AFTER", 3)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "catalogue.db") as database:
        yield database


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note how SQLite is asked: None for everything, ids for some."""
    asked: list[object] = []
    load = served.Catalogue.load

    async def noted(self: object, model_id: str, ids: object = None) -> CatalogueRows:
        asked.append(ids)
        return await load(self, model_id, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(served.Catalogue, "load", noted)
    return asked


def content(rows: CatalogueRows) -> dict[int, tuple[object, ...]]:
    return {
        int(track_id): (
            rows.matrix[row].tolist(), rows.artists[row], rows.genres[row], rows.scopes[row]
        )
        for row, track_id in enumerate(rows.ids)
        if track_id != NOBODY
    }  # fmt: skip


async def serve(db: Database, *seeds: int, scope: str = "library") -> list[int]:
    return await Served(db, MODEL).catalogue.add(scope, MODEL, [new_track(n) for n in seeds])


async def assert_true(rows: CatalogueRows, db: Database) -> None:
    """Hold rows against a load of everything."""
    assert content(rows) == content(await Served(db, MODEL).rows())
    assert rows.revision == await Served(db, MODEL).catalogue.revision()


async def test_changes_are_applied_and_not_read_anew(db: Database, loads: list[object]) -> None:
    ids = await serve(db, *range(10))
    now = Served(db, MODEL)
    await now.rows()
    more = await serve(db, 10, 11)
    await now.catalogue.remove("library", ids[:2])
    rows = await now.rows()
    assert await now.rows() is rows
    assert loads == [None, tuple(more)]
    await assert_true(rows, db)


async def test_a_switch_is_read_anew(db: Database, loads: list[object]) -> None:
    await serve(db, *range(10))
    now = Served(db, MODEL)
    await now.rows()
    await now.catalogue.forget_scope("library")
    await serve(db, 3)
    assert len(content(await now.rows())) == 1
    assert loads == [None, None]


async def test_many_ask_at_once_and_it_is_read_once(db: Database, loads: list[object]) -> None:
    await serve(db, *range(10))
    now = Served(db, MODEL)
    answers = await asyncio.gather(*(now.rows() for _ in range(20)))
    assert all(rows is answers[0] for rows in answers)
    assert loads == [None]


async def test_a_start_from_the_snapshot_reads_only_what_changed_since(
    db: Database, loads: list[object]
) -> None:
    ids = await serve(db, *range(10))
    before = Served(db, MODEL)
    await before.rows()
    assert await before.keep()
    assert not await before.keep(), "nothing has changed"
    more = await serve(db, 20, scope="guild:5")
    await before.catalogue.remove("library", ids[:1])
    loads.clear()
    after = Served(db, MODEL)
    rows = await after.rows()
    assert loads == [tuple(more)]
    assert not await after.keep(), "too little has changed"
    await serve(db, 21, 22)
    await after.rows()
    assert await after.keep()
    loads.clear()
    rows = await Served(db, MODEL).rows()
    assert loads == []
    assert NOBODY not in rows.ids
    snapshot_path(db.path).unlink()
    await assert_true(rows, db)


async def test_what_was_kept_is_held_and_takes_more_without_a_copy(
    db: Database, loads: list[object]
) -> None:
    await serve(db, *range(10))
    now = Served(db, MODEL)
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
    now = Served(db, MODEL)
    await now.rows()
    loop = asyncio.get_running_loop()

    async def change() -> None:
        await serve(db, 10)
        await now.catalogue.remove("library", ids[:2])
        await now.rows()

    def slowly(path: Path, rows: CatalogueRows, token: str) -> None:
        asyncio.run_coroutine_threadsafe(change(), loop).result(timeout=30)
        write_snapshot(path, rows, token)

    monkeypatch.setattr(served, "write_snapshot", slowly)
    assert await now.keep()
    await assert_true(await now.rows(), db)
    await assert_true(await Served(db, MODEL).rows(), db)


async def test_a_snapshot_that_is_too_old_is_not_used(
    db: Database, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "_CHANGES_KEPT", 3)
    await serve(db, *range(5))
    before = Served(db, MODEL)
    await before.rows()
    assert await before.keep()
    for seed in range(5, 10):
        await serve(db, seed)
    loads.clear()
    rows = await Served(db, MODEL).rows()
    assert loads == [None]
    await assert_true(rows, db)


async def test_a_database_put_back_does_not_believe_a_later_snapshot(
    db: Database, tmp_path: Path
) -> None:
    await serve(db, *range(5))
    backup = await db.backup()
    now = Served(db, MODEL)
    await serve(db, 5)
    await now.rows()
    assert await now.keep()
    restored = tmp_path / "restored.db"
    backup.rename(restored)
    snapshot_path(db.path).rename(snapshot_path(str(restored)))
    async with open_db(restored) as again:
        await serve(again, 99)  # the same revision as the snapshot's, and another track
        rows = await Served(again, MODEL).rows()
        assert len(content(rows)) == 6
        assert max(content(rows)) == max(await serve(again, 99))
        await assert_true(await Served(again, MODEL).rows(), again)


async def test_in_memory_and_for_few_tracks_there_is_no_snapshot(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with open_db(MEMORY) as memory:
        await serve(memory, 1)
        now = Served(memory, MODEL)
        await now.rows()
        assert not await now.keep()
    await serve(db, 1)
    now = Served(db, MODEL)
    await now.rows()
    assert await now.keep()
    monkeypatch.setattr(served, "_WORTH_A_FILE", 10)
    await serve(db, 2, 3, 4, 5)
    await now.rows()
    assert not await now.keep()
    assert not snapshot_path(db.path).exists(), "one of a larger library is no use"


async def test_a_folder_that_takes_no_file_is_a_warning(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(served, "write_snapshot", full)
    await serve(db, 1)
    now = Served(db, MODEL)
    await now.rows()
    assert not await now.keep()
    assert "starts are slower" in caplog.text


async def test_one_is_written_while_the_block_runs_or_at_its_end(db: Database) -> None:
    await serve(db, 1, 2)
    now = Served(db, MODEL)
    async with now.kept():
        await now.rows()
    assert read_snapshot(snapshot_path(db.path), model_id=MODEL, token=await token(db)) is not None


async def token(db: Database) -> str:
    row = await db.one("SELECT value FROM kept_value WHERE name = 'snapshot'")
    assert row is not None
    return str(row[0])


@pytest.fixture
async def rows(db: Database) -> CatalogueRows:
    """Return thirty tracks, one of them dead."""
    ids = await serve(db, *range(30))
    held = HeldRows(await Served(db, MODEL).rows())
    return held.update(
        held.rows.revision, await Served(db, MODEL).catalogue.load(MODEL, []), ids[:1]
    )


def read(path: Path, model_id: str = MODEL, known_as: str = TOKEN) -> CatalogueRows | None:
    held = read_snapshot(path, model_id=model_id, token=known_as)
    return held and held.rows


def test_what_is_written_is_read_without_the_dead(tmp_path: Path, rows: CatalogueRows) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    again = read(path)
    assert again is not None
    assert content(again) == content(rows)
    assert (len(again.ids), again.revision, again.model_id) == (29, rows.revision, MODEL)
    assert again.matrix.dtype == np.float32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("a.db-tracks*")) == [path]
    assert read(path, model_id=OTHER_MODEL) is None
    assert read(path, known_as="another") is None
    path.unlink()
    assert read(path) is None
    assert again.matrix.sum() == pytest.approx(content_sum(rows), rel=1e-4)


def content_sum(rows: CatalogueRows) -> float:
    return float(rows.matrix[rows.ids != NOBODY].sum())


def test_what_is_added_to_a_mapped_matrix_stays_in_memory(
    tmp_path: Path, rows: CatalogueRows
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    written = path.read_bytes()
    held = read_snapshot(path, model_id=MODEL, token=TOKEN)
    assert held is not None
    before = held.rows.matrix
    now = held.update(99, rows, [])
    assert np.shares_memory(now.matrix, before)
    assert content(now) == {**content(held.rows), **content(rows)}
    assert path.read_bytes() == written


def test_damage_anywhere_is_seen(tmp_path: Path, rows: CatalogueRows) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    whole = path.read_bytes()
    # Where nothing is written, between the columns and in the room to spare, nothing can break.
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    for place in [*used[:: max(1, len(used) // 300)].tolist(), int(used[-1])]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert read(path) is None, f"byte {place}"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_half_a_file_is_none(tmp_path: Path, rows: CatalogueRows, share: float) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert read(path) is None
    path.write_bytes(bytes(len(whole)))
    assert read(path) is None


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_killed_while_writing_the_old_one_stays(
    tmp_path: Path, rows: CatalogueRows, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, "the old one")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(snapshot.os if at == "fsync" else snapshot.Path, at, killed)
        patch.setattr(snapshot.Path, "unlink", lambda *_, **__: None)  # a kill cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            write_snapshot(path, rows, TOKEN)
    assert read(path, known_as="the old one") is not None
    assert len(list(tmp_path.glob("*.part"))) == 1
    write_snapshot(path, rows, TOKEN)
    assert list(tmp_path.glob("*.part")) == []
    assert read(path) is not None


async def test_a_damaged_snapshot_is_made_again(db: Database, loads: list[object]) -> None:
    await serve(db, *range(5))
    before = Served(db, MODEL)
    await before.rows()
    assert await before.keep()
    path = snapshot_path(db.path)
    path.write_bytes(b"nonsense")
    loads.clear()
    after = Served(db, MODEL)
    await after.rows()
    assert loads == [None]
    assert await after.keep()
    assert read(path, known_as=await token(db)) is not None
    assert sqlite3.connect(db.path).execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert (await after.rows()).matrix.shape[1] == DIMENSION
