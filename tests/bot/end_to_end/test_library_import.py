"""/library import: an export of Discord comes back on Discord, and nothing else comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.local_discord import LocalDiscord, Upload
from db.tracks import Catalogue
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_text

TITLES = ["=1+1", "'Round \u202eMidnight", "Two\nlines", "\U0001f468\u200d\U0001f469", "Plain"]


async def fill(world: World) -> None:
    for number, title in enumerate(TITLES):
        data = {"clip": clip(data=WAV + bytes([number])), "title": title, "artist": "@home"}
        await wait_text(await world.you.slash("library add", data), "Added")


async def export(world: World, form: str) -> bytes:
    used = await world.you.slash("library export", {"format": form})
    sent = await used.wait_until(lambda m: m["attachments"])
    return world.discord.cdn.read(sent["attachments"][0]["url"])


async def upload(
    world: World, data: bytes, words: str, *, name: str = "tracks.csv", where: Any = "music"
) -> str:
    """Use /library import and return the text of its response."""
    file = Upload(name, data)
    return await wait_text(
        await world.you.slash("library import", {"file": file}, channel=where), words
    )


def catalogue(world: World) -> tuple[Catalogue, str]:
    return world.app.resources.recommender.catalogue, world.app.resources.preset.model_id


async def titles(world: World, guild_id: str | None = None) -> list[str]:
    tracks, model_id = catalogue(world)
    scope = f"guild:{guild_id or world.discord.guild.id}"
    return [track.title for track in await tracks.browse(model_id, scope)]


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_export_brings_removed_tracks_back_on_discord(world: World, form: str) -> None:
    await fill(world)
    data, before = await export(world, form), await titles(world)
    tracks, model_id = catalogue(world)
    scope = f"guild:{world.discord.guild.id}"
    await tracks.remove(scope, [t.id for t in await tracks.browse(model_id, scope)])
    assert "were there" not in await upload(world, data, "5 new tracks", name=f"tracks.{form}")
    assert await titles(world) == before
    again = await upload(world, data, "0 new tracks")
    assert "5 tracks were there already" in again
    assert await titles(world) == before
    known = await world.you.slash("library add", {"clip": clip(data=WAV + bytes([4]))})
    assert "**Plain**" in await wait_text(known, "Already")
    world.discord.assert_clean()


async def test_export_of_one_server_is_imported_on_another_alone(
    discord: LocalDiscord, tmp_path: Any
) -> None:
    other = discord.add_guild("Other")
    elsewhere = next(iter(other.channels.values()))
    async with bot_on(discord, tmp_path) as world:
        await fill(world)
        data = await export(world, "csv")
        await upload(world, data, "5 new tracks", where=elsewhere)
        assert await titles(world, other.id) == await titles(world)
        answer = await world.you.slash("recommend", {"clip": clip()}, channel=elsewhere)
        assert "@\u200bhome" in await wait_text(answer, "Similar to")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tracks.m3u8", b"#EXTM3U\n#EXTINF:30,A - B\nA - B.mp3\n"),
        ("song.wav", WAV),
        ("other.csv", b"title,artist\nA,B\n"),
        ("other.json", b'{"tracks": {}}'),
        ("deep.json", b'{"tracks": ' + b"[" * 100_000),
        ("binary.csv", b"\xff\x00\x81"),
        ("utf16.csv", b"\xff\xfe\x00"),
        ("large.csv", b"x" * (10 * 2**20)),
    ],
)
async def test_file_that_is_no_export_is_declined(world: World, name: str, data: bytes) -> None:
    assert "{" not in await upload(world, data, "isn't an export", name=name)
    assert await titles(world) == []
    world.discord.assert_clean()


async def test_export_of_another_model_is_declined_with_the_model(world: World) -> None:
    await fill(world)
    data = json.loads(await export(world, "json")) | {"model_id": "other@000000000000"}
    _, model_id = catalogue(world)
    assert model_id.replace("@", "@\u200b") in await upload(
        world, json.dumps(data).encode(), "another model"
    )


async def test_row_that_cannot_be_read_is_counted_and_the_others_are_imported(
    world: World,
) -> None:
    await fill(world)
    data = json.loads(await export(world, "json"))
    data["tracks"][0]["embedding"] = "AAAA"
    data["tracks"][1]["title"] = ""
    text = await upload(world, json.dumps(data).encode(), "rows can't be read")
    assert "3 tracks were there already" in text
    assert "2 rows" in text


async def test_source_that_is_no_web_address_is_not_stored(world: World) -> None:
    await fill(world)
    data = json.loads(await export(world, "json"))
    sources = ["/etc/passwd", "file:///etc/passwd", "sha256:" + "0" * 64, "starter:song0", "x"]
    tracks, model_id = catalogue(world)
    scope = f"guild:{world.discord.guild.id}"
    await tracks.remove(scope, [t.id for t in await tracks.browse(model_id, scope)])
    for row, source in zip(data["tracks"], sources, strict=True):
        row["source"] = source
    await upload(world, json.dumps(data).encode(), "5 new tracks")
    stored = {track.source for track in await tracks.browse(model_id, scope)}
    assert not stored & set(sources)


async def test_table_saved_as_unicode_text_is_imported(world: World) -> None:
    await fill(world)
    data = (await export(world, "csv")).decode("utf-8-sig").encode("utf-16")
    assert "5 tracks were there" in await upload(world, data, "0 new tracks")
