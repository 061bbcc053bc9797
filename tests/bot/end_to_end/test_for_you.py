"""/foryou on the local Discord: the opt-in, the tracks, and what /privacy shows and deletes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from bot.i18n import Translations
from bot.local_discord import Interaction, Person, buttons, visible_text
from db.privacy import UserData, count_user_data
from db.taste import opted_in, shown_lately
from tests.bot.end_to_end.conftest import World, wait_response, wait_text
from tests.bot.end_to_end.test_votes import answer, choose, panel

TEXTS = Translations.load()


async def rate(world: World, person: Person, *, good: list[int], bad: list[int]) -> None:
    shown = await panel(person, await answer(world))
    shown = await choose(person, shown, "rate:up", good)
    await choose(person, shown, "rate:down", bad)


async def allowed(person: Person, **options: Any) -> Interaction:
    asked = await (await person.slash("foryou", options)).wait_until(buttons)
    return await person.press(
        asked, next(b["custom_id"] for b in buttons(asked) if ":on:" in b["custom_id"])
    )


def titles(message: dict[str, Any]) -> list[str]:
    return re.findall(r"\*\*\d+\. \[(Song \d+)", visible_text(message))


async def test_first_use_asks_and_answers_from_the_good_tracks(world: World) -> None:
    you, db = world.you, world.app.resources.db
    await rate(world, you, good=[0, 1, 2], bad=[3])
    first = await you.slash("foryou", {"count": 3})
    asked = await first.wait_until(buttons)
    assert first.ephemeral
    assert "only if you allow it" in visible_text(asked)
    assert not await opted_in(db, int(you.id))
    found = await wait_response(await allowed(you, count=3))
    shown = titles(found)
    assert len(shown) == 3
    assert "because you like Song" in visible_text(found)
    rated = re.findall(r"Song \d+", visible_text(await answer(world)))[:4]
    assert set(shown).isdisjoint(rated)
    ids = await shown_lately(db, int(you.id))
    assert len(ids) == 3
    again = await you.slash("foryou", {"count": 3})
    assert set(titles(await wait_response(again))).isdisjoint(shown)
    assert again.ephemeral
    world.discord.assert_clean()


async def test_answer_may_be_public_and_then_has_no_button_to_stop(world: World) -> None:
    await rate(world, world.you, good=[0, 1, 2], bad=[])
    private = await wait_response(await allowed(world.you))
    assert any(b["custom_id"] == "foryou:off" for b in buttons(private))
    used = await world.you.slash("foryou", {"private": False})
    public = await wait_response(used)
    assert not used.ephemeral
    assert all(b["custom_id"] != "foryou:off" for b in buttons(public))


async def test_too_few_ratings_are_told_with_the_way_to_give_more(world: World) -> None:
    await rate(world, world.you, good=[0, 1], bad=[])
    told = await wait_text(await allowed(world.you), "needs 3 good tracks")
    assert "you have 2 so far" in told
    assert "choose the good tracks" in told
    shown = await panel(world.you, await answer(world), "down")
    await choose(world.you, shown, "rate:up", [0, 1])
    pressed = await world.you.slash("foryou")
    assert "you have 2 so far" in await wait_text(pressed, "needs 3"), "the same tracks count once"


async def test_refusal_and_stop_leave_the_ratings(world: World) -> None:
    you, db = world.you, world.app.resources.db
    await rate(world, you, good=[0, 1, 2], bad=[])
    asked = await (await you.slash("foryou")).wait_until(buttons)
    await wait_text(await you.press(asked, "foryou:no"), "doesn't use your ratings")
    assert not await opted_in(db, int(you.id))
    found = await wait_response(await allowed(you))
    await wait_text(await you.press(found, "foryou:off"), "no longer uses your ratings")
    assert not await opted_in(db, int(you.id))
    data = await count_user_data(db, int(you.id))
    assert (data.track_votes, data.taste, data.taste_shown) == (5, 0, 0)


async def test_privacy_shows_and_deletes_all_of_it_while_an_answer_waits(world: World) -> None:
    you, db = world.you, world.app.resources.db
    await rate(world, you, good=[0, 1, 2], bad=[])
    await wait_response(await allowed(you))
    await wait_text(await you.slash("notagain add", {"artist": "Nina"}), "on the list")
    shown = await wait_text(await you.slash("privacy show"), "What genrec stores")
    for words in ("Tracks you rated", "one entry, see", "uses your ratings", "showed you"):
        assert words in shown
    asked = await (await you.slash("privacy delete")).wait_until(buttons)
    waiting, deleted = await asyncio.gather(you.slash("foryou"), you.press(asked, "Delete my data"))
    await wait_text(deleted, "Everything stored about you was deleted")
    await waiting.wait_until(buttons)
    await world.settled()
    assert await count_user_data(db, int(you.id)) == UserData(0, 0, 0)
    assert "Nothing is stored about" in await wait_text(await you.slash("privacy show"), "What")


async def test_not_again_list_holds_for_the_tracks_for_you(world: World) -> None:
    await rate(world, world.you, good=[0, 1, 2], bad=[])
    found = await wait_response(await allowed(world.you, count=2))
    artist = re.search(r"Artist \d+(?= · )", visible_text(found))
    await wait_text(await world.you.press(found, "foryou:off"), "no longer")
    assert artist is not None
    await wait_text(await world.you.slash("notagain add", {"artist": artist[0]}), "not rec")
    again = visible_text(await wait_response(await allowed(world.you, count=2)))
    assert f"{artist[0]} ·" not in again


@pytest.mark.parametrize("locale", ["de", "ja"])
async def test_texts_are_in_the_users_language(world: World, locale: str) -> None:
    await rate(world, world.you, good=[0, 1, 2], bad=[])
    world.you.locale = locale
    asked = await (await world.you.slash("foryou")).wait_until(buttons)
    assert TEXTS.text("for_you.allow", locale) in [b["label"] for b in buttons(asked)]
    found = await wait_response(await allowed(world.you))
    assert TEXTS.text("for_you.title", locale) in visible_text(found)
    assert TEXTS.text("for_you.stop", locale) in [b.get("label") for b in buttons(found)]
