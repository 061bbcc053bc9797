"""/genres and genres in a library's own words: taught, named in answers, listed, forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.local_discord import Interaction, LocalDiscord, NotOffered, visible_text
from db.generations import NewTrack
from db.guild_settings import forget_guild
from db.taught_genres import taught_genres
from genrec.types import Analysis
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import FakePool, unit

FAR = 500  # seed of an embedding that is far from the starter catalogue
NAMED = "In this library: **"


class OwnPool(FakePool):
    """Analyses files of `own` as near each other, and far from all other files."""

    async def analyze(self, path: Path) -> Analysis:
        data = path.read_bytes()
        found = await super().analyze(path)
        seed = hashlib.sha256(data).digest()[1]
        return replace(found, embedding=unit(seed, near=FAR)) if b"own" in data else found


def own(number: int) -> bytes:
    return WAV + b"own" + bytes([number])


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    async with bot_on(discord, tmp_path, songs=40, pool=OwnPool()) as running:
        yield running


async def teach(world: World, name: str, clips: Sequence[bytes], **options: object) -> Interaction:
    files = {
        f"clip{'' if n == 0 else n + 1}": clip(f"{n}.wav", data) for n, data in enumerate(clips)
    }
    return await world.you.slash("genres teach", {"name": name, **files, **options})


async def genre_of(world: World, data: bytes, channel: str = "music") -> str:
    used = await world.you.slash("genre", {"clip": clip(data=data)}, channel=channel)
    return visible_text(await wait_response(used))


async def test_taught_genre_is_named_listed_and_forgotten(world: World) -> None:
    few = await teach(world, "Shoe*gaze", [own(1), own(2)])
    assert "at least 3 clips" in await wait_text(few, "has 2 clips now")
    assert NAMED not in await genre_of(world, own(9))
    more = await teach(world, "shoegaze", [own(2), own(3), own(4)])
    assert "from now on" in await wait_text(more, "has 4 clips now")
    shown = await genre_of(world, own(9))
    assert f"{NAMED}Shoe\\*gaze**" in shown
    assert NAMED not in await genre_of(world, WAV + b"other")
    answer = await world.you.slash("recommend", {"clip": clip(data=own(9))})
    assert NAMED in visible_text(await wait_response(answer))
    listed = await wait_text(await world.you.slash("genres list"), "own words")
    assert "taught, 4 clips" in listed
    choices = await world.you.autocomplete("genres forget", "name", "SHOE")
    assert [choice["value"] for choice in choices] == ["Shoe*gaze"]
    await wait_text(await world.you.slash("genres forget", {"name": "shoe-gaze"}), "Forgotten")
    assert NAMED not in await genre_of(world, own(9))
    await wait_text(await world.you.slash("genres forget", {"name": "shoegaze"}), "No genre")
    world.discord.assert_clean()


async def test_genre_of_one_server_is_not_named_on_another_or_in_direct_messages(
    world: World,
) -> None:
    elsewhere = next(iter(world.discord.add_guild("Other").channels.values()))
    await wait_text(await teach(world, "Ours", [own(1), own(2), own(3)]), "from now on")
    assert NAMED in await genre_of(world, own(9))
    assert NAMED not in await genre_of(world, own(9), elsewhere)
    assert NAMED not in await genre_of(world, own(9), "dm")
    listed = await world.you.slash("genres list", channel=elsewhere)
    assert "Ours" not in await wait_text(listed, "no own genres yet")


async def test_message_menu_asks_for_the_name_and_teaches_all_clips(world: World) -> None:
    files = [clip(f"{n}.wav", own(n)) for n in range(7)]
    message = await world.you.say(uploads=files)
    opened = await world.you.menu("Teach a genre from this message", message)
    field = (await opened.wait_modal())["components"][0]["component"]["custom_id"]
    sent = await world.you.submit(opened, {field: "Dream pop"})
    assert "from now on" in await wait_text(sent, "has 7 clips now")
    opened = await world.you.menu("Teach a genre from this message", message)
    field = (await opened.wait_modal())["components"][0]["component"]["custom_id"]
    again = await world.you.submit(opened, {field: "…"})
    await wait_text(again, "name with letters")


async def test_refused_clips_are_listed_and_the_others_teach(world: World) -> None:
    clips = [own(1), own(2), own(3)]
    links = "http://127.0.0.1/a.mp3"
    used = await teach(world, "Drone", clips, links=links)
    text = await wait_text(used, "has 3 clips now")
    assert "127.0.0.1" in text
    alone = await world.you.slash("genres teach", {"name": "Drone", "links": links})
    assert "clips now" not in visible_text(await alone.wait_edited())
    await wait_text(await world.you.slash("genres teach", {"name": "Drone"}), "at least one clip")


async def test_clip_without_music_teaches_nothing(world: World) -> None:
    world.pool.music = 0.0
    used = await teach(world, "Talk", [own(1)])
    await wait_text(used, "no music")
    model_id = world.app.resources.preset.model_id
    scope = f"guild:{world.discord.guild.id}"
    assert await taught_genres(world.app.resources.db, scope, model_id) == []


async def test_random_clips_are_taught_and_not_named(world: World) -> None:
    other = [WAV + bytes([n]) for n in range(4)]  # like all others of this pool
    used = await teach(world, "Anything", other)
    assert "can't be told apart" in await wait_text(used, "has 4 clips now")
    assert NAMED not in await genre_of(world, other[0])
    listed = await wait_text(await world.you.slash("genres list"), "own words")
    assert "Can't be told apart by sound: Anything" in listed


async def test_only_managers_teach_list_and_forget(world: World) -> None:
    ana = world.discord.person("ana", permissions=0x80000C00)
    message = await world.you.say(uploads=[clip(data=own(1))])
    link = "https://x.example/a.mp3"
    for command, options in (
        ("genres teach", {"name": "X", "links": link}),
        ("genres list", {}),
        ("genres forget", {"name": "X"}),
    ):
        with pytest.raises(NotOffered):
            await ana.slash(command, options)
        used = await ana.slash(command, options, force=True)  # as a modified client does
        await wait_text(used, "Manage Server")
    with pytest.raises(NotOffered):
        await ana.menu("Teach a genre from this message", message)
    forced = await ana.menu("Teach a genre from this message", message, force=True)
    await wait_text(forced, "Manage Server")


async def test_tags_of_the_operators_music_and_of_added_tracks_are_named(world: World) -> None:
    catalogue = world.app.resources.recommender.catalogue
    model_id = world.app.resources.preset.model_id
    tracks = [
        NewTrack(
            title=f"T{n}",
            artist=f"A{n}",
            genre="Slowcore; (26)" if n % 2 else "slowcore",
            label="jazz",
            tagged=n < 6,
            embedding=unit(3000 + n, near=FAR),
            source=f"/music/{n}.mp3",
        )
        for n in range(9)
    ]
    await catalogue.add("library", model_id, tracks)
    assert f"{NAMED}slowcore**" in await genre_of(world, own(9))
    assert f"{NAMED}slowcore**" in await genre_of(world, own(9), "dm")
    listed = await wait_text(await world.you.slash("genres list"), "operator's music")
    assert "slowcore** · 6 tracks" in listed.casefold()
    assert "Too few tracks: Ambient" in listed
    added = {"clip": clip(data=own(40)), "title": "Mine", "genre": "Sad*core"}
    assert "Sad" in await wait_text(await world.you.slash("library add", added), "Added")
    listed = await wait_text(await world.you.slash("genres list"), "Of this server")
    assert "Too few tracks: Sad\\*core" in listed


async def test_forgotten_server_has_no_taught_genres_and_privacy_counts_them(world: World) -> None:
    await wait_text(await teach(world, "Ours", [own(1), own(2), own(3)]), "from now on")
    shown = await wait_text(await world.you.slash("privacy show"), "What genrec stores")
    assert "**Clips you taught** genres with: 3" in shown
    db, guild_id = world.app.resources.db, world.discord.guild.id
    await forget_guild(db, int(guild_id))
    assert await db.number("SELECT count(*) FROM taught_clip") == 0
    assert NAMED not in await genre_of(world, own(9))


@pytest.mark.parametrize(
    ("locale", "words"), [("de", "In dieser Bibliothek: **"), ("ja", "このライブラリでは: **")]
)
async def test_words_are_named_in_the_users_language(world: World, locale: str, words: str) -> None:
    await wait_text(await teach(world, "Ours", [own(1), own(2), own(3)]), "from now on")
    world.you.locale = locale
    assert words in await genre_of(world, own(9))
