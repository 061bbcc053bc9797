"""/path by name, clip and link, Another way and Export, on the local Discord."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.local_discord import Interaction, LocalDiscord, Upload, buttons, visible_text
from db.generations import NewTrack
from tests.bot.end_to_end.asking import link_to
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import DIMENSION, LABELS

LAST = 40


def on_arc(number: int, band: str | None = None) -> NewTrack:
    """Make a track on the arc from the first to the second axis, a little beside it."""
    angle = np.pi / 2 * number / LAST
    rng = np.random.default_rng(number)
    vector = np.concatenate([[np.cos(angle), np.sin(angle)], 0.05 * rng.normal(size=DIMENSION - 2)])
    return NewTrack(
        title=f"Song {number}",
        artist=band or f"Band {number}",
        genre=LABELS[3 * number // (LAST + 1)],
        label=LABELS[3 * number // (LAST + 1)],
        embedding=(vector / np.linalg.norm(vector)).astype(np.float32),
        fingerprint=rng.integers(-90, 90, (15, 190)).astype(np.int8),
        source=f"https://music.example/{number}",
    )


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    async with bot_on(discord, tmp_path, songs=0) as running:
        resources = running.app.resources
        tracks = [on_arc(n) for n in range(LAST + 1)]
        await resources.recommender.catalogue.add("library", resources.preset.model_id, tracks)
        await resources.recommender.reload()
        yield running
        discord.assert_clean()


async def path(world: World, **options: object) -> Interaction:
    named = {name.rstrip("_"): value for name, value in options.items()}
    return await world.you.slash("path", named)


async def answer_of(world: World, **options: object) -> dict:
    return await wait_response(await path(world, **options))


def numbers(message: dict) -> list[int]:
    """Return the numbers of the songs of an answer's list, in order."""
    return [int(n) for n in re.findall(r"^\d+\. \*\*\[Song (\d+)\]", visible_text(message), re.M)]


async def export(world: World, message: dict, label: str, end: str) -> bytes:
    """Press Export and a format, and return the file."""
    pressed = await world.you.press(message, label)
    offered = await pressed.wait_until(lambda m: any(end in b["custom_id"] for b in buttons(m)))
    button = next(b for b in buttons(offered) if b["custom_id"].endswith(end))
    chosen = await world.you.press(offered, button["label"])
    sent = await chosen.wait_until(lambda m: bool(m["attachments"]))
    return world.discord.cdn.read(sent["attachments"][0]["url"])


async def test_path_by_name_has_a_list_and_a_picture(world: World) -> None:
    choices = await world.you.autocomplete("path", "from", "song 0")
    assert choices[0]["name"] == "Band 0 - Song 0"
    message = await answer_of(world, from_=choices[0]["value"], to=f"Band {LAST} - Song {LAST}")
    text = visible_text(message)
    assert f"Path from Song 0 to Song {LAST}" in text
    found = numbers(message)
    assert len(found) == 8
    assert (found[0], found[-1]) == (0, LAST)
    assert found == sorted(set(found))
    assert len(re.findall(r"\d+ ?%$", text, re.M)) == 7
    assert "](https://music.example/0)" in text
    assert "again:0" in text
    (picture,) = message["attachments"]
    assert picture["filename"] == "path.png"
    assert f"Map of the path from Song 0 to Song {LAST}: 8 numbered songs" in str(message)
    assert f"1–{sum(3 * n // (LAST + 1) == 0 for n in found)}: " in str(message)
    image = Image.open(BytesIO(world.discord.cdn.read(picture["url"])))
    assert image.size[0] == 800
    assert world.pool.analyzed == []


async def test_another_way_differs_and_its_number_repeats_it(world: World) -> None:
    message = await answer_of(world, from_="Song 0", to=f"Song {LAST}", steps=10)
    other = await wait_response(await world.you.press(message, "Another way"))
    assert "again:1" in visible_text(other)
    assert numbers(other) != numbers(message)
    assert (numbers(other)[0], numbers(other)[-1], len(numbers(other))) == (0, LAST, 10)
    again = await answer_of(world, from_="Song 0", to=f"Song {LAST}", steps=10, again=1)
    assert numbers(again) == numbers(other)
    third = await wait_response(await world.you.press(other, "Another way"))
    assert "again:2" in visible_text(third)
    large = await answer_of(world, from_="Song 0", to=f"Song {LAST}", steps=10, again=1234)
    assert "again:1234`" in visible_text(large)  # as the option takes it, without separators


