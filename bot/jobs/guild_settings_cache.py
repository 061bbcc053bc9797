"""Guild settings: stored in the database, read from memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Self

from db.connection import Database
from db.guild_settings import (
    GuildSettings,
    forget_guild,
    load_settings,
    save_settings,
    upload_channels,
)

_MAX_CACHED = 2_000


class GuildSettingsCache:
    """Cache of guild settings; checks before the acknowledgement then need no database."""

    def __init__(self, *, db: Database, channels: dict[int, int]) -> None:
        self._db = db
        self._channels = channels
        self._cache: OrderedDict[int, GuildSettings] = OrderedDict()

    @classmethod
    async def load(cls, db: Database) -> Self:
        """Return a cache with all upload channels, because every message is compared with them."""
        return cls(db=db, channels=await upload_channels(db))

    async def reload(self) -> None:
        """Forget what was read: another process served these guilds until now."""
        self._channels = await upload_channels(self._db)
        self._cache.clear()

    def is_upload_channel(self, channel_id: int) -> bool:
        """Return True if the bot responds to every clip in this channel."""
        return channel_id in self._channels

    async def settings(self, guild_id: int | None) -> GuildSettings:
        """Return a guild's settings; the defaults in a direct message."""
        if guild_id is None:
            return GuildSettings(guild_id=0)
        cached = self._cache.get(guild_id)
        if cached is None:
            cached = await load_settings(self._db, guild_id)
            self._put(cached)
        self._cache.move_to_end(guild_id)
        return cached

    async def save(self, settings: GuildSettings) -> None:
        """Store a guild's settings."""
        await save_settings(self._db, settings)
        self._put(settings)
        for channel_id, guild_id in list(self._channels.items()):
            if guild_id == settings.guild_id:
                del self._channels[channel_id]
        self._channels |= dict.fromkeys(settings.upload_channels, settings.guild_id)

    async def forget(self, guild_id: int) -> None:
        """Delete all data of a guild that removed the bot."""
        await forget_guild(self._db, guild_id)
        self._cache.pop(guild_id, None)
        self._channels = {c: g for c, g in self._channels.items() if g != guild_id}

    def _put(self, settings: GuildSettings) -> None:
        self._cache[settings.guild_id] = settings
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
