"""Votes for an answer and for its single tracks, on the local Discord."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import Translations
from bot.local_discord import Interaction, LocalDiscord, Person, buttons, visible_text
from db.taste import voted_tracks
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response, wait_text

pytestmark = pytest.mark.engines

TEXTS = Translations.load()


async def answer(world: World) -> dict[str, Any]:
    return await wait_response(await world.you.slash("recommend", {"clip": clip()}))


async def thumb(person: Person, message: dict[str, Any], name: str = "up") -> Interaction:
    custom_id = next(
        b["custom_id"] for b in buttons(message) if b["custom_id"].startswith(f"thumb:{name}")
    )
    return await person.press(message, custom_id)


async def panel(person: Person, message: dict[str, Any], name: str = "up") -> dict[str, Any]:
    pressed = await thumb(person, message, name)
    found: dict[str, Any] = await pressed.wait_until(menus)
    assert pressed.ephemeral
    return found


def menus(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the select menus of a message by the first two parts of their custom ids."""
    found: dict[str, dict[str, Any]] = {}
    for container in message["components"]:
        for line in container.get("components", ()):
            for item in line.get("components", ()):
                if item["type"] == 3:
                    found[item["custom_id"].rpartition(":")[0]] = item
    return found


def chosen(message: dict[str, Any], menu: str) -> list[str]:
    return [o["label"] for o in menus(message)[menu]["options"] if o.get("default")]


async def choose(
    person: Person, message: dict[str, Any], menu: str, places: list[int]
) -> dict[str, Any]:
    """Choose the options at some places of a menu; return the panel after it."""
    item = menus(message)[menu]
    values = [item["options"][place]["value"] for place in places]
    used = await person.select(message, item["custom_id"], values)
    wanted = {item["options"][place]["label"] for place in places}
    return await used.wait_until(lambda m: menus(m) and set(chosen(m, menu)) == wanted)


def track_id(value: str) -> int:
    return int(value.partition(".")[0])


async def stored(world: World, person: Person) -> dict[int, float]:
    return await voted_tracks(world.app.resources.db, int(person.id))


async def test_thumb_shows_the_tracks_and_each_can_be_rated(world: World) -> None:
    found = await answer(world)
    shown = await panel(world.you, found)
    assert "You rated this answer as good" in visible_text(shown)
    options = menus(shown)["rate:up"]["options"]
    assert [option["label"][:2] for option in options] == ["1.", "2.", "3.", "4.", "5."]
    ids = [track_id(option["value"]) for option in options]
    assert await stored(world, world.you) == pytest.approx(dict.fromkeys(ids, 0.2))
    shown = await choose(world.you, shown, "rate:up", [0, 2])
    shown = await choose(world.you, shown, "rate:down", [1])
    assert chosen(shown, "rate:up") == [options[0]["label"], options[2]["label"]]
    expected = {ids[0]: 1.0, ids[1]: -1.0, ids[2]: 1.0, ids[3]: 0.2, ids[4]: 0.2}
    assert await stored(world, world.you) == pytest.approx(expected)
    shown = await choose(world.you, shown, "rate:up", [])
    assert (await stored(world, world.you))[ids[0]] == pytest.approx(0.2)
    rows = await world.app.resources.db.all(
        "SELECT rank, reasons FROM track_vote WHERE user_id = ? ORDER BY rank", (int(world.you.id),)
    )
    assert [rank for rank, _ in rows] == [1, 2, 3, 4, 5]
    assert {kind for _, reasons in rows for kind in reasons.split()} >= {"genre"}
    metrics = world.app.metrics.text().decode()
    assert 'genrec_track_votes_total{rank="1",verdict="up"} 1.0' in metrics
    assert 'genrec_track_votes_total{rank="2",verdict="down"} 1.0' in metrics
    assert "genrec_track_vote_reasons_total" in metrics
    told = await wait_text(await world.you.slash("about"), "Good tracks by place")
    assert "Good tracks by place: 2: 0% of 1" in told
    assert "same genre: " in told
    ben = world.discord.person("ben")
    assert "by place" not in await wait_text(await ben.slash("about"), "Ratings")
    world.discord.assert_clean()


