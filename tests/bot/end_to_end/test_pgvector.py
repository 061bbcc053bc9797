"""Answers whose neighbours pgvector finds: those of the matrix, to an unmodified client."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bot.local_discord import LocalDiscord, visible_text
from bot.local_discord.schema import Schema
from db.address import PostgresAddress
from db.generations import NewTrack
from db.matrix import MatrixNeighbours
from db.pgvector import PgNeighbours
from db.pgvector_index import build_index, index_name
from db.postgres import PostgresDatabase
from db.served import vector_schema
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, details, wait_response
from tests.bot.end_to_end.fakes import unit
from tests.db.postgres_server import PostgresServer

SONGS = 60
LOCALES = ("en-US", "de")


async def build_graph(world: World) -> None:
    """Build the graph of the starter tracks, for which there are far too few."""
    db, index = world.app.resources.db, world.app.resources.recommender.index
    assert isinstance(db, PostgresDatabase)
    assert isinstance(index, PgNeighbours)
    schema = await vector_schema(db)
    assert schema is not None
    assert await build_index(db, index.model_id, schema, least=SONGS)
    assert await db.number("SELECT count(*) FROM served") == SONGS + 1
    plans = await db.number(
        "SELECT count(*) FROM pg_indexes WHERE indexname = ?", (index_name(index.model_id),)
    )
    assert plans == 1


async def shown(world: World, answer: dict[str, Any]) -> str:
    """Return the text of an answer and of its details, without the addresses of files."""
    full = await details(world, answer)
    return visible_text(answer) + visible_text(full)


async def answers(world: World) -> list[str]:
    """Ask with a clip, a genre and a mix in two languages, and return what is shown."""
    recommender = world.app.resources.recommender
    near_the_clip = unit(hashlib.sha256(WAV).digest()[0], near=1)
    own = NewTrack(
        title="Ours", artist="Band", genre="jazz", label="jazz", embedding=near_the_clip,
        source="https://band.example/1", content="1" * 64,
    )  # fmt: skip
    await recommender.catalogue.add(
        f"guild:{world.discord.guild.id}", recommender.preset.model_id, [own]
    )
    if isinstance(recommender.index, PgNeighbours):
        await build_graph(world)
    texts = []
    for locale in LOCALES:
        world.you.locale = locale
        for options in ({}, {"genre": "metal"}):
            used = await world.you.slash("recommend", {"clip": clip(), **options})
            texts.append(await shown(world, await wait_response(used)))
        used = await world.you.slash("mix", {"clip": clip(), "track": "Song 7"})
        texts.append(visible_text(await wait_response(used)))
    world.discord.assert_clean()
    return texts


async def test_pgvector_answers_as_the_matrix_does(
    schema: Schema | None, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    found = {}
    for database in (tmp_path / "genrec.db", PostgresAddress(postgres_server.new_schema())):
        async with (
            LocalDiscord(schema=schema) as discord,
            bot_on(discord, tmp_path, songs=SONGS, database=database) as world,
        ):
            found[type(world.app.resources.recommender.index)] = await answers(world)
    assert "Ours" in found[PgNeighbours][0]
    assert found[PgNeighbours] == found[MatrixNeighbours]
