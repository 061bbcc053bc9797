"""/library add of a clip that is a track of the server already."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.local_discord import Interaction
from db.import_export import export_tracks, import_tracks
from genrec.types import Track
from tests.bot.end_to_end.conftest import WAV, World, clip, wait_text


async def add(world: World, name: str = "clip.wav", data: bytes = WAV, **options: str) -> str:
    used: Interaction = await world.you.slash("library add", {"clip": clip(name, data), **options})
    return await wait_text(used, "this server's track")


async def tracks(world: World) -> list[Track]:
    catalogue = world.app.resources.recommender.catalogue
    scope = f"guild:{world.discord.guild.id}"
    return await catalogue.browse(world.app.resources.preset.model_id, scope)


async def names(world: World) -> list[tuple[str, str]]:
    return [(track.title, track.artist) for track in await tracks(world)]


@pytest.mark.parametrize("name", ["clip.wav", "Other Artist - Other Song.wav", "x.wav"])
async def test_known_clip_without_names_keeps_its_own(world: World, name: str) -> None:
    await add(world, title="Blue Train", artist="John")
    text = await add(world, name)
    assert "Already" in text
    assert "**Blue Train** by John" in text
    assert "renamed" not in text
    assert await names(world) == [("Blue Train", "John")]
    world.discord.assert_clean()


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"title": "Blue Monday"}, ("Blue Monday", "John")),
        ({"artist": "Coltrane"}, ("Blue Train", "Coltrane")),
        ({"title": "A", "artist": "B"}, ("A", "B")),
    ],
    ids=str,
)
async def test_known_clip_with_other_names_is_renamed_and_both_are_told(
    world: World, given: dict[str, str], stored: tuple[str, str]
) -> None:
    await add(world, title="Blue Train", artist="John")
    text = await add(world, **given)
    assert "renamed" in text
    assert "**Blue Train** by John is" in text
    assert f"**{stored[0]}** by {stored[1]}" in text
    assert await names(world) == [stored]


async def test_known_clip_with_the_same_names_is_not_renamed(world: World) -> None:
    await add(world, title="Blue Train", artist="John")
    assert "renamed" not in await add(world, title="Blue Train", artist="John")


async def test_known_clip_without_an_artist_is_told_in_the_readers_language(world: World) -> None:
    await add(world, title="Blue Train")
    world.you.locale = "de"
    used = await world.you.slash("library add", {"clip": clip()})
    assert "Unbekannter" in await wait_text(used, "Schon bei")
    assert await names(world) == [("Blue Train", "Unknown artist")]


async def test_known_clip_of_another_admin_stays_that_admins(world: World) -> None:
    await add(world, title="Blue Train")
    ana = world.discord.person("ana", permissions=1 << 5)
    await wait_text(await ana.slash("library add", {"clip": clip()}), "Already")
    db = world.app.resources.db
    assert await db.all("SELECT added_by FROM entry WHERE added_by IS NOT NULL") == [
        (int(world.you.id),)
    ]


async def test_two_adds_at_once_make_one_track_that_keeps_the_first_names(world: World) -> None:
    world.pool.gate = asyncio.Event()
    ana = world.discord.person("ana", permissions=1 << 5)
    first = await world.you.slash("library add", {"clip": clip("First.wav")})
    second = await ana.slash("library add", {"clip": clip("Second.wav")})
    await first.wait_ack()
    await second.wait_ack()
    world.pool.gate.set()
    texts = [await wait_text(used, "this server's track") for used in (first, second)]
    assert sorted("Already" in text for text in texts) == [False, True]
    ((title, _),) = await names(world)
    assert all(f"**{title}**" in text for text in texts)


async def test_clip_of_an_imported_track_is_known(world: World, tmp_path: Path) -> None:
    await add(world, title="Blue Train", artist="John")
    catalogue = world.app.resources.recommender.catalogue
    preset = world.app.resources.preset
    scope = f"guild:{world.discord.guild.id}"
    pieces = export_tracks(
        catalogue, preset.model_id, "csv", scope=scope, public_source=lambda _: ""
    )
    text = "".join([piece async for piece in pieces])
    await catalogue.remove(scope, [track.id for track in await tracks(world)])
    await import_tracks(
        catalogue, text, scope=scope, model_id=preset.model_id, dimension=preset.dimension
    )
    assert "**Blue Train** by John" in await add(world, "Other.wav")
    assert await names(world) == [("Blue Train", "John")]
