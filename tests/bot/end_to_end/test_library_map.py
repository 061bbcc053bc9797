"""/library map on the local Discord: picture, page, marks, languages, and what nobody sees."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from typing import Any

from PIL import Image

from bot.local_discord import visible_text
from db.generations import NewTrack
from tests.bot.end_to_end.conftest import World, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import unit

SLOW_S = 60.0  # the process that lays out the map imports scikit-learn


async def add_tracks(world: World, scope: str, count: int, first: int = 0) -> list[int]:
    recommender = world.app.resources.recommender
    tracks = [
        NewTrack(
            title=f"Own {n}",
            artist=f"Band {n % 3}",
            genre="jazz" if n % 2 else "Dub techno",
            embedding=unit(1000 + n),
            fingerprint=None,
            source=f"/secret/folder/own{n}.flac",
            content=f"{scope}{n}",
        )
        for n in range(first, first + count)
    ]
    ids = await recommender.catalogue.add(scope, recommender.preset.model_id, tracks)
    await recommender.reload()
    return ids


async def mapped(world: World, **options: Any) -> dict[str, Any]:
    used = await world.you.slash("library map", options)
    return await used.wait_until(lambda m: bool(m["attachments"]), SLOW_S)


def attached(world: World, message: dict[str, Any]) -> dict[str, bytes]:
    return {
        each["filename"]: world.discord.cdn.read(each["url"]) for each in message["attachments"]
    }


def content(page: bytes) -> dict[str, Any]:
    """Return the tracks in a page."""
    packed = re.search(rb'<script id="data" type="text/plain">([^<]+)<', page)
    assert packed
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    return found


async def test_map_of_the_servers_tracks_has_a_picture_and_a_page(world: World) -> None:
    await add_tracks(world, f"guild:{world.discord.guild.id}", 12)
    message = await mapped(world)
    assert "Map of this server's tracks" in visible_text(message)
    assert "12 tracks" in visible_text(message)
    files = attached(world, message)
    assert Image.open(io.BytesIO(files["map.png"])).width > 400
    shown = content(files["map.html"])
    assert sorted(shown["titles"]) == sorted(f"Own {n}" for n in range(12))
    assert {group["name"] for group in shown["colourings"][0]["groups"]} == {"Jazz", "Dub techno"}
    picture = next(each for each in message["attachments"] if each["filename"] == "map.png")
    assert "Map of 12 tracks" in picture["description"]
    assert b"secret" not in files["map.html"]
    assert "secret" not in json.dumps(shown)
    world.discord.assert_clean()


async def test_map_of_few_own_tracks_is_one_of_all_tracks(world: World) -> None:
    message = await mapped(world, colour="artist")
    assert "Map of all tracks" in visible_text(message)
    shown = content(attached(world, message)["map.html"])
    assert shown["colourings"][0]["name"] == "Artist"
    assert len(shown["titles"]) == 12
    world.discord.assert_clean()


async def test_map_leaves_out_the_tracks_of_other_servers(world: World) -> None:
    await add_tracks(world, "guild:4711", 12)
    shown = content(attached(world, await mapped(world, scope="all"))["map.html"])
    assert not [title for title in shown["titles"] if title.startswith("Own")]


async def test_map_of_too_few_tracks_is_refused(world: World) -> None:
    await add_tracks(world, f"guild:{world.discord.guild.id}", 3)
    used = await world.you.slash("library map", {"scope": "server"})
    assert await wait_text(used, "at least 10 tracks")
    world.discord.assert_clean()


async def test_map_is_in_the_language_of_the_person(world: World) -> None:
    world.you.locale = "de"
    message = await mapped(world, scope="all")
    assert "Karte aller Titel" in visible_text(message)
    shown = content(attached(world, message)["map.html"])
    assert (shown["lang"], shown["texts"]["search"]) == ("de", "Suche")
    world.discord.assert_clean()


async def test_map_marks_a_named_track(world: World) -> None:
    choices = await world.you.autocomplete("library map", "track", "song 7")
    assert choices[0]["name"] == "Artist 7 - Song 7"
    message = await mapped(world, track=choices[0]["value"])
    assert "Marked: + **Song 7** · Artist 7" in visible_text(message)
    (mark,) = content(attached(world, message)["map.html"])["marks"]
    assert mark["text"] == "+"
    world.discord.assert_clean()


async def test_map_of_other_tracks_refuses_to_mark_one(world: World) -> None:
    await add_tracks(world, f"guild:{world.discord.guild.id}", 12)
    used = await world.you.slash("library map", {"track": "Song 7", "scope": "server"})
    assert "isn't among the tracks of this map" in await wait_text(used, "Song 7", SLOW_S)


async def test_map_marks_the_clip_and_the_tracks_of_the_last_answer(world: World) -> None:
    await wait_response(await world.you.slash("recommend", {"clip": clip(), "count": 3}))
    message = await mapped(world)
    assert "Marked: + your clip, 1 **Song" in visible_text(message)
    marks = content(attached(world, message)["map.html"])["marks"]
    assert [mark["text"] for mark in marks] == ["+", "1", "2", "3"]
    ana = world.discord.person("ana", permissions=1 << 5 | 0x80000C00)
    used = await ana.slash("library map")
    other = await used.wait_until(lambda m: bool(m["attachments"]), SLOW_S)
    assert "Marked" not in visible_text(other)
    world.discord.assert_clean()
