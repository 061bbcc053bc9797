"""Guilds that removed the bot while it was down are forgotten at the next start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.jobs.departed_guilds import forget_departed_guilds
from bot.local_discord import LocalDiscord
from db.connection import open_db
from db.guild_settings import record_guilds
from db.key_values import get_value
from db.tracks import guild_scope
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_text
from tests.db.postgres_server import database_in

pytestmark = pytest.mark.engines


async def _tracks(world: World, guild_id: str) -> int:
    found = world.app.resources.recommender
    return await found.catalogue.count(found.preset.model_id, guild_scope(int(guild_id)))


async def _add(world: World, other: Any) -> None:
    elsewhere = next(iter(other.channels.values()))
    used = await world.you.slash("library add", {"clip": clip()}, channel=elsewhere)
    await wait_text(used, "Added")
    assert await _tracks(world, other.id) == 1


async def _recorded(world: World) -> None:
    """Wait until the bot has compared and stored its guilds."""
    name = f"guilds:{world.discord.state.bot.id}"
    async with asyncio.timeout(10):
        while await get_value(world.app.resources.db, name) is None:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.02)


async def test_guild_that_left_while_the_bot_was_down_is_forgotten(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gone, stays = discord.add_guild("Gone"), discord.add_guild("Stays")
    async with bot_on(discord, tmp_path) as world:
        await _add(world, gone)
        await _add(world, stays)
        await _recorded(world)
    gone.with_bot = False
    async with bot_on(discord, tmp_path) as world:
        async with asyncio.timeout(10):
            while f"removed from guild {gone.id} while offline" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # a log has no events
        assert await _tracks(world, gone.id) == 0
        assert await _tracks(world, stays.id) == 1


async def test_guild_that_discord_cannot_confirm_is_not_forgotten(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    other = discord.add_guild("Other")
    path = f"/guilds/{other.id}"
    async with bot_on(discord, tmp_path) as world:
        await _add(world, other)
        await _recorded(world)
    other.with_bot = False  # READY lacks it, as after an outage
    discord.faults.server_error("GET", path, 400, times=99)
    async with bot_on(discord, tmp_path) as world:
        await discord.wait_for(lambda: discord.calls("GET", path), 20)
        await asyncio.sleep(0.2)
        assert await _tracks(world, other.id) == 1


async def test_another_application_forgets_no_guild(tmp_path: Path) -> None:
    class Nobody:
        application_id, guilds = 2, ()

        async def fetch_guild(self, guild_id: int, **_: object) -> object:
            raise AssertionError(guild_id)

    async with open_db(database_in(tmp_path)) as db:
        await record_guilds(db, 1, {7})
        guilds: Any = None
        client: Any = Nobody()
        await forget_departed_guilds(client, db=db, guilds=guilds)
        assert client.guilds == ()
