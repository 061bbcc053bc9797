"""What each Discord server has set: kept in the database, read from memory."""

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

_REMEMBERED = 2_000


class GuildSettingsCache:
    """Settings of servers; commands are checked against them before any waiting."""

    def __init__(self, *, db: Database, channels: dict[int, int]) -> None:
        self._db = db
        self._channels = channels
        self._known: OrderedDict[int, GuildSettings] = OrderedDict()

    @classmethod
    async def load(cls, db: Database) -> Self:
        """Read which channels are watched: every message anywhere is held against them."""
        return cls(db=db, channels=await upload_channels(db))

    def watches(self, channel_id: int) -> bool:
        """Tell whether clips in a channel are answered without being asked."""
        return channel_id in self._channels

    async def settings(self, guild_id: int | None) -> GuildSettings:
        """Return a server's settings; the defaults in a direct conversation."""
        if guild_id is None:
            return GuildSettings(guild_id=0)
        known = self._known.get(guild_id)
        if known is None:
            known = await load_settings(self._db, guild_id)
            self._remember(known)
        self._known.move_to_end(guild_id)
        return known

    async def save(self, settings: GuildSettings) -> None:
        """Keep a server's settings."""
        await save_settings(self._db, settings)
        self._remember(settings)
        for channel_id, guild_id in list(self._channels.items()):
            if guild_id == settings.guild_id:
                del self._channels[channel_id]
        self._channels |= dict.fromkeys(settings.upload_channels, settings.guild_id)

    async def forget(self, guild_id: int) -> None:
        """Delete all that is kept about a server that the bot was removed from."""
        await forget_guild(self._db, guild_id)
        self._known.pop(guild_id, None)
        self._channels = {c: g for c, g in self._channels.items() if g != guild_id}

    def _remember(self, settings: GuildSettings) -> None:
        self._known[settings.guild_id] = settings
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
