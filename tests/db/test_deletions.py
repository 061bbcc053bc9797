"""Deletions last when a backup is restored."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from db.connection import Database, backup_path, open_db
from db.deletions import deletions_path
from db.feedback import Vote, count_votes, vote
from db.guild_settings import (
    GuildSettings,
    departed_guilds,
    forget_guild,
    load_settings,
    record_guilds,
    save_settings,
)
from db.index.snapshot import snapshot_path
from db.privacy import UserData, count_user_data, delete_user_data
from db.tracks import Catalogue, guild_scope
from tests.db.fakes import MODEL, new_track

ANN, BEN, GUILD, OTHER = 900_000_000_000_000_001, 900_000_000_000_000_002, 31, 32


async def _fill(db: Database) -> None:
    for user_id, guild_id in ((ANN, GUILD), (BEN, OTHER)):
        await vote(
            db,
            Vote(message_id=user_id, user_id=user_id, guild_id=guild_id, model_id=MODEL, verdict=1),
        )
        await save_settings(db, GuildSettings(guild_id=guild_id, default_count=3))
        track = new_track(guild_id, added_by=user_id)
        await Catalogue(db).add(guild_scope(guild_id), MODEL, [track])


def _restore(path: Path) -> None:
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    shutil.copyfile(backup_path(str(path)), path)


async def test_deleted_user_stays_deleted_when_a_backup_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await _fill(db)
        await db.backup()
        await delete_user_data(db, ANN)
    _restore(path)
    async with open_db(path) as db:
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)
        assert await count_user_data(db, BEN) == UserData(1, 1, 0)
        assert await Catalogue(db).count(MODEL) == 2


async def test_deleted_guild_stays_deleted_when_a_backup_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await _fill(db)
        await db.backup()
        await forget_guild(db, GUILD)
    _restore(path)
    async with open_db(path) as db:
        catalogue = Catalogue(db)
        assert await load_settings(db, GUILD) == GuildSettings(guild_id=GUILD)
        assert await catalogue.count(MODEL, guild_scope(GUILD)) == 0
        assert (await load_settings(db, OTHER)).default_count == 3
        assert await catalogue.count(MODEL, guild_scope(OTHER)) == 1
        assert (await count_votes(db)).up == 1
        assert (await catalogue.load(MODEL)).scopes.names == (guild_scope(OTHER),)


async def test_deletion_that_a_kill_cut_short_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await _fill(db)
        monkeypatch.setattr("db.privacy.DELETE_USER", ("SELECT no_such_function(?)",))
        with pytest.raises(Exception, match="no_such_function"):
            await delete_user_data(db, ANN)
        assert await count_user_data(db, ANN) == UserData(1, 1, 0)
    async with open_db(path) as db:
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)


async def test_user_who_returns_after_a_deletion_keeps_the_new_data(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await delete_user_data(db, ANN)
        await _fill(db)
        await db.backup()
    for _ in range(2):
        async with open_db(path) as db:
            assert await count_user_data(db, ANN) == UserData(1, 1, 0)
        _restore(path)


async def test_list_names_nobody_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await delete_user_data(db, ANN)
        await delete_user_data(db, BEN)
    found = deletions_path(str(path))
    assert str(ANN) not in found.read_text()
    assert len(set(found.read_text().splitlines())) == 3
    assert stat.S_IMODE(found.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"rubbish\n", b"\xff" * 40, b"genrec deletions 1 00\n"])
async def test_damaged_list_is_replaced_and_never_stops_a_start(
    tmp_path: Path, damage: bytes
) -> None:
    path = tmp_path / "genrec.db"
    deletions_path(str(path)).write_bytes(damage)
    async with open_db(path) as db:
        await _fill(db)
        await db.backup()
        await delete_user_data(db, ANN)
    _restore(path)
    async with open_db(path) as db:
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)


async def test_cut_last_line_costs_only_its_own_deletion(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await _fill(db)
        await db.backup()
        await delete_user_data(db, 77)
        listed = deletions_path(str(path))
        listed.write_bytes(listed.read_bytes()[:-9])
        await delete_user_data(db, ANN)
    _restore(path)
    async with open_db(path) as db:
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)


async def test_list_that_cannot_be_written_does_not_stop_a_deletion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "genrec.db"
    deletions_path(str(path)).mkdir()
    async with open_db(path) as db:
        await _fill(db)
        await delete_user_data(db, ANN)
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)
    assert "deletion list not written" in caplog.text


async def test_forgotten_guild_is_not_left_in_the_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await _fill(db)
        snapshot_path(db.path).write_bytes(b"tracks of all guilds")
        await forget_guild(db, 99)
        assert snapshot_path(db.path).exists()
        await forget_guild(db, GUILD)
        assert not snapshot_path(db.path).exists()


async def test_departed_guilds_are_those_of_the_same_application(db: Database) -> None:
    assert await departed_guilds(db, 1, {10}) == frozenset()
    await record_guilds(db, 1, {10, 11})
    assert await departed_guilds(db, 1, {10}) == {11}
    assert await departed_guilds(db, 2, {10}) == frozenset()
