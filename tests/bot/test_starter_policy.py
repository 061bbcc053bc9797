"""Policy of the starter catalogue: when its tracks are searched, and how that lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.starter_policy import (
    ENOUGH_ARTISTS,
    ENOUGH_TRACKS,
    TOO_FEW_TRACKS,
    StarterPolicy,
    policy_sentence,
)
from db.connection import Database, open_db
from db.generations import NewTrack
from db.guild_settings import forget_guild
from db.matrix import MatrixNeighbours as Index

MODEL = "m@1"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "genrec.db") as opened:
        yield opened


@pytest.fixture
def index(db: Database) -> Index:
    return Index(db, MODEL)


def track(number: int, artist: str) -> NewTrack:
    x = np.random.default_rng(number).standard_normal(4).astype(np.float32)
    return NewTrack(
        title=f"Song {number}",
        artist=artist,
        genre="jazz",
        embedding=x / np.linalg.norm(x),
        source=f"/music/{number}.mp3",
    )


async def fill(
    index: Index,
    count: int,
    *,
    artists: int = 1000,
    scope: str = "library",
    first: int = 0,
) -> list[int]:
    tracks = [track(n, f"Artist {n % artists}") for n in range(first, first + count)]
    return await index.catalogue.add(scope, MODEL, tracks)


async def uses_starter(index: Index, db: Database, guild_id: int | None = None) -> bool:
    return (await StarterPolicy(index=index, db=db).choose(guild_id)).starter


async def test_auto_leaves_the_starter_out_from_enough_tracks_on(
    index: Index, db: Database
) -> None:
    policy = StarterPolicy(index=index, db=db)
    await fill(index, ENOUGH_TRACKS - 1)
    few = await policy.choose(None)
    assert few.scopes == ("starter", "library")
    assert few.fallback == ()
    await fill(index, 1, first=ENOUGH_TRACKS)
    enough = await policy.choose(None)
    assert enough.scopes == ("library",)
    assert enough.fallback == ("starter",)


async def test_auto_needs_enough_artists_too(index: Index, db: Database) -> None:
    await fill(index, 2 * ENOUGH_TRACKS, artists=ENOUGH_ARTISTS - 1)
    assert await uses_starter(index, db)
    await fill(index, 1, first=10_500)
    assert not await uses_starter(index, db)


async def test_tracks_of_unknown_artist_count_as_artists(index: Index, db: Database) -> None:
    tracks = [track(n, "") for n in range(ENOUGH_TRACKS)]
    await index.catalogue.add("library", MODEL, tracks)
    choice = await StarterPolicy(index=index, db=db).choose(None)
    assert choice.artists == ENOUGH_TRACKS
    assert not choice.starter


async def test_a_few_removed_tracks_do_not_bring_the_starter_back_even_after_a_restart(
    index: Index, db: Database
) -> None:
    ids = await fill(index, ENOUGH_TRACKS)
    assert not await uses_starter(index, db)
    await index.catalogue.remove("library", ids[TOO_FEW_TRACKS:])
    assert not await uses_starter(index, db)
    await index.catalogue.remove("library", ids[TOO_FEW_TRACKS - 1 :])
    assert await uses_starter(index, db)
    await fill(index, ENOUGH_TRACKS - TOO_FEW_TRACKS, first=10_000)
    assert await uses_starter(index, db)


async def test_a_servers_tracks_count_on_that_server_only(index: Index, db: Database) -> None:
    await fill(index, ENOUGH_TRACKS, scope="guild:7")
    policy = StarterPolicy(index=index, db=db)
    assert (await policy.choose(7)).scopes == ("library", "guild:7")
    assert (await policy.choose(8)).scopes == ("starter", "library", "guild:8")
    assert (await policy.choose(None)).scopes == ("starter", "library")


async def test_server_policy_replaces_the_operators(index: Index, db: Database) -> None:
    policy = StarterPolicy(index=index, db=db, policy="never")
    assert (await policy.choose(7)).scopes == ("library", "guild:7")
    assert (await policy.choose(7, "always")).scopes == ("starter", "library", "guild:7")
    await fill(index, ENOUGH_TRACKS)
    assert (await policy.choose(7, "always")).starter
    assert (await policy.choose(7, "auto")).fallback == ("starter",)
    assert (await policy.choose(7)).fallback == ()


async def test_forgotten_guild_leaves_no_stored_choice(index: Index, db: Database) -> None:
    await fill(index, ENOUGH_TRACKS, scope="guild:7")
    assert not await uses_starter(index, db, 7)
    stored = "SELECT count(*) FROM kept_value WHERE name LIKE 'own_tracks_only:%'"
    assert await db.number(stored) == 1
    await forget_guild(db, 7)
    assert await db.number(stored) == 0


@pytest.mark.parametrize(
    ("policy", "tracks", "sentence"),
    [
        ("auto", 3, "auto: included, because 3 own tracks by 3 artists are fewer than 150 by 50"),
        ("auto", 200, "auto: left out, because 200 own tracks by 200 artists are enough"),
        ("never", 3, "never: left out (3 own tracks by 3 artists)"),
        ("always", 200, "always: included (200 own tracks by 200 artists)"),
    ],
)
async def test_sentence_names_rule_and_counts(
    index: Index, db: Database, policy: str, tracks: int, sentence: str
) -> None:
    await fill(index, tracks)
    assert policy_sentence(await StarterPolicy(index=index, db=db).choose(None, policy)) == sentence
