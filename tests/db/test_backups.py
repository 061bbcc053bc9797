"""Backups of a database in use, and their restore: checks, deletions, what is refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from db.backups import active_tracks, restore_backup, write_backup
from db.connection import open_db
from db.deletions import deletions_path
from db.guild_settings import GuildSettings, forget_guild, load_settings, save_settings
from db.tracks import Catalogue
from genrec.errors import CatalogueError, FileMissing
from tests.db.fakes import MODEL, new_track


async def fill(path: Path, *seeds: int) -> None:
    async with open_db(path) as db:
        await Catalogue(db).add("library", MODEL, [new_track(seed) for seed in seeds])


async def tracks(path: Path) -> int:
    async with open_db(path) as db:
        return await active_tracks(db)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_backup_of_an_open_database_is_complete_private_and_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    async with open_db(tmp_path / "genrec.db") as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        async with db.snapshot() as session:  # a reader in the middle of its work
            assert await session.number("SELECT count(*) FROM entry") == 1
            await Catalogue(db).add("library", MODEL, [new_track(2)])
            assert await session.number("SELECT count(*) FROM entry") == 1
            await write_backup(tmp_path / "genrec.db", out / "copy.db")
    assert files(out) == {"copy.db"}
    assert stat.S_IMODE((out / "copy.db").stat().st_mode) == 0o600
    assert await tracks(out / "copy.db") == 2


async def test_backup_replaces_an_older_backup(tmp_path: Path) -> None:
    await fill(tmp_path / "genrec.db", 1)
    await write_backup(tmp_path / "genrec.db", tmp_path / "copy.db")
    await fill(tmp_path / "genrec.db", 2)
    await write_backup(tmp_path / "genrec.db", tmp_path / "copy.db")
    assert await tracks(tmp_path / "copy.db") == 2


@pytest.mark.parametrize(
    "name", ["genrec.db", "genrec.db-wal", "genrec.db-deleted", "song.mp3", "folder", "pipe"]
)
async def test_backup_overwrites_nothing_but_a_backup(tmp_path: Path, name: str) -> None:
    await fill(tmp_path / "genrec.db", 1)
    (tmp_path / "song.mp3").write_bytes(b"music")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CatalogueError, match=r"name another file|name a file in it"):
        await write_backup(tmp_path / "genrec.db", tmp_path / name)
    assert (tmp_path / "song.mp3").read_bytes() == b"music"
    assert await tracks(tmp_path / "genrec.db") == 1


async def test_backup_without_a_database_makes_none(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="There is no database"):
        await write_backup(tmp_path / "genrec.db", tmp_path / "copy.db")
    assert files(tmp_path) == set()


async def test_backup_of_a_damaged_database_keeps_the_older_backup(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    await fill(path, *range(50))
    await write_backup(path, tmp_path / "copy.db")
    damage(path)
    with pytest.raises(CatalogueError, match="damaged"):
        await write_backup(path, tmp_path / "copy.db")
    assert await tracks(tmp_path / "copy.db") == 50
    assert not list(tmp_path.glob("*.part*"))


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 4096] = bytes(len(data) - 12288)
    path.write_bytes(data)


async def test_restore_brings_the_backup_and_keeps_the_old_database(tmp_path: Path) -> None:
    path, backup = tmp_path / "genrec.db", tmp_path / "copy.db"
    await fill(path, 1)
    await write_backup(path, backup)
    await fill(path, 2, 3)
    kept = await restore_backup(backup, path)
    assert await tracks(path) == 1
    assert kept is not None
    assert kept.name.startswith("genrec.replaced-")
    assert await tracks(kept) == 3
    assert await tracks(backup) == 1
    assert path.stat().st_nlink == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_restore_where_no_database_is_makes_one(tmp_path: Path) -> None:
    await fill(tmp_path / "copy.db", 1, 2)
    assert await restore_backup(tmp_path / "copy.db", tmp_path / "new" / "genrec.db") is None
    assert await tracks(tmp_path / "new" / "genrec.db") == 2


async def test_restore_replaces_a_damaged_database_with_its_logs(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    await fill(tmp_path / "copy.db", 1, 2)
    path.write_bytes(b"no database at all" * 1000)
    (tmp_path / "genrec.db-wal").write_bytes(b"old log")
    kept = await restore_backup(tmp_path / "copy.db", path)
    assert kept is not None
    assert kept.read_bytes() == b"no database at all" * 1000
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"old log"
    assert "genrec.db-wal" not in files(tmp_path)
    assert await tracks(path) == 2


async def test_deleted_guild_stays_deleted_after_a_restore(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await save_settings(db, GuildSettings(guild_id=7, default_count=3))
        await write_backup(path, tmp_path / "copy.db")
        await forget_guild(db, 7)
    await restore_backup(tmp_path / "copy.db", path)
    assert deletions_path(str(path)).exists()
    async with open_db(path) as db:
        assert await load_settings(db, 7) == GuildSettings(guild_id=7)


async def test_restore_takes_a_plain_copy_with_its_write_ahead_log(tmp_path: Path) -> None:
    async with open_db(tmp_path / "genrec.db") as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        for ending in ("", "-wal"):
            shutil.copyfile(tmp_path / f"genrec.db{ending}", tmp_path / f"copy.db{ending}")
    await restore_backup(tmp_path / "copy.db", tmp_path / "other.db")
    assert await tracks(tmp_path / "other.db") == 1


async def test_restore_is_refused_while_another_program_has_the_database(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    await fill(tmp_path / "copy.db", 1, 2)
    async with open_db(path) as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        with pytest.raises(CatalogueError, match="Another program uses the database"):
            await restore_backup(tmp_path / "copy.db", path)
        assert await active_tracks(db) == 1
    assert await tracks(path) == 1


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 9999")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (damage, "is damaged"),
        (lambda path: path.write_bytes(b"x" * 5000), "is damaged, or is no database"),
        (lambda path: path.write_bytes(b""), "no database of genrec"),
        (newer, "update genrec"),
        (lambda path: (path.unlink(), foreign(path)), "no database of genrec"),
        (lambda path: path.unlink(), "no file that can be read"),
    ],
    ids=["damaged", "text", "empty", "newer", "foreign", "missing"],
)
async def test_restore_of_an_unusable_backup_changes_nothing(
    tmp_path: Path, spoil, sentence: str
) -> None:
    path, backup = tmp_path / "genrec.db", tmp_path / "copy.db"
    await fill(path, 1)
    await fill(backup, *range(50))
    spoil(backup)
    before = files(tmp_path)
    with pytest.raises((CatalogueError, FileMissing), match=sentence):
        await restore_backup(backup, path)
    assert files(tmp_path) == before
    assert await tracks(path) == 1


async def test_database_is_not_restored_from_itself(tmp_path: Path) -> None:
    await fill(tmp_path / "genrec.db", 1)
    (tmp_path / "link.db").symlink_to(tmp_path / "genrec.db")
    with pytest.raises(CatalogueError, match="the database itself"):
        await restore_backup(tmp_path / "link.db", tmp_path / "genrec.db")


async def test_restore_that_fails_at_the_end_leaves_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "genrec.db"
    await fill(path, 1)
    await fill(tmp_path / "copy.db", 1, 2)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genrec.files._sync", full)
    with pytest.raises(CatalogueError, match="cannot be replaced \\(No space left"):
        await restore_backup(tmp_path / "copy.db", path)
    assert files(tmp_path) == {"genrec.db", "copy.db"}
    assert path.stat().st_nlink == 1
    assert await tracks(path) == 1
