"""Cog of /settings: commands and a panel for a guild's settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress, selected
from bot.client.channel_permissions import (
    MissingPermissions,
    is_outside,
    missing_in,
    permission_names,
)
from bot.client.checks import require_manage_guild
from bot.client.responders import acknowledge, respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.lost_permissions import LostPermissions
from bot.jobs.options import is_compact
from bot.jobs.recovery import ReplyRecovery
from bot.ui import messages, pages
from bot.ui.pages import SettingsState
from bot.ui.track_links import (
    EXAMPLE,
    MAX_TEMPLATE,
    NO_LINKS,
    PLACEHOLDERS,
    SITE_NAMES,
    SITES,
    LinkChoice,
    template_fault,
)
from db.guild_settings import GuildSettings

log = logging.getLogger(__name__)


class UploadChannelOption(app_commands.Transformer):
    """Option that takes a channel in which people upload files, or a forum.

    discord.py's own option for forums also names media channels, which Discord's description of
    the API lacks. In those the command is used in a post.
    """

    type = discord.AppCommandOptionType.channel
    channel_types = [  # noqa: RUF012 - the base class declares a property
        discord.ChannelType.text,
        discord.ChannelType.news,
        discord.ChannelType.voice,
        discord.ChannelType.stage_voice,
        discord.ChannelType.forum,
    ]

    async def transform(
        self, _: discord.Interaction, value: app_commands.AppCommandChannel, /
    ) -> app_commands.AppCommandChannel:
        """Return the channel as Discord sent it."""
        return value


UploadChannel = app_commands.Transform[app_commands.AppCommandChannel, UploadChannelOption]


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class ServerSettings(
    commands.GroupCog, name="settings", description="Settings of genrec for this server (admins)"
):
    """The /settings commands and their panel."""

    def __init__(
        self,
        *,
        guilds: GuildSettingsCache,
        translations: Translations,
        recovery: ReplyRecovery,
        lost: LostPermissions,
        links: LinkChoice,
        compact: bool,
    ) -> None:
        self._links = links
        self._compact = compact
        self._guilds = guilds
        self._lost = lost
        self._translations = translations
        self._recovery = recovery
        self.buttons: Mapping[str, OnPress] = {"settings": self.change}

    @app_commands.command(description="Show and change the settings")
    async def show(self, interaction: discord.Interaction) -> None:
        """Handle /settings show: send the panel with the guild's settings."""
        guild_id = require_manage_guild(interaction)
        async with self._recovery.deferred(interaction):
            await self._show(interaction, await self._guilds.settings(guild_id))

    @app_commands.command(description="Answer clips uploaded in a channel")
    @app_commands.describe(enabled="On or off", channel="Channel (default: this one)")
    async def uploads(
        self,
        interaction: discord.Interaction,
        enabled: bool = True,
        channel: UploadChannel | None = None,
    ) -> None:
        """Handle /settings uploads: answer uploads in a channel (default: this one), or stop."""
        require_manage_guild(interaction)
        channel_id = channel.id if channel else _settings_channel(interaction)
        place = channel.resolve() if channel else interaction.channel
        await self._switch_uploads(interaction, channel_id, place, on=enabled)

    async def switch_uploads_on(self, interaction: discord.Interaction) -> None:
        """Answer uploads in the channel of an interaction, as /settings uploads does."""
        require_manage_guild(interaction)
        channel_id = _settings_channel(interaction)
        await self._switch_uploads(interaction, channel_id, interaction.channel, on=True)

    async def _switch_uploads(
        self, interaction: discord.Interaction, channel_id: int, place: object, *, on: bool
    ) -> None:
        missing = self._require_post(interaction, place) if on else MissingPermissions()
        async with self._recovery.deferred(interaction):
            settings = await self._guilds.settings(interaction.guild_id or 0)
            await self._save(interaction, _with_channel(settings, channel_id, on=on))
            await self._check_later_losses(interaction)
            if not missing:
                await self._notify(interaction, "uploads_on" if on else "uploads_off")
                return
            localizer = Localizer(self._translations, interaction.locale)
            await self._notify(
                interaction,
                "uploads_on_partly",
                channel=messages.channel_link(getattr(place, "id", channel_id)),
                permissions=permission_names(localizer, missing.part),
            )

    @app_commands.command(description="Choose who can use genrec on this server")
    @app_commands.describe(role="Only this role (default: everyone)")
    async def access(
        self, interaction: discord.Interaction, role: discord.Role | None = None
    ) -> None:
        """Handle /settings access: limit the bot to members with a role, or allow everyone."""
        guild_id = require_manage_guild(interaction)
        everyone = role is None or role.id == guild_id
        await self._set(interaction, allowed_role=None if everyone or role is None else role.id)

    @app_commands.command(description="Set the number of tracks per answer")
    @app_commands.describe(count="Number of tracks, 1 to 10")
    async def count(
        self, interaction: discord.Interaction, count: app_commands.Range[int, 1, 10]
    ) -> None:
        """Handle /settings count: store the default number of tracks per response."""
        require_manage_guild(interaction)
        await self._set(interaction, default_count=count)

    @app_commands.command(description="Make answers public or private")
    @app_commands.describe(private="Private: only you see the answer to your clip")
    async def answers(
        self,
        interaction: discord.Interaction,
        private: bool,
    ) -> None:
        """Handle /settings answers: make responses private or public."""
        require_manage_guild(interaction)
        await self._set(interaction, private=private)

    @app_commands.command(description="Choose where the titles of tracks link to")
    @app_commands.describe(
        site="Search page (default: the operator's choice)",
        template="An address of your own with {artist}, {title}, {isrc}, {mbid} or {path}",
    )
    @app_commands.choices(
        site=[
            app_commands.Choice(name="web search (DuckDuckGo)", value="web"),
            *(
                app_commands.Choice(name=name, value=site)
                for site, name in SITE_NAMES.items()
                if site != "web"
            ),
            app_commands.Choice(name="no links", value=NO_LINKS),
        ]
    )
    async def links(
        self, interaction: discord.Interaction, site: str | None = None, template: str | None = None
    ) -> None:
        """Handle /settings links: store the site or template; without both, the operator's."""
        require_manage_guild(interaction)
        template = template.strip() if template else None
        paths = self._links.root is not None
        if template and (fault := template_fault(template, paths=paths)):
            usable = [name for name in PLACEHOLDERS if paths or name != "path"]
            raise RequestDeclined(
                f"template_{fault}",
                path=messages.Markup("`{path}`"),
                example=messages.Markup(f"`{EXAMPLE}`"),
                placeholders=messages.Markup(", ".join(f"`{{{name}}}`" for name in usable)),
                limit=MAX_TEMPLATE,
            )
        async with self._recovery.deferred(interaction):
            settings = await self._guilds.settings(interaction.guild_id or 0)
            await self._save(
                interaction, replace(settings, link_site=site, link_template=template or None)
            )
            name = self._links.of_guild(site, template).name
            await self._notify(interaction, "links_saved" if name else "links_off", site=name)

    @app_commands.command(description="Make answers in channels short or full")
    @app_commands.describe(short="Short: tracks only, and the rest behind Details")
    async def layout(self, interaction: discord.Interaction, short: bool) -> None:
        """Handle /settings layout: make responses on the server compact or full."""
        require_manage_guild(interaction)
        await self._set(interaction, compact=short)

    @app_commands.command(description="Choose whether answers have tracks of the starter catalogue")
    @app_commands.describe(policy="Default: what the bot's operator chose")
    @app_commands.choices(
        policy=[
            app_commands.Choice(
                name="only until there are enough own tracks", value="starter_auto"
            ),
            app_commands.Choice(name="always", value="starter_always"),
            app_commands.Choice(name="never", value="starter_never"),
        ]
    )
    async def starter(
        self,
        interaction: discord.Interaction,
        policy: Literal["starter_auto", "starter_always", "starter_never"] | None = None,
    ) -> None:
        """Handle /settings starter: store the guild's policy, or the operator's for None."""
        require_manage_guild(interaction)
        await self._set(interaction, starter=policy and policy.removeprefix("starter_"))

    async def change(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle a button or menu of the panel: store the change and update the panel."""
        guild_id = require_manage_guild(interaction)
        if parts == ("uploads", "on"):
            self._require_post(interaction, interaction.channel)
        await acknowledge(interaction, private=True, thinking=False)
        changed = _changed(
            await self._guilds.settings(guild_id),
            parts,
            selected(interaction),
            interaction,
        )
        await self._save(interaction, changed)
        await self._check_later_losses(interaction)
        await self._show(interaction, changed)

    async def _check_later_losses(self, interaction: discord.Interaction) -> None:
        """Forget earlier notices about channels in which answers are possible now."""
        if interaction.guild is not None:
            await self._lost.check(interaction.guild)

    def _require_post(
        self, interaction: discord.Interaction, channel: object
    ) -> MissingPermissions:
        """Return the permissions without which answers lack a part; decline without the others.

        ``interaction.app_permissions`` would not do: it always has Attach Files, which a response
        to an interaction may use, and a message of the bot may not.
        """
        if is_outside(channel, interaction.guild):
            raise RequestDeclined("not_in_thread")
        missing = missing_in(channel, interaction.guild)
        if missing.post:
            localizer = Localizer(self._translations, interaction.locale)
            raise RequestDeclined(
                "cannot_post",
                channel=messages.channel_link(getattr(channel, "id", 0)),
                permissions=permission_names(localizer, (*missing.post, *missing.part)),
            )
        return missing

    async def _set(
        self, interaction: discord.Interaction, **changes: int | str | bool | None
    ) -> None:
        async with self._recovery.deferred(interaction):
            settings = await self._guilds.settings(interaction.guild_id or 0)
            await self._save(interaction, replace(settings, **changes))  # type: ignore[arg-type]
            await self._notify(interaction, "settings_saved")

    async def _save(self, interaction: discord.Interaction, settings: GuildSettings) -> None:
        await self._guilds.save(settings)
        log.info("settings changed: guild %s, user %s", settings.guild_id, interaction.user.id)

    async def _notify(self, interaction: discord.Interaction, key: str, **values: object) -> None:
        localizer = Localizer(self._translations, interaction.locale)
        await respond(interaction, messages.notice(localizer, key, **values))

    async def _show(self, interaction: discord.Interaction, settings: GuildSettings) -> None:
        guild, role_id = interaction.guild, settings.allowed_role
        role = guild.get_role(role_id) if guild and role_id else None
        localizer = Localizer(self._translations, interaction.locale)
        links = self._links.of_guild(settings.link_site, settings.link_template)
        state = SettingsState(
            here=_settings_channel(interaction) in settings.upload_channels,
            channels=tuple(sorted(settings.upload_channels)),
            lacking=_lacking(localizer, guild, settings.upload_channels),
            roles={} if role is None else {role.id: role.name},
            role_gone=role_id is not None and role is None,
            count=settings.default_count,
            private=settings.private,
            links=links.name,
            link_site=None if links.template else links.site,
            compact=is_compact(settings, self._compact),
            starter=settings.starter,
            message_content=interaction.client.intents.message_content,
        )
        await respond(interaction, pages.settings(localizer, state))


def _changed(
    settings: GuildSettings,
    parts: tuple[str, ...],
    values: list[str],
    interaction: discord.Interaction,
) -> GuildSettings:
    control, on = parts[0], parts[-1] == "on"
    if control == "uploads":
        return _with_channel(settings, _settings_channel(interaction), on=on)
    if control == "private":
        return replace(settings, private=on)
    if control == "compact":
        return replace(settings, compact=on)
    if control == "roles":
        roles = _roles(interaction.guild, values)
        if values and not roles:  # only a modified client sends what is no role
            return settings
        # The id of @everyone is the guild's.
        allowed = [role for role in roles if role != settings.guild_id]
        return replace(settings, allowed_role=allowed[0] if allowed else None)
    if control == "links" and values and values[0] in SITES:
        return replace(settings, link_site=values[0], link_template=None)
    if control == "count" and values:
        return replace(settings, default_count=int(values[0]))
    return settings


def _roles(guild: discord.Guild | None, values: list[str]) -> list[int]:
    """Return the ids among the values that are roles of the guild."""
    numbers = [int(value) for value in values if value.isascii() and value.isdigit()]
    return [number for number in numbers if guild and guild.get_role(number) is not None]


def _with_channel(settings: GuildSettings, channel_id: int, *, on: bool) -> GuildSettings:
    channels = settings.upload_channels
    channels = channels | {channel_id} if on else channels - {channel_id}
    return replace(settings, upload_channels=channels)


def _lacking(
    localizer: Localizer, guild: discord.Guild | None, channel_ids: Iterable[int]
) -> dict[int, str]:
    """Return the missing permissions of the upload channels that have some, by channel id."""
    found: dict[int, str] = {}
    for channel_id in sorted(channel_ids):
        missing = missing_in(guild and guild.get_channel(channel_id), guild)
        if missing:
            found[channel_id] = permission_names(localizer, (*missing.post, *missing.part))
    return found


def _settings_channel(interaction: discord.Interaction) -> int:
    """Return the id of the channel whose settings apply: a thread's parent, else the channel."""
    channel = interaction.channel
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return interaction.channel_id or 0
