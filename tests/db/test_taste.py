"""Votes for tracks, lists of what is not recommended again, and a user's taste."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from db.connection import Database, backup_path, open_db
from db.feedback import (
    RankedTrack,
    Vote,
    VoteCounts,
    acceptance,
    count_votes,
    vote,
    vote_for_tracks,
    votes_for_tracks,
)
from db.guild_settings import forget_guild
from db.migrate import load_migrations, migrate
from db.not_again import (
    MOST_ENTRIES,
    LeftOut,
    ListOwner,
    add_artist,
    add_song,
    entries,
    left_out,
    remove,
)
from db.privacy import UserData, count_user_data, delete_user_data
from db.taste import (
    SHOWN_DAYS,
    opt_in,
    opt_out,
    opted_in,
    record_shown,
    shown_lately,
    voted_tracks,
)
from db.tracks import Catalogue
from tests.db.fakes import MODEL, new_track

ANN, BEN, GUILD = 41, 42, 7
TRACKS = (RankedTrack(1, 1, ("genre", "tempo")), RankedTrack(2, 2, ("key",)), RankedTrack(3, 3))
_BEFORE = next(m.version for m in load_migrations() if m.name.endswith("_taste")) - 1
OF_ANN, OF_GUILD = ListOwner("user", ANN), ListOwner("guild", GUILD)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "genrec.db") as opened:
        yield opened


def cast(verdict: int, *, message: int = 5, user: int = ANN) -> Vote:
    assert verdict in (1, -1)
    return Vote(
        message_id=message, user_id=user, guild_id=GUILD, model_id=MODEL,
        verdict=1 if verdict > 0 else -1, tracks=TRACKS,
    )  # fmt: skip


async def test_vote_for_an_answer_gives_each_track_an_equal_share(db: Database) -> None:
    assert await vote(db, cast(1))
    assert await voted_tracks(db, ANN) == pytest.approx({1: 1 / 3, 2: 1 / 3, 3: 1 / 3})
    assert not await vote(db, cast(1))
    assert await voted_tracks(db, ANN) == {}


async def test_vote_for_a_track_outweighs_that_for_its_answer_until_withdrawn(db: Database) -> None:
    await vote(db, cast(-1))
    assert await vote_for_tracks(db, cast(1), {2}) == (TRACKS[1],)
    assert await voted_tracks(db, ANN) == pytest.approx({1: -1 / 3, 2: 1.0, 3: -1 / 3})
    assert await vote_for_tracks(db, cast(1), set()) == ()
    assert await voted_tracks(db, ANN) == pytest.approx({1: -1 / 3, 2: -1 / 3, 3: -1 / 3})


async def test_withdrawn_vote_for_an_answer_keeps_votes_for_its_tracks(db: Database) -> None:
    await vote(db, cast(1))
    await vote_for_tracks(db, cast(-1), {3})
    await vote(db, cast(1))
    assert await voted_tracks(db, ANN) == {3: -1.0}
    assert await votes_for_tracks(db, 5, ANN) == {3: -1}


async def test_other_verdict_replaces_a_vote_for_a_track(db: Database) -> None:
    await vote_for_tracks(db, cast(1), {1, 2})
    await vote_for_tracks(db, cast(-1), {2})
    assert await votes_for_tracks(db, 5, ANN) == {1: 1, 2: -1}


async def test_newest_vote_for_a_track_counts(db: Database) -> None:
    await vote_for_tracks(db, cast(1, message=5), {1})
    await vote_for_tracks(db, cast(-1, message=6), {1})
    assert await voted_tracks(db, ANN) == {1: -1.0}


async def test_votes_at_once_leave_one_for_each_track(db: Database) -> None:
    await asyncio.gather(
        vote(db, cast(1)),
        vote_for_tracks(db, cast(1), {1}),
        vote_for_tracks(db, cast(-1), {1}),
        vote(db, cast(-1)),
        vote(db, cast(1, user=BEN)),
    )
    stored = await db.all("SELECT track_id, count(*) FROM track_vote WHERE user_id = 41 GROUP BY 1")
    assert dict(stored) == {1: 1, 2: 1, 3: 1}
    assert await db.number("SELECT count(*) FROM feedback WHERE user_id = 41") == 1
    assert set(await voted_tracks(db, BEN)) == {1, 2, 3}


async def test_acceptance_counts_single_votes_by_rank_and_reason(db: Database) -> None:
    await vote(db, cast(1))
    await vote_for_tracks(db, cast(1), {1, 3})
    await vote_for_tracks(db, cast(-1, user=BEN), {1, 2})
    counted = await acceptance(db, model_id=MODEL)
    assert counted.by_rank == {1: VoteCounts(1, 1), 2: VoteCounts(0, 1), 3: VoteCounts(1, 0)}
    assert counted.by_reason == {
        "genre": VoteCounts(1, 1), "tempo": VoteCounts(1, 1), "key": VoteCounts(0, 1)
    }  # fmt: skip
    assert (await acceptance(db, model_id="other")).by_rank == {}


SCOPES = ("library", "guild:7")


async def test_list_of_a_user_holds_in_every_guild_and_that_of_a_guild_for_all(
    db: Database,
) -> None:
    await add_song(db, OF_ANN, 1, "Song")
    await add_artist(db, OF_GUILD, "The Band")
    assert await left_out(db, ANN, None, SCOPES) == LeftOut(frozenset({1}), frozenset())
    assert await left_out(db, ANN, GUILD, SCOPES) == LeftOut(frozenset({1}), frozenset({"band"}))
    assert await left_out(db, BEN, GUILD, SCOPES) == LeftOut(frozenset(), frozenset({"band"}))
    assert await left_out(db, BEN, 8, SCOPES) == LeftOut()


async def test_song_stands_for_tracks_of_the_same_name(db: Database) -> None:
    catalogue = Catalogue(db)
    first, other = await catalogue.add(
        "library", MODEL, [new_track(1, title="Blue", artist="Ann"), new_track(2)]
    )
    (same,) = await catalogue.add("guild:7", MODEL, [new_track(3, title="blue", artist="ANN")])
    await add_song(db, OF_ANN, first, "Ann – Blue")
    assert (await left_out(db, ANN, None, SCOPES)).tracks == {first, same}
    assert (await left_out(db, ANN, None, {"library", "guild:8"})).tracks == {first}
    await catalogue.remove("library", [first])
    assert (await left_out(db, ANN, None, SCOPES)).tracks == {first}
    assert other not in (await left_out(db, ANN, None, SCOPES)).tracks


async def test_entries_are_listed_once_and_removed_by_their_owner_only(db: Database) -> None:
    assert await add_artist(db, OF_ANN, "The Band")
    assert await add_artist(db, OF_ANN, "band")
    (entry,) = await entries(db, OF_ANN)
    assert (entry.name, entry.is_artist) == ("The Band", True)
    assert await remove(db, ListOwner("user", BEN), entry.id) is None
    assert await remove(db, ListOwner("guild", ANN), entry.id) is None
    assert await remove(db, OF_ANN, entry.id) == "The Band"
    assert await entries(db, OF_ANN) == []


async def test_full_list_takes_no_entry(db: Database) -> None:
    for number in range(MOST_ENTRIES):
        assert await add_song(db, OF_ANN, number + 1, "Song")
    assert not await add_song(db, OF_ANN, MOST_ENTRIES + 1, "Song")
    assert await add_song(db, OF_ANN, 1, "Song"), "it is in the list already"
    assert await add_song(db, OF_GUILD, 1, "Song")


@pytest.mark.parametrize("artist", ["", "  ", "Unknown Artist"])
async def test_artist_without_a_name_is_refused(db: Database, artist: str) -> None:
    with pytest.raises(ValueError, match="artist="):
        await add_artist(db, OF_ANN, artist)


async def test_shown_tracks_are_kept_for_a_time_and_only_after_the_opt_in(db: Database) -> None:
    day = 86_400.0
    await record_shown(db, ANN, [1], now=0.0)
    assert await shown_lately(db, ANN, now=0.0) == frozenset()
    await opt_in(db, ANN)
    await record_shown(db, ANN, [1, 2], now=0.0)
    await record_shown(db, ANN, [2], now=2 * day)
    assert await shown_lately(db, ANN, now=2 * day) == {1, 2}
    assert await shown_lately(db, ANN, now=(SHOWN_DAYS + 1) * day) == {2}
    assert await opt_out(db, ANN)
    assert not await opted_in(db, ANN)
    assert await shown_lately(db, ANN, now=2 * day) == frozenset()


async def test_deleted_user_keeps_nothing_and_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        for user in (ANN, BEN):
            await vote(db, cast(1, user=user))
            await add_song(db, ListOwner("user", user), 1, "Song")
            await opt_in(db, user)
            await record_shown(db, user, [1])
        await add_song(db, OF_GUILD, 1, "Song")
        full = UserData(1, 0, 0, track_votes=3, not_again=1, taste=1, taste_shown=1)
        assert await count_user_data(db, ANN) == full
        await db.backup()
        await delete_user_data(db, ANN)
        await record_shown(db, ANN, [2])
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    shutil.copyfile(backup_path(str(path)), path)
    async with open_db(path) as db:
        assert await count_user_data(db, ANN) == UserData(0, 0, 0)
        assert await count_user_data(db, BEN) == full
        assert len(await entries(db, OF_GUILD)) == 1


async def test_departed_guild_takes_its_list_and_votes_along(db: Database) -> None:
    await vote(db, cast(1))
    await add_song(db, OF_ANN, 1, "Song")
    await add_song(db, OF_GUILD, 1, "Song")
    await forget_guild(db, GUILD)
    assert await voted_tracks(db, ANN) == {}
    assert await entries(db, OF_GUILD) == []
    assert len(await entries(db, OF_ANN)) == 1


async def test_migration_keeps_votes_of_older_versions(tmp_path: Path) -> None:
    path = tmp_path / "genrec.db"
    async with aiosqlite.connect(path, isolation_level=None) as old:
        await migrate(old, load_migrations()[:_BEFORE])
        await old.execute("INSERT INTO feedback VALUES (5, 41, 7, ?, -1)", (MODEL,))
    async with open_db(path) as db:
        assert await count_votes(db) == VoteCounts(0, 1)
        assert await voted_tracks(db, ANN) == {}
        assert not await vote(db, cast(-1)), "an equal vote withdraws the old one"
