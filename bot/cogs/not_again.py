"""Cog of /notagain: songs and artists that are not recommended again."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.checks import require_manage_guild
from bot.client.responders import respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.not_again_lists import NotAgainLists, OwnedEntry
from bot.jobs.options import OptionsResolver
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.track_names import TrackNames
from bot.ui import messages
from bot.ui.components import MAX_OPTION
from bot.ui.markdown import clean
from bot.ui.not_again_pages import not_again_list
from db.not_again import ListOwner
from genrec.names import fold

_MAX_CHOICES = 25


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class NotAgainCog(commands.GroupCog, name="notagain", description="Never recommended again"):
    """The /notagain commands: a user's own list, and for admins that of the server."""

    def __init__(
        self,
        *,
        lists: NotAgainLists,
        names: TrackNames,
        options: OptionsResolver,
        translations: Translations,
        recovery: ReplyRecovery,
    ) -> None:
        self._lists = lists
        self._names = names
        self._options = options
        self._translations = translations
        self._recovery = recovery

    @app_commands.command(name="list", description="Show what isn't recommended again")
    async def list_entries(self, interaction: discord.Interaction) -> None:
        """Handle /notagain list: send the user's entries, to admins also those of the server."""
        async with self._recovery.deferred(interaction):
            listed = await self._lists.entries(owners(interaction))
            own = [each.entry for each in listed if each.owner.kind == "user"]
            guild = [each.entry for each in listed if each.owner.kind == "guild"]
            localizer = Localizer(self._translations, interaction.locale)
            page = not_again_list(localizer, own, guild if is_admin(interaction) else None)
            await respond(interaction, page)

    @app_commands.command(description="Never recommend a song or an artist again")
    @app_commands.describe(
        song="Start typing its title or artist",
        artist="Name of an artist",
        server="For everyone on this server, not only for you",
    )
    async def add(
        self,
        interaction: discord.Interaction,
        song: str | None = None,
        artist: app_commands.Range[str, 1, 100] | None = None,
        server: bool = False,
    ) -> None:
        """Handle /notagain add: put a song or an artist on the user's list or the server's."""
        owner = ListOwner("user", interaction.user.id)
        if server:
            owner = ListOwner("guild", require_manage_guild(interaction))
        if bool(song) == bool(artist):
            raise RequestDeclined("not_again_what")
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        async with self._recovery.deferred(interaction):
            near: str | None = ""
            if song:
                track = await self._names.resolve(song, options.visible)
                name = await self._lists.add_song(owner, track)
            else:
                name = await self._lists.add_artist(owner, artist or "")
                near = await self._names.artists_like(name, options.visible)
            localizer = Localizer(self._translations, interaction.locale)
            if near is None:
                view = messages.notice(localizer, "not_again_unheard", name=name)
            elif near:
                view = messages.notice(localizer, "not_again_unheard_near", name=name, near=near)
            else:
                key = "not_again_server" if server else "not_again"
                view = messages.notice(localizer, key, name=name)
            await respond(interaction, view)

    @add.autocomplete("song")
    async def complete_song(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks whose names fit the typed text."""
        return await self._names.choices(interaction, typed)

    @app_commands.command(description="Recommend a song or an artist again")
    @app_commands.describe(entry="Start typing its name")
    async def remove(self, interaction: discord.Interaction, entry: str) -> None:
        """Handle /notagain remove: take an entry off a list."""
        async with self._recovery.deferred(interaction):
            name = await self._lists.remove(owners(interaction), entry)
            localizer = Localizer(self._translations, interaction.locale)
            await respond(interaction, messages.notice(localizer, "again", name=name))

    @remove.autocomplete("entry")
    async def complete_entry(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the entries that contain the typed text."""
        part = fold(typed)
        localizer = Localizer(self._translations, interaction.locale)
        return [
            app_commands.Choice(name=_label(localizer, each), value=each.value)
            for each in await self._lists.entries(owners(interaction))
            if part in fold(each.entry.name)
        ][:_MAX_CHOICES]


def is_admin(interaction: discord.Interaction) -> bool:
    """Return whether the user may change the server's list."""
    return interaction.guild_id is not None and interaction.permissions.manage_guild


def owners(interaction: discord.Interaction) -> list[ListOwner]:
    """Return whose lists a user may change: the user's own and, for admins, the guild's."""
    found = [ListOwner("user", interaction.user.id)]
    if interaction.guild_id is not None and is_admin(interaction):
        found.append(ListOwner("guild", interaction.guild_id))
    return found


def _label(localizer: Localizer, each: OwnedEntry) -> str:
    kind = localizer("not_again.artist" if each.entry.is_artist else "not_again.song")
    if each.owner.kind == "guild":
        kind += f", {localizer('not_again.everyone')}"
    return f"{clean(each.entry.name, MAX_OPTION - len(kind) - 3)} ({kind})"
