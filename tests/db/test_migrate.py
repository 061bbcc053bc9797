"""Tests of migrations: all or nothing, never backwards, never in another program's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from db.connection import open_db
from db.guild_settings import GuildSettings, load_settings
from db.migrate import Migration, load_migrations, migrate
from genrec.errors import CatalogueError

FIRST = Migration(1, "0001_first", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);")
TRIGGER = (
    "CREATE TABLE b (x INTEGER) STRICT; -- a ; in a comment\n"
    "CREATE TRIGGER t AFTER INSERT ON b BEGIN INSERT INTO a VALUES (new.x); SELECT ';'; END;\n"
    "INSERT INTO b VALUES (7);"
)
BROKEN = Migration(2, "0002_b", TRIGGER + "INSERT INTO nowhere VALUES (1);")


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


async def test_every_table_is_strict(tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db:
        tables = await db.all("PRAGMA table_list")
        mine = [
            row
            for row in tables
            if row[0] == "main" and row[2] == "table" and not row[1].startswith("sqlite_")
        ]
        assert len(mine) > 10
        assert all(row[5] == 1 for row in mine)
        assert await db.number("PRAGMA user_version") == len(load_migrations())


async def test_second_opening_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        async with open_db(tmp_path / "a.db") as db:
            await db.run("INSERT OR IGNORE INTO kept_value VALUES ('a', 'b')")
            assert await db.number("SELECT count(*) FROM kept_value") == 1


async def test_failing_migration_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await migrate(connection, (FIRST, BROKEN))
        assert not connection.in_transaction
    assert _version(path) == 1
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        names = await connection.execute_fetchall("SELECT name FROM sqlite_schema")
        assert [name for (name,) in names] == ["a"]
        assert await migrate(connection, (FIRST, Migration(2, "0002_b", TRIGGER))) == 2
        assert list(await connection.execute_fetchall("SELECT x FROM a")) == [(1,), (7,)]


async def test_preview_migration_deletes_cached_analyses(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "a.db", isolation_level=None) as connection:
        await migrate(connection, load_migrations()[:2])
        await connection.execute(
            "INSERT INTO analysis VALUES ('a', 'm', x'00', '[]', x'00', 1.0, 1.0, 1)"
        )
    async with open_db(tmp_path / "a.db") as db:
        assert await db.number("SELECT count(*) FROM analysis") == 0
        columns = await db.all("PRAGMA table_info (analysis)")
        assert [row[3] for row in columns if row[1] == "preview"] == [0]  # may be null


async def test_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_db(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(CatalogueError, match=r"schema version 999.*update genrec"):
        async with open_db(path):
            pass
    assert _version(path) == 999


async def test_database_of_another_program_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(CatalogueError, match="another program"):
        async with open_db(path):
            pass
    assert _version(path) == 0


async def test_catalogue_created_by_another_process_meanwhile_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    class OutdatedRead:
        """A connection after whose first read another process creates the catalogue."""

        made = False

        def __init__(self, connection: aiosqlite.Connection) -> None:
            self.connection = connection

        def __getattr__(self, name: str) -> object:
            return getattr(self.connection, name)

        async def execute_fetchall(self, sql: str) -> object:
            rows = await self.connection.execute_fetchall(sql)
            if not self.made:
                self.made = True
                async with open_db(path):
                    pass
            return rows

    async with aiosqlite.connect(path, isolation_level=None) as connection:
        outdated = OutdatedRead(connection)
        assert await migrate(outdated) == len(load_migrations())  # type: ignore[arg-type]
    assert outdated.made


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0001_b.sql"], ["first.sql"]])
def test_migration_numbers_without_gaps_are_required(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(CatalogueError, match="migration"):
        load_migrations(tmp_path)


async def test_dropping_the_guild_preset_keeps_the_other_guild_settings(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "a.db", isolation_level=None) as connection:
        await migrate(connection, load_migrations()[:3])
        await connection.execute("INSERT INTO guild VALUES (7, 3, 1, 'vgg16', 21)")
        await connection.execute("INSERT INTO upload_channel VALUES (11, 7)")
    async with open_db(tmp_path / "a.db") as db:
        columns = [row[1] for row in await db.all("PRAGMA table_info (guild)")]
        assert columns[:4] == ["guild_id", "default_count", "private", "allowed_role"]
        assert "preset" not in columns
        assert await load_settings(db, 7) == GuildSettings(
            guild_id=7,
            default_count=3,
            private=True,
            allowed_role=21,
            upload_channels=frozenset({11}),
        )
