"""Moves to PostgreSQL and back, on a real server: equal content, kills, leases, refusals."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from db import move as moving
from db import postgres
from db.address import PostgresAddress
from db.connection import open_db
from db.move import copy_database, database_content, move
from db.move_engines import refuse_busy
from db.session import SqlSession
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from tests.db.every_table import fill_every_table
from tests.db.fakes import MODEL, new_track


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """Return the path of a database with rows in every table."""
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await fill_every_table(db)
    return path


async def test_round_trip_over_postgresql_gives_an_equal_database(
    source: Path, tmp_path: Path, postgres_address: str
) -> None:
    address = PostgresAddress(postgres_address)
    there = await move(source, address)
    back = await move(address, tmp_path / "back.db")
    assert there.tables == back.tables
    assert there.tracks == back.tracks == 42
    contents, found, stats, ids = [], [], [], []
    for place in (source, address, tmp_path / "back.db"):
        async with open_db(place) as db:
            catalogue = Catalogue(db)
            contents.append(await database_content(db))
            found.append(await catalogue.browse(MODEL, text="ænima 日"))
            stats.append(await catalogue.stats(MODEL))
            added = await catalogue.add("library", MODEL, [new_track(900), new_track(901)])
            ids.append((added, len(await catalogue.browse(MODEL, text="song 901"))))
    assert contents[0] == contents[1] == contents[2]
    assert found[0] == found[1] == found[2]
    assert found[0]
    assert stats[0] == stats[1] == stats[2]
    assert ids == [([46, 47], 1)] * 3


_KILLED = """
import asyncio, sys, time
from pathlib import Path
from db.address import PostgresAddress
from db.move import move
def progress(table, done, total):
    print(table, flush=True)
    if table == sys.argv[3]:
        time.sleep(600)
asyncio.run(move(Path(sys.argv[1]), PostgresAddress(sys.argv[2]), progress=progress))
"""


async def test_killed_move_to_postgresql_leaves_it_empty(
    source: Path, postgres_address: str
) -> None:
    command = [sys.executable, "-c", _KILLED, source, postgres_address, "track_vote"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        reached = any(line.strip() == "track_vote" for line in child.stdout)
        child.send_signal(signal.SIGKILL)
    assert reached
    await move(source, PostgresAddress(postgres_address))
    async with open_db(source) as old, open_db(postgres_address) as new:
        assert await database_content(old) == await database_content(new)


async def test_copy_to_postgresql_that_differs_is_taken_back(
    source: Path, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def spoil(session: SqlSession) -> None:
        assert await session.run("UPDATE detail SET album = album || ' ' WHERE track_id = 2") == 1

    monkeypatch.setattr(moving, "fill_derived", spoil)
    with pytest.raises(CatalogueError, match=r"The table detail of .* nothing was moved"):
        await move(source, PostgresAddress(postgres_address))
    async with open_db(postgres_address) as db:
        assert {found.rows for found in (await database_content(db)).values()} == {0}


@pytest.mark.parametrize("lease", ["run:a", "shard:0/2", "scope:library"])
async def test_move_is_refused_while_a_process_holds_a_lease_on_postgresql(
    source: Path, tmp_path: Path, postgres_address: str, lease: str
) -> None:
    async with open_db(postgres_address) as db:
        held = await db.leases.take(lease)
        assert held is not None
        with pytest.raises(CatalogueError, match=r"A bot or an indexing run uses .*: stop all"):
            await move(PostgresAddress(postgres_address), tmp_path / "moved.db")
        with pytest.raises(CatalogueError, match=r"A bot or an indexing run uses .*: stop all"):
            await move(source, PostgresAddress(postgres_address))
        await held.release()
    await move(source, PostgresAddress(postgres_address))
    await move(PostgresAddress(postgres_address), tmp_path / "moved.db")


async def test_text_that_postgresql_cannot_store_is_named(
    source: Path, postgres_address: str
) -> None:
    async with open_db(source) as db:
        await db.run("UPDATE kept_value SET value = ?", ("a\0b",))
    with pytest.raises(CatalogueError, match="A text of the table kept_value has a NUL"):
        await move(source, PostgresAddress(postgres_address))


async def test_nothing_else_writes_while_postgresql_is_moved(
    source: Path, tmp_path: Path, postgres_address: str
) -> None:
    await move(source, PostgresAddress(postgres_address))
    async with open_db(postgres_address) as db:
        async with open_db(tmp_path / "moved.db") as new:
            writes: list[asyncio.Task[int]] = []

            def write(table: str, _done: int, _total: int) -> None:
                if table == "entry" and not writes:
                    writes.append(asyncio.create_task(db.run("DELETE FROM taste")))

            copied = await copy_database(db, new, progress=write)
            assert copied["taste"].rows == 1
        assert await writes[0] == 1  # it waited for the end of the move


async def test_bot_that_starts_during_a_move_from_postgresql_ends_it(
    tmp_path: Path, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_db(postgres_address) as bot:
        sequences = moving.set_last_ids

        async def after_a_start(session: SqlSession, given: Mapping[str, int]) -> None:
            assert await bot.leases.take("run:1") is not None
            await sequences(session, given)

        monkeypatch.setattr(moving, "set_last_ids", after_a_start)
        with pytest.raises(CatalogueError, match="A bot or an indexing run uses"):
            await move(PostgresAddress(postgres_address), tmp_path / "back.db")
    assert not (tmp_path / "back.db").exists()


async def test_leases_of_another_user_are_seen(postgres_address: str) -> None:
    async with open_db(postgres_address) as bot, open_db(postgres_address) as db:
        assert await bot.leases.take("run:1") is not None
        async with db.transaction() as tx:
            await tx.run("CREATE ROLE genrec_mover")
            await tx.run("SET LOCAL ROLE genrec_mover")
            with pytest.raises(CatalogueError, match="A bot or an indexing run uses"):
                await refuse_busy(db, tx)
            await tx.run("RESET ROLE")
            await tx.run("DROP ROLE genrec_mover")


async def test_statements_of_a_move_have_no_time_limit(
    source: Path, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_WRITE_S", 1e-6)
    assert (await move(source, PostgresAddress(postgres_address))).tracks == 42
