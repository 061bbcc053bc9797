"""Cog of /recommend, /genre, their message menus, and More like this."""

from __future__ import annotations

import re
from collections.abc import Mapping

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.checks import as_source, could_be_sound, is_sound, one_source
from bot.client.responders import InteractionResponder
from bot.errors import RequestDeclined
from bot.jobs.handlers import RequestHandlers
from bot.jobs.options import OptionsResolver
from bot.jobs.runner import RequestRunner
from bot.sources import Attachment, Sources

_LINK = re.compile(r"https?://[^\s<>]+")
_CLIP = "An audio or video file"
_LINK_HELP = "A link to a track, instead of a file"
_PRIVATE = "Only you see the answer"


class Recommend(commands.Cog):
    """Commands and menus about a clip, and the button More like this."""

    def __init__(
        self,
        *,
        runner: RequestRunner,
        sources: Sources,
        handlers: RequestHandlers,
        options: OptionsResolver,
    ) -> None:
        self._runner = runner
        self._sources = sources
        self._handlers = handlers
        self._options = options
        self.menus = [
            _everywhere(app_commands.ContextMenu(name=name, callback=callback))
            for name, callback in (
                ("Recommend from this message", self.recommend_from_message),
                ("What genre is this?", self.genre_from_message),
            )
        ]
        self.buttons: Mapping[str, OnPress] = {"more": self.more}

    @app_commands.command(description="Find tracks that sound similar to a clip")
    @app_commands.describe(
        clip=_CLIP,
        link=_LINK_HELP,
        count="Number of tracks, 1 to 10",
        genre="Only tracks of this genre",
        private=_PRIVATE,
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def recommend(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        count: app_commands.Range[int, 1, 10] | None = None,
        genre: str | None = None,
        private: bool | None = None,
    ) -> None:
        """Handle /recommend: send the genre of a clip and similar tracks."""
        await self._recommend(
            interaction, one_source(clip, link), count=count, genre=genre, private=private
        )

    @recommend.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the genres that contain the typed text."""
        return self._options.complete_genre(typed, interaction.locale)

    @app_commands.command(description="Find the genre of a clip")
    @app_commands.describe(clip=_CLIP, link=_LINK_HELP, private=_PRIVATE)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def genre(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        private: bool | None = None,
    ) -> None:
        """Handle /genre: send the genre of a clip."""
        await self._genre(interaction, one_source(clip, link), private=private)

    async def recommend_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > Recommend from this message: recommend for its clip or link."""
        await self._recommend(interaction, source_of(message))

    async def genre_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > What genre is this?: send the genre of a message's clip or link."""
        await self._genre(interaction, source_of(message))

    async def more(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle More like this: send tracks similar to the button's track."""
        if not parts[0].isascii() or not parts[0].isdigit() or int(parts[0]) >= 2**63:
            raise RequestDeclined("track_gone")
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        # A private response has private follow-ups.
        hidden = bool(interaction.message and interaction.message.flags.ephemeral)
        private = await self._options.private(interaction.guild_id, True if hidden else None)
        responder = InteractionResponder(interaction, private=private)
        handler = self._handlers.more(int(parts[0]), options)
        await self._runner.run(responder, "more", handler, skip_cooldown=True)

    async def _recommend(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        *,
        count: int | None = None,
        genre: str | None = None,
        private: bool | None = None,
    ) -> None:
        checked = self._sources.check(source)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale, count=count, genre=genre
        )
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        handler = self._handlers.recommend(checked, options)
        await self._runner.run(responder, "recommend", handler, link=checked.is_link)

    async def _genre(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        *,
        private: bool | None = None,
    ) -> None:
        checked = self._sources.check(source)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        handler = self._handlers.genre(checked, options)
        await self._runner.run(responder, "genre", handler, link=checked.is_link)


def source_of(message: discord.Message) -> Attachment | str:
    """Return the first clip of a message or of those that it forwards, else the first link.

    Raises
    ------
    RequestDeclined
        The message has neither.
    """
    attachments = list(message.attachments)
    texts = [message.content]
    for snapshot in message.message_snapshots:
        attachments += snapshot.attachments
        texts.append(snapshot.content)
    for check in (is_sound, could_be_sound):
        for attachment in filter(check, attachments):
            return as_source(attachment)
    for text in texts:
        if found := _LINK.search(text):
            return found.group().rstrip(".,;:!?)]}'\"")
    raise RequestDeclined("nothing_in_message")


def _everywhere(menu: app_commands.ContextMenu) -> app_commands.ContextMenu:
    menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    menu.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=True, private_channel=True
    )
    return menu
