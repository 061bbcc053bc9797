"""Cog that checks the upload channels when Discord's permissions change."""

from __future__ import annotations

from dataclasses import replace

import discord
from discord.ext import commands

from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.lost_permissions import LostPermissions


class PermissionWatch(commands.Cog):
    """Listener of changes to channels, roles and the bot's own membership.

    Without View Channel no message reaches the bot, so waiting for the next upload is not enough.
    """

    def __init__(self, *, lost: LostPermissions, guilds: GuildSettingsCache) -> None:
        self._lost = lost
        self._guilds = guilds

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Check a guild after a start."""
        await self._lost.check(guild)

    @commands.Cog.listener()
    async def on_guild_channel_update(
        self, _: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        """Check the guild of a changed upload channel."""
        if self._guilds.is_upload_channel(after.id):
            await self._lost.check(after.guild)

    @commands.Cog.listener()
    async def on_guild_role_update(self, _: discord.Role, after: discord.Role) -> None:
        """Check the guild of a changed role."""
        await self._lost.check(after.guild)

    @commands.Cog.listener()
    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """Check the guild of a deleted role."""
        await self._lost.check(role.guild)

    @commands.Cog.listener()
    async def on_member_update(self, _: discord.Member, after: discord.Member) -> None:
        """Check the guild in which the bot's own roles changed."""
        if after.id == after.guild.me.id:
            await self._lost.check(after.guild)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Remove a deleted channel from the guild's upload channels."""
        if not self._guilds.is_upload_channel(channel.id):
            return
        settings = await self._guilds.settings(channel.guild.id)
        left = settings.upload_channels - {channel.id}
        await self._guilds.save(replace(settings, upload_channels=left))
