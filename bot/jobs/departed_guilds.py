"""Forget the guilds that removed the bot while it was not connected."""

from __future__ import annotations

import logging
from functools import partial

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

    READY also lists guilds of an outage, as unavailable. A missing guild is requested once more,
    and only Discord's answer that it is not ours deletes its data. Guilds of shards that another
    process has are not compared.
    """
    served = partial(_is_served, client)
    assert client.application_id is not None, "READY comes after the login"
    present = {guild.id for guild in client.guilds}
    try:
        for guild_id in await departed_guilds(db, client.application_id, present):
            if not served(guild_id):
                continue
            if await _has_left(client, guild_id):
                await guilds.forget(guild_id)
                log.info("removed from guild %s while offline: its data is deleted", guild_id)
            else:
                present.add(guild_id)
        await record_guilds(db, client.application_id, present, served=served)
    except CatalogueError as error:
        log.warning("departed guilds not deleted, next try at the next start: %s", error)


def _is_served(client: discord.Client, guild_id: int) -> bool:
    """Return whether a guild is on a shard of this process."""
    shards = getattr(client, "shard_ids", None)
    return shards is None or (guild_id >> 22) % (client.shard_count or 1) in shards


async def _has_left(client: discord.Client, guild_id: int) -> bool:
    try:
        await with_retry(lambda: client.fetch_guild(guild_id, with_counts=False))
    except (discord.NotFound, discord.Forbidden) as error:
        return error.code in (_UNKNOWN_GUILD, _MISSING_ACCESS)
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("guild %s could not be looked up: %s", guild_id, error)
    return False
