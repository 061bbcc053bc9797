"""Own music first: /settings starter, what answers say of the origin of their tracks, /about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, visible_text
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response, wait_text

NO_TRACKS = "leave out the starter catalogue, and there are no other tracks yet"


async def answer(world: World) -> str:
    used = await world.you.slash("recommend", {"clip": clip()})
    return visible_text(await wait_response(used))


async def test_admin_chooses_the_policy_and_answers_and_about_follow_it(world: World) -> None:
    assert "Found in: starter catalogue" in await answer(world)
    about = await wait_text(await world.you.slash("about"), "fake")
    assert "included in answers (only until there are enough own tracks)" in about
    policy = {"policy": "starter_never"}
    await wait_text(await world.you.slash("settings starter", policy), "Saved")
    await wait_text(await world.you.slash("recommend", {"clip": clip()}), NO_TRACKS)
    assert "left out (never)" in await wait_text(await world.you.slash("about"), "fake")
    added = {"clip": clip(data=WAV + b"3"), "title": "Ours", "artist": "Us"}
    await wait_text(await world.you.slash("library add", added), "Added")
    shown = await answer(world)
    assert "Ours" in shown
    assert "Found in: this server's tracks" in shown
    panel = await wait_text(await world.you.slash("settings show"), "starter catalogue")
    assert "Tracks of the starter catalogue: never" in panel
    await wait_text(await world.you.slash("settings starter"), "Saved")
    assert "Found in: starter catalogue" in await answer(world)
    world.discord.assert_clean()


async def test_direct_messages_have_the_operators_policy(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, starter="never") as world:
        await wait_text(
            await world.you.slash("recommend", {"clip": clip()}, channel="dm"), NO_TRACKS
        )
        await wait_text(
            await world.you.slash("settings starter", {"policy": "starter_always"}), "Saved"
        )
        assert "Found in: starter catalogue" in await answer(world)


@pytest.mark.parametrize("locale", ["de", "ja"])
async def test_origin_is_named_in_the_users_language(world: World, locale: str) -> None:
    world.you.locale = locale
    shown = await answer(world)
    assert {"de": "Gefunden in: Startkatalog", "ja": "曲の出どころ: 初期カタログ"}[locale] in shown
