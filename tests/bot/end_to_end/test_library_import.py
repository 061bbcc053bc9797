"""/library import: an export of Discord comes back on Discord, and nothing else comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.local_discord import LocalDiscord, Upload
from db.generations import NewTrack
from db.list_writers import FORMATS
from db.tracks import Catalogue
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_text
from tests.bot.end_to_end.fakes import unit

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


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_export_brings_removed_tracks_back_on_discord(world: World, form: str) -> None:
    await fill(world)
    data, before = await export(world, form), await titles(world)
    tracks, model_id = catalogue(world)
    scope = f"guild:{world.discord.guild.id}"
    await tracks.remove(scope, [t.id for t in await tracks.browse(model_id, scope)])
    assert "were there" not in await upload(world, data, "5 new tracks", name=f"tracks.{form}")
    assert await titles(world) == before
    again = await upload(world, data, "0 new tracks", name=f"tracks.{form}")
    assert "5 tracks were there already" in again
    assert await titles(world) == before
    known = await world.you.slash("library add", {"clip": clip(data=WAV + bytes([4]))})
    assert "**Plain**" in await wait_text(known, "Already")
    world.discord.assert_clean()


@pytest.mark.parametrize("form", FORMATS)
async def test_list_of_any_format_is_imported_again(world: World, form: str) -> None:
    tracks, model_id = catalogue(world)
    guild = f"guild:{world.discord.guild.id}"
    songs = [
        NewTrack(
            title=title, artist="\u00c9 - @home", genre="jazz", embedding=unit(number),
            source=f"https://band.example/{number}#x", content=f"{number:064x}",
        )
        for number, title in enumerate(TITLES)
    ]  # fmt: skip
    await tracks.add(guild, model_id, songs)
    data = await export(world, form)
    known = await upload(world, data, "0 new tracks", name=f"tracks.{form}")
    assert "5 tracks were there already" in known
    assert len(await titles(world)) == 5
    world.discord.assert_clean()


async def test_list_of_names_copies_known_tracks_and_counts_unknown_ones(world: World) -> None:
    names = "1. Artist 3 - Song 3\n\nsong 4 \u2013 ARTIST 4\nNobody - Nothing\n"
    text = await upload(world, names.encode(), "2 new tracks", name="list.txt")
    assert "One line names a track that isn't known here" in text
    assert sorted(await titles(world)) == ["Song 3", "Song 4"]
    foreign = "Track Name,Artist Name(s),Popularity\nSong 5,Artist 5,80\n"
    await upload(world, foreign.encode(), "One new track", name="liked.csv")
    world.discord.assert_clean()


async def test_list_finds_no_track_of_another_server_and_no_file_of_the_operator(
    discord: LocalDiscord, tmp_path: Any
) -> None:
    discord.add_guild("Other")
    other = next(guild for guild in discord.state.guilds if guild != discord.guild.id)
    async with bot_on(discord, tmp_path, songs=0) as world:
        tracks, model_id = catalogue(world)
        for number, (scope, source) in enumerate(
            ((f"guild:{other}", "https://band.example/1"), ("library", "/srv/music/2.flac"))
        ):
            song = NewTrack(
                title=f"Song {number}", artist="Band", genre="jazz", embedding=unit(number),
                source=source, content=f"{number:064x}",
            )  # fmt: skip
            await tracks.add(scope, model_id, [song])
        for line in ("https://band.example/1", "/srv/music/2.flac", "../../srv/music/2.flac"):
            playlist = f"#EXTM3U\n{line}\n".encode()
            await upload(world, playlist, "isn't known here", name="a.m3u8")
        await upload(world, b"Band - Song 0", "isn't known here", name="a.txt")
        assert await titles(world) == []


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
        ("song.wav", WAV),
        ("other.csv", b"title,length\nA,9\n"),
        ("other.jspf", b'{"playlist": {"track": [7]}}'),
        ("other.json", b'{"tracks": {}}'),
        ("deep.json", b'{"tracks": ' + b"[" * 100_000),
        ("binary.csv", b"\xff\x00\x81"),
        ("utf16.csv", b"\xff\xfe\x00"),
        ("large.csv", b"x" * (10 * 2**20)),
    ],
)
async def test_file_that_is_no_export_is_declined(world: World, name: str, data: bytes) -> None:
    assert "{" not in await upload(world, data, "isn't a list", name=name)
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
