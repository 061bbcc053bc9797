"""Forget the guilds that removed the bot while it was not connected."""

from __future__ import annotations

import logging

import aiohttp
import discord

from bot.client.retry import with_retry
from bot.jobs.guild_settings_cache import GuildSettingsCache
from db.connection import Database
from db.guild_settings import departed_guilds, record_guilds
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

_MISSING_ACCESS = 50001
_UNKNOWN_GUILD = 10004


async def forget_departed_guilds(
    client: discord.Client, *, db: Database, guilds: GuildSettingsCache
) -> None:
    """Compare the guilds of READY with those of the last time, and forget the missing ones.

    READY also lists guilds of an outage, as unavailable. A missing guild, perhaps of another shard,
    is requested once more, and only Discord's answer that it is not ours deletes its data.
    """
    assert client.application_id is not None, "READY comes after the login"
    present = {guild.id for guild in client.guilds}
    try:
        for guild_id in await departed_guilds(db, client.application_id, present):
            if await _has_left(client, guild_id):
                await guilds.forget(guild_id)
                log.info("removed from guild %s while offline: its data is deleted", guild_id)
            else:
                present.add(guild_id)
        await record_guilds(db, client.application_id, present)
    except CatalogueError as error:
        log.warning("departed guilds not deleted, next try at the next start: %s", error)


async def _has_left(client: discord.Client, guild_id: int) -> bool:
    try:
        await with_retry(lambda: client.fetch_guild(guild_id, with_counts=False))
    except (discord.NotFound, discord.Forbidden) as error:
        return error.code in (_UNKNOWN_GUILD, _MISSING_ACCESS)
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("guild %s could not be looked up: %s", guild_id, error)
    return False
