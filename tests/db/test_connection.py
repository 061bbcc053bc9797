"""Tests of the database: settings, damage, locks, transactions and backups."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from db.connection import MEMORY, Database, backup_path, open_db
from db.key_values import SET_VALUE
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from tests.db.fakes import MODEL, new_track, until


async def test_both_connections_have_the_pragmas(tmp_path: Path) -> None:
    async with open_db(tmp_path / "new" / "folder" / "a.db") as db:
        for connection in (db._writer, db._reader):
            assert [
                next(iter(await connection.execute_fetchall(f"PRAGMA {name}")))[0]
                for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            ] == ["wal", 1, 1, 5000]
        assert db._reader is not db._writer


async def test_database_files_are_private(tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db:
        await db.run("INSERT INTO kept_value VALUES ('a', 'b')")
        await db.backup()
        modes = _modes(tmp_path)
    assert modes.keys() == {"a.db", "a.db-wal", "a.db-shm", "a.backup.db"}
    assert set(modes.values()) == {0o600}


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_closed_database_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # a set, because a thread of an earlier test may still end

    async def fail() -> None:
        async with open_db(tmp_path / "a.db"):
            assert len(set(threading.enumerate()) - before) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    # A thread ends shortly after its last result.
    await until(lambda: set(threading.enumerate()) <= before)


async def test_failed_transaction_is_rolled_back(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.run("INSERT INTO kept_value VALUES ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await db.all("SELECT * FROM kept_value") == []
    assert await db.run("INSERT INTO kept_value VALUES ('a', '2')") == 1


async def test_cancelled_transactions_are_rolled_back_and_release_the_lock(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as tx:
            await tx.run("INSERT INTO kept_value VALUES (?, '')", (f"half {number}",))
            await asyncio.sleep(0)
            await tx.run("INSERT INTO kept_value VALUES (?, '')", (f"whole {number}",))

    for steps in range(24):
        task = asyncio.create_task(write(steps))
        for _ in range(steps):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with db.transaction() as tx:
            await tx.run(SET_VALUE, ("after", str(steps)))
    names = {name for (name,) in await db.all("SELECT name FROM kept_value")}
    halves = {name.split()[1] for name in names if name.startswith("half")}
    assert halves == {name.split()[1] for name in names if name.startswith("whole")}
    assert "after" in names


async def test_concurrent_transactions_are_serialised(db: Database) -> None:
    await db.run("INSERT INTO kept_value VALUES ('n', '0')")

    async def count_up() -> None:
        async with db.transaction(lock="n") as tx:
            number = await tx.number("SELECT value FROM kept_value")
            await asyncio.sleep(0)
            await tx.run("UPDATE kept_value SET value = ?", (str(number + 1),))

    await asyncio.gather(*(count_up() for _ in range(50)))
    assert await db.number("SELECT value FROM kept_value") == 50


async def test_readers_never_get_half_a_transaction(db: Database) -> None:
    seen = set()

    async def read() -> None:
        for _ in range(50):
            seen.add(await db.number("SELECT count(*) FROM kept_value"))
            await asyncio.sleep(0)

    async def write() -> None:
        for _ in range(10):
            async with db.transaction() as tx:
                await tx.run("INSERT INTO kept_value VALUES ('a', '')")
                await asyncio.sleep(0.001)
                await tx.run("INSERT INTO kept_value VALUES ('b', '')")
            await db.run("DELETE FROM kept_value")

    await asyncio.gather(read(), write())
    assert seen <= {0, 2}


async def test_snapshot_ignores_later_writes(tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db, db.snapshot() as session:
        assert await session.number("SELECT count(*) FROM kept_value") == 0
        await db.run("INSERT INTO kept_value VALUES ('a', '')")
        assert await session.number("SELECT count(*) FROM kept_value") == 0


async def test_reader_connection_cannot_write(tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db:
        with pytest.raises(CatalogueError, match="cannot be written to"):
            await db.all("DELETE FROM kept_value")


async def test_lock_of_another_program_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_db(path, busy_timeout_s=0.1) as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(CatalogueError, match="another program: try again"):
                await Catalogue(db).add("library", MODEL, [new_track(2)])
            assert await Catalogue(db).count(MODEL) == 1  # reads still work
        finally:
            other.close()
        await Catalogue(db).add("library", MODEL, [new_track(2)])
        assert await Catalogue(db).count(MODEL) == 2


async def _filled(path: Path) -> None:
    async with open_db(path) as db:
        await Catalogue(db).add("library", MODEL, [new_track(seed) for seed in range(300)])


async def test_damage_is_found_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await _filled(path)
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096, 2):
        data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match="is damaged: move it away and index"):
        async with open_db(path):
            pass
    backup_path(str(path)).write_bytes(b"")
    with pytest.raises(CatalogueError, match=r"replace it with its backup a\.backup\.db"):
        async with open_db(path):
            pass


async def test_damage_in_a_large_file_ends_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.sqlite._MAX_BYTES_CHECKED_FIRST", 0)
    path = tmp_path / "a.db"
    await _filled(path)
    async with open_db(path) as db:
        await asyncio.sleep(0.05)
        assert await Catalogue(db).count(MODEL) == 300
    data = bytearray(path.read_bytes())
    for page in range(20, len(data) // 4096, 2):
        data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match="is damaged: move it away and index"):
        async with open_db(path):
            await asyncio.sleep(60)


async def test_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("These are the tracks I like best. " * 100)
    with pytest.raises(CatalogueError, match="is not a database"):
        async with open_db(path):
            pass


async def test_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await _filled(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096])
    with pytest.raises(CatalogueError, match="is damaged"):
        async with open_db(path):
            pass


async def test_missing_folder_that_cannot_be_created_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogueError, match="check that its folder exists"):
        async with open_db(tmp_path / "file" / "a.db"):
            pass
    with pytest.raises(CatalogueError, match="cannot be opened"):
        async with open_db(tmp_path):
            pass


async def test_backup_contains_the_whole_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_db(path) as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        await db.backup()
        await Catalogue(db).add("library", MODEL, [new_track(2)])
        copy = await db.backup()
    assert copy == tmp_path / "a.backup.db"
    async with open_db(copy) as db:
        assert await Catalogue(db).count(MODEL) == 2
    assert not any(".part" in name for name in _modes(tmp_path))


async def test_failed_backup_is_a_sentence_and_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_db(tmp_path / "a.db") as db:
        backup = await db.backup()
        before = backup.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("genrec.files.os.fsync", full)
        with pytest.raises(CatalogueError, match=r"a\.backup\.db cannot be written .No space left"):
            await db.backup()
        assert backup.read_bytes() == before
        assert not any(".part" in name for name in _modes(tmp_path))


async def test_database_in_memory_has_no_backup() -> None:
    async with open_db(MEMORY) as db:
        with pytest.raises(CatalogueError, match="in memory"):
            await db.backup()


async def test_new_database_may_be_opened_by_several_programs_at_once(tmp_path: Path) -> None:
    async def use(number: int) -> None:
        async with open_db(tmp_path / "a.db") as db:
            await db.run("INSERT INTO kept_value VALUES (?, '')", (str(number),))

    await asyncio.gather(*(use(number) for number in range(6)))
    async with open_db(tmp_path / "a.db") as db:
        assert await db.number("SELECT count(*) FROM kept_value") == 6
