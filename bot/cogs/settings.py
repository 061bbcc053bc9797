"""/settings: how the bot works on one server, by commands and by a panel."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import Press, chosen
from bot.client.checks import may_post_in, require_manage_guild
from bot.client.responders import acknowledge, say
from bot.errors import Declined
from bot.jobs.guild_settings import GuildSettingsCache
from bot.ui.messages import Replies
from bot.ui.pages import Pages, SettingsState
from db.guild_settings import GuildSettings
from genrec.preset import Preset

log = logging.getLogger(__name__)


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class ServerSettings(
    commands.GroupCog, name="settings", description="Settings of genrec for this server (admins)"
):
    """What the admins of a server decide."""

    def __init__(
        self,
        *,
        servers: GuildSettingsCache,
        replies: Replies,
        pages: Pages,
        preset: Preset,
        sees_uploads: bool,
    ) -> None:
        self._servers = servers
        self._replies = replies
        self._pages = pages
        self._preset = preset
        self._sees_uploads = sees_uploads
        self.presses: Mapping[str, Press] = {"settings": self.changed_in_panel}

    @app_commands.command(description="Show and change the settings")
    async def show(self, interaction: discord.Interaction) -> None:
        """Answer /settings show."""
        guild_id = require_manage_guild(interaction)
        await acknowledge(interaction, private=True)
        await self._show(interaction, await self._servers.settings(guild_id))

    @app_commands.command(description="Answer clips uploaded in a channel")
    @app_commands.describe(enabled="On or off", channel="Channel (default: this one)")
    async def uploads(
        self,
        interaction: discord.Interaction,
        enabled: bool = True,
        channel: discord.TextChannel | None = None,
    ) -> None:
        """Answer /settings uploads: one click switches this channel on."""
        guild_id = require_manage_guild(interaction)
        where = channel.id if channel else _home(interaction)
        if enabled and not _may_post(interaction, channel):
            raise Declined("cannot_post")
        await acknowledge(interaction, private=True)
        await self._save(interaction, _watching(await self._settings(guild_id), where, on=enabled))
        key = "uploads_on" if enabled else "uploads_off"
        await say(interaction, self._replies.notice(key, interaction.locale))

    @app_commands.command(description="Choose who can use genrec on this server")
    @app_commands.describe(role="Only this role (default: everyone)")
    async def access(
        self, interaction: discord.Interaction, role: discord.Role | None = None
    ) -> None:
        """Answer /settings access."""
        guild_id = require_manage_guild(interaction)
        everyone = role is None or role.id == guild_id
        await self._set(interaction, allowed_role=None if everyone or role is None else role.id)

    @app_commands.command(description="Set the number of tracks per answer")
    @app_commands.describe(count="Number of tracks, 1 to 10")
    async def count(
        self, interaction: discord.Interaction, count: app_commands.Range[int, 1, 10]
    ) -> None:
        """Answer /settings count."""
        require_manage_guild(interaction)
        await self._set(interaction, default_count=count)

    @app_commands.command(description="Choose the model that listens")
    @app_commands.describe(model="One of the installed models")
    async def model(self, interaction: discord.Interaction, model: str) -> None:
        """Answer /settings model."""
        require_manage_guild(interaction)
        if model not in self._models():
            raise Declined("model_unknown", model=model)
        await self._set(interaction, preset=model)

    @model.autocomplete("model")
    async def complete_model(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Complete an installed model."""
        return [
            app_commands.Choice(name=name[:100], value=name[:100])
            for name in self._models()
            if typed.casefold() in name.casefold()
        ]

    @app_commands.command(description="Make answers public or private")
    @app_commands.describe(private="Private: only you see the answer to your clip")
    async def answers(
        self,
        interaction: discord.Interaction,
        private: bool,
    ) -> None:
        """Answer /settings answers."""
        require_manage_guild(interaction)
        await self._set(interaction, private=private)

    async def changed_in_panel(
        self, interaction: discord.Interaction, parts: tuple[str, ...]
    ) -> None:
        """Take up a button or menu of the panel, and show it anew in its place."""
        guild_id = require_manage_guild(interaction)
        await acknowledge(interaction, private=True, thinking=False)
        now = await self._settings(guild_id)
        changed = self._change(now, parts, chosen(interaction), _home(interaction))
        await self._save(interaction, changed)
        await self._show(interaction, changed)

    def _change(
        self, now: GuildSettings, parts: tuple[str, ...], values: list[str], here: int
    ) -> GuildSettings:
        what, on = parts[0], parts[-1] == "on"
        if what == "uploads":
            return _watching(now, here, on=on)
        if what == "private":
            return replace(now, private=on)
        if what == "roles":
            roles = [int(value) for value in values if int(value) != now.guild_id]
            return replace(now, allowed_role=roles[0] if roles else None)
        if what == "count" and values:
            return replace(now, default_count=int(values[0]))
        if what == "model" and values:
            if values[0] not in self._models():
                raise Declined("model_unknown", model=values[0])
            return replace(now, preset=values[0])
        return now

    def _models(self) -> tuple[str, ...]:
        return (self._preset.name,)

    async def _settings(self, guild_id: int) -> GuildSettings:
        return await self._servers.settings(guild_id)

    async def _set(
        self, interaction: discord.Interaction, **changes: int | str | bool | None
    ) -> None:
        await acknowledge(interaction, private=True)
        now = await self._settings(interaction.guild_id or 0)
        await self._save(interaction, replace(now, **changes))  # type: ignore[arg-type]
        await say(interaction, self._replies.notice("settings_saved", interaction.locale))

    async def _save(self, interaction: discord.Interaction, settings: GuildSettings) -> None:
        await self._servers.save(settings)
        log.info("settings of server %s changed by user %s", settings.guild_id, interaction.user.id)

    async def _show(self, interaction: discord.Interaction, settings: GuildSettings) -> None:
        guild, role_id = interaction.guild, settings.allowed_role
        role = guild.get_role(role_id) if guild and role_id else None
        state = SettingsState(
            here=_home(interaction) in settings.upload_channels,
            channels=tuple(sorted(settings.upload_channels)),
            roles={} if role_id is None else {role_id: role.name if role else str(role_id)},
            count=settings.default_count,
            model=settings.preset or self._preset.name,
            models=self._models(),
            private=settings.private,
            sees_uploads=self._sees_uploads,
        )
        await say(interaction, self._pages.settings(state, interaction.locale))


def _watching(now: GuildSettings, channel_id: int, *, on: bool) -> GuildSettings:
    channels = now.upload_channels | {channel_id} if on else now.upload_channels - {channel_id}
    return replace(now, upload_channels=channels)


def _may_post(interaction: discord.Interaction, channel: discord.TextChannel | None) -> bool:
    if channel is not None:
        return may_post_in(channel, channel.guild)
    return interaction.app_permissions.send_messages


def _home(interaction: discord.Interaction) -> int:
    """Return the channel settings go by: a thread belongs to its channel."""
    channel = interaction.channel
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return interaction.channel_id or 0
