"""Songs and artists that are not recommended again, to a user or on a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import Translations
from bot.local_discord import LocalDiscord, Person, buttons, visible_text
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response, wait_text

pytestmark = pytest.mark.engines

MANAGE_SERVER = 1 << 5
TEXTS = Translations.load()


async def answer(world: World, person: Person, **options: Any) -> dict[str, Any]:
    used = await person.slash("recommend", {"clip": clip(), "count": 10, **options})
    return await wait_response(used)


def titles(message: dict[str, Any]) -> list[str]:
    return re.findall(r"Song \d+", visible_text(message))


async def add_song(world: World, person: Person, title: str, **options: Any) -> str:
    choices = await person.autocomplete("notagain add", "song", title)
    value = next(each["value"] for each in choices if each["name"].endswith(title))
    used = await person.slash("notagain add", {"song": value, **options})
    return await wait_text(used, "recommended")


async def test_song_on_a_users_list_is_left_out_for_that_user_alone(world: World) -> None:
    ben = world.discord.person("ben")
    first = titles(await answer(world, world.you))[0]
    said = await add_song(world, world.you, first)
    assert f"{first}** is not recommended to you again" in said
    assert first not in titles(await answer(world, world.you))
    assert first in titles(await answer(world, ben))
    removed = await world.you.slash("notagain remove", {"entry": said[2 : said.index("** is")]})
    await wait_text(removed, "may be recommended again")
    assert first in titles(await answer(world, world.you))
    world.discord.assert_clean()


async def test_public_answer_does_not_tell_whose_list_left_a_song_out(world: World) -> None:
    shown = titles(await answer(world, world.you))
    for title in shown:
        await add_song(world, world.you, title)
    emptied_message = await answer(world, world.you)
    emptied = visible_text(emptied_message)
    assert set(titles(emptied_message)).isdisjoint(shown[:1])
    for word in (str(world.you.id), "your list", "notagain", "not again"):
        assert word not in emptied


async def test_artist_on_a_servers_list_is_left_out_for_everybody(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path) as world:
        before = visible_text(await answer(world, world.you))
        artist = re.search(r"Artist \d+", before)
        assert artist is not None
        used = await world.you.slash("notagain add", {"artist": artist[0], "server": True})
        await wait_text(used, "not recommended on this server again")
        ben = discord.person("ben")
        pattern = re.compile(rf"{artist[0]}\b")
        assert pattern.search(before)
        assert not pattern.search(visible_text(await answer(world, ben)))
        denied = await ben.slash("notagain add", {"artist": "Somebody", "server": True})
        await wait_text(denied, "Manage Server")
        assert await ben.autocomplete("notagain remove", "entry", "") == []
        refused = await ben.slash("notagain remove", {"entry": artist[0]})
        await wait_text(refused, "isn't on a list")
        listed = await wait_text(await world.you.slash("notagain list"), "on this server")
        assert artist[0] in listed
        assert artist[0] not in await wait_text(await ben.slash("notagain list"), "Nothing")
        choices = await world.you.autocomplete("notagain remove", "entry", artist[0])
        assert [each["name"] for each in choices] == [f"{artist[0]} (artist, everyone here)"]
        undone = await world.you.slash("notagain remove", {"entry": choices[0]["value"]})
        await wait_text(undone, "may be recommended again")
        assert pattern.search(visible_text(await answer(world, ben)))
        discord.assert_clean()


async def test_lists_hold_for_more_like_this_and_uploads(world: World) -> None:
    found = await answer(world, world.you)
    more = next(
        b for b in buttons(await details_of(world, found)) if b["custom_id"].startswith("more:")
    )
    similar = await wait_response(
        await world.you.press(await details_of(world, found), more["custom_id"])
    )
    victim = titles(similar)[-1]
    await add_song(world, world.you, victim)
    again = await wait_response(
        await world.you.press(await details_of(world, found), more["custom_id"])
    )
    assert victim not in titles(again)[1:]


async def details_of(world: World, message: dict[str, Any]) -> dict[str, Any]:
    pressed = await world.you.press(message, "Details")
    return await wait_response(pressed)


@pytest.mark.parametrize("locale", ["de", "ja"])
async def test_list_is_in_the_users_language(world: World, locale: str) -> None:
    world.you.locale = locale
    used = await world.you.slash("notagain add", {"artist": "Nina"})
    await wait_text(used, TEXTS.text("notices.not_again_unheard", locale, name="Nina")[:12])
    listed = await wait_text(
        await world.you.slash("notagain list"), TEXTS.text("not_again.title", locale)
    )
    assert f"- **Nina** · {TEXTS.text('not_again.artist', locale)}" in listed


async def test_part_of_a_name_takes_off_the_only_entry_with_it(world: World) -> None:
    for artist in ("Artist 7", "Artist 8"):
        await wait_text(await world.you.slash("notagain add", {"artist": artist}), artist)
    for words in ("artist", "9"):  # of both entries, and of none
        used = await world.you.slash("notagain remove", {"entry": words})
        await wait_text(used, "isn't on a list")
    used = await world.you.slash("notagain remove", {"entry": "8"})
    await wait_text(used, "**Artist 8** may be recommended again")
    listed = await wait_text(await world.you.slash("notagain list"), "Artist 7")
    assert "Artist 8" not in listed


async def test_artist_without_a_track_is_told_with_similar_names(world: World) -> None:
    misspelt = await world.you.slash("notagain add", {"artist": "Artits 7"})
    assert "Artist 7" in await wait_text(misspelt, "has no track by that artist. Similar names")
    known = await world.you.slash("notagain add", {"artist": "artist 7"})
    await wait_text(known, "artist 7** is not recommended to you again")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either a song or an artist"),
        ({"song": "x", "artist": "y"}, "either a song or an artist"),
        ({"artist": "Unknown Artist"}, "isn't the name of an artist"),
    ],
)
async def test_wrong_option_is_declined(world: World, options: dict, words: str) -> None:
    assert words in await wait_text(await world.you.slash("notagain add", options), words)


@pytest.mark.parametrize("command", ["mix", "radio"])
async def test_lists_hold_for_questions_of_several_songs(world: World, command: str) -> None:
    options = {"track": "Song 3", "track2": "Song 8"}

    async def songs() -> set[str]:
        used = await world.you.slash(command, options)
        found = await used.wait_until(lambda m: len(set(titles(m))) > 2 and buttons(m))
        return set(titles(found)) - {"Song 3", "Song 8"}

    before = await songs()
    victim = min(before)
    await add_song(world, world.you, victim)
    after = await songs()
    assert after
    assert victim not in after
