"""Tests of the data of Discord: settings, votes, pending replies, single values, and deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.connection import Database
from db.feedback import Vote, count_votes, vote
from db.guild_settings import (
    GuildSettings,
    forget_guild,
    load_settings,
    save_settings,
    upload_channels,
)
from db.key_values import get_value, set_value
from db.pending_replies import (
    PendingReply,
    ReplyChanges,
    interrupted_replies,
    save_reply_changes,
)
from db.privacy import UserData, count_user_data, delete_user_data
from db.tracks import Catalogue, guild_scope
from genrec.errors import CatalogueError
from tests.db.fakes import MODEL, new_track

GUILD, USER = 1_200_000_000_000_000_001, 900_000_000_000_000_007  # as large as Discord's ids


async def test_settings_have_defaults_and_are_stored(db: Database) -> None:
    assert await load_settings(db, GUILD) == GuildSettings(guild_id=GUILD)
    settings = GuildSettings(
        guild_id=GUILD, default_count=10, private=True, allowed_role=3,
        upload_channels=frozenset({11, 12}), link_site="template",
        link_template="https://music.example/{title}", starter="never", compact=False,
    )  # fmt: skip
    await save_settings(db, settings)
    await save_settings(db, GuildSettings(guild_id=2, upload_channels=frozenset({21})))
    assert await load_settings(db, GUILD) == settings
    assert await upload_channels(db) == {11: GUILD, 12: GUILD, 21: 2}
    await save_settings(db, GuildSettings(guild_id=GUILD, upload_channels=frozenset({12})))
    assert await upload_channels(db) == {12: GUILD, 21: 2}
    assert (await load_settings(db, GUILD)).allowed_role is None


@pytest.mark.parametrize("count", [0, 11])
async def test_default_count_out_of_range_is_refused(db: Database, count: int) -> None:
    with pytest.raises(CatalogueError, match="1 to 10 tracks"):
        await save_settings(db, GuildSettings(guild_id=GUILD, default_count=count))


def _vote(message_id: int, verdict: int, user_id: int = USER, guild_id: int | None = GUILD) -> Vote:
    assert verdict in {-1, 1}
    return Vote(
        message_id=message_id, user_id=user_id, guild_id=guild_id, model_id=MODEL,
        verdict=1 if verdict == 1 else -1,
    )  # fmt: skip


async def test_user_has_one_vote_for_each_message(db: Database) -> None:
    assert (await count_votes(db)).share is None
    assert await vote(db, _vote(1, 1))
    assert await vote(db, _vote(1, -1))
    assert await vote(db, _vote(2, 1))
    assert await vote(db, _vote(1, 1, user_id=8, guild_id=None))
    counts = await count_votes(db, model_id=MODEL)
    assert (counts.up, counts.down, counts.share) == (2, 1, pytest.approx(2 / 3))
    assert (await count_votes(db, model_id="other")).share is None
    assert not await vote(db, _vote(2, 1))  # the same vote again deletes it
    assert (await count_votes(db)).up == 1


async def test_interrupted_replies_are_those_of_other_runs(db: Database) -> None:
    reply = PendingReply(
        run_id="first", kind="recommend", user_id=USER, created_at=1e9, application_id=4,
        token="secret", guild_id=GUILD, channel_id=5,
    )  # fmt: skip
    finished = replace(reply, id=1)
    mine = PendingReply(run_id="second", kind="upload", user_id=USER, created_at=2e9, upload_id=6)
    await save_reply_changes(db, changes(reply, finished, mine))
    await save_reply_changes(db, ReplyChanges(deleted={finished.id}))
    (found,) = await interrupted_replies(db, "second")
    assert (found.id, found.token, found.created_at, found.message_id) == (
        reply.id,
        "secret",
        1e9,
        None,
    )
    assert "secret" not in repr(found)
    await save_reply_changes(db, ReplyChanges(deleted={reply.id}, posted={mine.id: 7}))
    assert await interrupted_replies(db, "second") == []
    assert await interrupted_replies(db, "third") == [replace(mine, message_id=7)]
    assert await db.number("SELECT count(*) FROM job WHERE token IS NOT NULL") == 0


async def test_value_is_stored_by_name(db: Database) -> None:
    assert await get_value(db, "commands") is None
    await set_value(db, "commands", "abc")
    await set_value(db, "commands", "def")
    assert await get_value(db, "commands") == "def"


def changes(*replies: PendingReply) -> ReplyChanges:
    """Return the changes that add these replies."""
    return ReplyChanges(added={reply.id: reply for reply in replies})


def test_reply_deleted_before_it_is_saved_is_never_written() -> None:
    reply = PendingReply(run_id="a", kind="genre", user_id=USER, created_at=0)
    waiting = changes(reply)
    waiting.posted[reply.id] = 7
    waiting.delete(reply.id)
    assert not waiting
    failed = ReplyChanges(deleted={4}).failed_before(waiting).failed_before(changes(reply))
    failed.delete(reply.id)
    assert (failed.added, failed.deleted) == ({}, {4})


def test_reply_that_a_failed_save_may_have_written_is_deleted() -> None:
    reply = PendingReply(run_id="a", kind="genre", user_id=USER, created_at=0)
    failed = changes(reply).failed_before(ReplyChanges(deleted={reply.id, 5}))
    assert (failed.added, failed.deleted) == ({}, {reply.id, 5})


async def _use(db: Database) -> None:
    await vote(db, _vote(1, 1))
    reply = PendingReply(run_id="a", kind="genre", user_id=USER, created_at=0, guild_id=GUILD)
    await save_reply_changes(db, changes(reply))
    await Catalogue(db).add(guild_scope(GUILD), MODEL, [new_track(1, added_by=USER)])
    await save_settings(db, GuildSettings(guild_id=GUILD, upload_channels=frozenset({1})))


async def test_user_data_is_counted_and_deleted(db: Database) -> None:
    await _use(db)
    assert await count_user_data(db, USER) == UserData(votes=1, tracks_added=1, pending_replies=1)
    await delete_user_data(db, USER)
    assert await count_user_data(db, USER) == UserData(0, 0, 0)
    assert await Catalogue(db).count(MODEL, guild_scope(GUILD)) == 1
    for table in ("feedback", "job", "entry"):
        rows = await db.all(f"SELECT * FROM {table}")
        assert not any(USER in row for row in rows)


async def test_forget_guild_deletes_its_data_only(db: Database) -> None:
    await _use(db)
    await Catalogue(db).add("library", MODEL, [new_track(2)])
    await forget_guild(db, GUILD)
    assert await load_settings(db, GUILD) == GuildSettings(guild_id=GUILD)
    assert await upload_channels(db) == {}
    assert (await count_votes(db)).share is None
    assert await Catalogue(db).count(MODEL) == 1