async def test_twenty_songs_are_all_exported(world: World) -> None:
    message = await answer_of(world, from_="Song 0", to=f"Song {LAST}", steps=20)
    found = numbers(message)
    assert len(found) == 20
    listed = json.loads(await export(world, message, "Export", ":jspf"))["playlist"]["track"]
    assert [int(track["title"].split()[1]) for track in listed] == found


async def test_clips_are_ends_in_german_and_private(world: World) -> None:
    world.you.locale = "de"
    first, second = (
        clip("Anfang.wav", b"RIFF" + b"\x01" * 2000),
        clip("Ende.wav", b"RIFF\x02" * 500),
    )
    used = await path(world, from_clip=first, to=f"Song {LAST}", steps=5, private=True)
    message = await wait_response(used)
    assert used.ephemeral
    assert f"Weg von Anfang nach Song {LAST}" in visible_text(message)
    assert "wieder:0" in visible_text(message)
    assert "1. **Anfang**" in visible_text(message)
    other = await world.you.press(message, "Anderer Weg")
    assert "Weg von Anfang nach" in visible_text(await wait_response(other))
    assert other.ephemeral
    assert len(world.pool.analyzed) == 1  # Another way uses the cached analysis
    linked = await answer_of(world, from_=link_to(world, "lied.mp3"), to_clip=second, steps=4)
    assert "nach Ende" in visible_text(linked)


async def test_short_way_says_why(world: World, discord: LocalDiscord) -> None:
    near = await answer_of(world, from_="Song 10", to="Song 12", steps=20)
    shown = numbers(near)
    assert (shown[0], shown[-1]) == (10, 12)
    assert 2 < len(shown) < 20
    assert f"Only {len(shown)} of 20 songs" in visible_text(near)


async def test_ends_with_nothing_between_say_so(world: World) -> None:
    resources = world.app.resources
    rows = await resources.recommender.index.rows()
    kept = (await resources.recommender.tracks(rows.ids.tolist()))[:2]
    others = [i for i in rows.ids.tolist() if i not in {track.id for track in kept}]
    await resources.recommender.catalogue.remove("library", others)
    await resources.recommender.reload()
    message = await answer_of(world, from_=kept[0].title, to=kept[1].title)
    assert "No song lies between these two" in visible_text(message)
    assert "Another way" not in {b.get("label") for b in buttons(message)}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"from_": "Song 1"}, "A path needs two ends"),
        ({"from_": "Song 1", "from_clip": clip(), "to": "Song 2"}, "not both"),
        ({"from_": "Song 1", "to": "Song 1"}, "Both ends are the same song"),
        ({"from_": "Song 1", "to": "Sonnge 4"}, "Song 4"),
        ({"from_": "Song 1", "to": "qqqqqqqqqq"}, "qqqqqqqqqq"),
        ({"from_": "Song 1", "to_clip": Upload("a.m3u8", b"#EXTM3U\n")}, "not with a list"),
    ],
)
async def test_bad_ends_have_their_sentence(
    world: World, options: dict[str, object], sentence: str
) -> None:
    assert sentence in await wait_text(await path(world, **options), sentence)


async def test_clip_without_music_is_named(world: World) -> None:
    world.pool.music = 0.0
    used = await path(world, from_clip=clip("talk.wav"), to="Song 1")
    assert "talk" in await wait_text(used, "music")


async def test_old_button_is_gone(world: World) -> None:
    message = await answer_of(world, from_="Song 0", to="Song 9", steps=3)
    resources = world.app.resources
    rows = await resources.recommender.index.rows()
    await resources.recommender.catalogue.remove("library", rows.ids.tolist()[:1])
    await resources.recommender.reload()
    pressed = await world.you.press(message, "Another way")
    assert "no longer" in await wait_text(pressed, "no longer")


async def test_song_that_is_not_wanted_again_is_on_no_path(world: World) -> None:
    options = {"from_": "Song 0", "to": f"Song {LAST}"}
    before = numbers(await answer_of(world, **options))
    unwanted = before[len(before) // 2]
    used = await world.you.slash("notagain add", {"song": f"Song {unwanted}"})
    await wait_text(used, "is not recommended to you again")
    after = numbers(await answer_of(world, **options))
    assert unwanted in before
    assert unwanted not in after
    assert (after[0], after[-1]) == (before[0], before[-1])