async def test_two_people_vote_at_once(world: World) -> None:
    ben = world.discord.person("ben")
    found = await answer(world)
    mine, theirs = await asyncio.gather(panel(world.you, found), panel(ben, found, "down"))
    await asyncio.gather(
        choose(world.you, mine, "rate:up", [0]), choose(ben, theirs, "rate:up", [0, 1])
    )
    assert sorted((await stored(world, world.you)).values()) == pytest.approx([0.2] * 4 + [1.0])
    assert sorted((await stored(world, ben)).values()) == pytest.approx([-0.2] * 3 + [1.0] * 2)


async def test_menu_leaves_songs_and_artists_out_and_brings_them_back(world: World) -> None:
    found = await answer(world)
    shown = await panel(world.you, found, "down")
    offered = menus(shown)["unwanted:me"]["options"]
    songs = [o for o in offered if o["value"].startswith("s")]
    artist = next(place for place, o in enumerate(offered) if o["value"].startswith("a"))
    assert len(songs) == 5
    assert offered[artist]["label"].startswith("Everything by Artist ")
    shown = await choose(world.you, shown, "unwanted:me", [0, artist])
    listed = await wait_text(await world.you.slash("notagain list"), "Not recommended to you")
    assert songs[0]["label"] in listed
    assert offered[artist]["label"].removeprefix("Everything by ") in listed
    assert (
        songs[0]["label"] not in visible_text(await answer(world)).replace("\n", " ").split("·")[0]
    )
    shown = await choose(world.you, shown, "unwanted:me", [])
    await wait_text(await world.you.slash("notagain list"), "Nothing.")
    shown = await choose(world.you, shown, "unwanted:server", [1])
    listed = await wait_text(await world.you.slash("notagain list"), "on this server again")
    assert songs[1]["label"] in listed


async def test_menu_of_the_server_is_for_admins(world: World) -> None:
    ben = world.discord.person("ben")
    found = await answer(world)
    assert "unwanted:server" in menus(await panel(world.you, found))
    assert "unwanted:server" not in menus(await panel(ben, found))


async def test_removed_track_gets_no_vote_and_leaves_the_panel(world: World) -> None:
    found = await answer(world)
    shown = await panel(world.you, found)
    item = menus(shown)["rate:up"]
    resources = world.app.resources
    gone = track_id(item["options"][0]["value"])
    await resources.recommender.catalogue.remove("starter", [gone])
    await resources.recommender.reload()
    values = [option["value"] for option in item["options"][:2]]
    used = await world.you.select(shown, item["custom_id"], values)
    after = await used.wait_until(lambda m: "no longer available" in visible_text(m))
    assert len(menus(after)["rate:up"]["options"]) == 4
    assert len(chosen(after, "rate:up")) == 1
    assert (await stored(world, world.you))[gone] == pytest.approx(0.2)


async def test_old_answer_takes_votes_after_a_restart_and_a_deletion(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path) as world:
        found = await answer(world)
        shown = await panel(world.you, found)
        person = world.you
    async with bot_on(discord, tmp_path) as world:
        shown = await choose(person, shown, "rate:up", [0])
        await panel(person, found, "down")
        assert sorted((await stored(world, person)).values()) == pytest.approx([-0.2] * 4 + [1.0])
        deleting = await person.slash("privacy delete")
        asked = await deleting.wait_until(buttons)
        await wait_text(await person.press(asked, "Delete my data"), "Everything stored")
        assert await stored(world, person) == {}
        await choose(person, shown, "rate:up", [1])
        assert sorted((await stored(world, person)).values()) == [1.0]
        discord.assert_clean()


async def test_thumbs_of_older_messages_still_work(world: World) -> None:
    found = await answer(world)
    for control in buttons(found):
        if control["custom_id"].startswith("thumb:"):
            control["custom_id"] = "thumb:up:0"
    pressed = await world.you.press(found, "thumb:up:0")
    assert "You rated this answer as good" in await wait_text(pressed, "good")


@pytest.mark.parametrize("locale", ["de", "ja"])
async def test_panel_is_in_the_users_language(world: World, locale: str) -> None:
    world.you.locale = locale
    shown = await panel(world.you, await answer(world))
    assert TEXTS.text("votes.each", locale) in visible_text(shown)
    assert menus(shown)["rate:up"]["placeholder"] == TEXTS.text("votes.up", locale)
    shown = await choose(world.you, shown, "unwanted:me", [0])
    assert TEXTS.text("votes.left_out", locale)[:10] in visible_text(shown)
