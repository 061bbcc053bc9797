"""/recommend, /genre, their message menus, and More like this."""

from __future__ import annotations

import re
from collections.abc import Mapping

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import Press
from bot.client.checks import as_source, could_be_sound, is_sound, one_source
from bot.client.responders import InteractionResponder
from bot.errors import Declined
from bot.jobs.handlers import RequestHandlers
from bot.jobs.options import Preferences
from bot.jobs.runner import JobRunner
from bot.sources import Attachment

_LINK = re.compile(r"https?://[^\s<>]+")
_CLIP = "An audio or video file"
_LINK_HELP = "A link to a track, instead of a file"
_PRIVATE = "Only you see the answer"


class Recommend(commands.Cog):
    """The questions people ask about a clip."""

    def __init__(
        self, *, runner: JobRunner, handlers: RequestHandlers, preferences: Preferences
    ) -> None:
        self._runner = runner
        self._handlers = handlers
        self._preferences = preferences
        self.menus = [
            _everywhere(app_commands.ContextMenu(name=name, callback=callback))
            for name, callback in (
                ("Recommend from this message", self.recommend_from_message),
                ("What genre is this?", self.genre_from_message),
            )
        ]
        self.presses: Mapping[str, Press] = {"more": self.more}

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
        """Answer /recommend."""
        await self._recommend(
            interaction, one_source(clip, link), count=count, genre=genre, private=private
        )

    @recommend.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Complete a genre."""
        return self._preferences.genres(typed, interaction.locale)

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
        """Answer /genre."""
        await self._genre(interaction, one_source(clip, link), private=private)

    async def recommend_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Answer Apps > Recommend from this message."""
        await self._recommend(interaction, source_of(message))

    async def genre_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Answer Apps > What genre is this."""
        await self._genre(interaction, source_of(message))

    async def more(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Answer More like this."""
        if not parts[0].isascii() or not parts[0].isdigit() or int(parts[0]) >= 2**63:
            raise Declined("track_gone")
        wanted = await self._preferences.wanted(
            interaction.user, interaction.guild_id, interaction.locale
        )
        # Who asked in private goes on in private.
        hidden = bool(interaction.message and interaction.message.flags.ephemeral)
        private = await self._preferences.private(interaction.guild_id, True if hidden else None)
        answer = InteractionResponder(interaction, private=private)
        work = self._handlers.more(int(parts[0]), wanted)
        await self._runner.run(answer, "more", work, at_once=True)

    async def _recommend(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        *,
        count: int | None = None,
        genre: str | None = None,
        private: bool | None = None,
    ) -> None:
        self._handlers.check(source)
        wanted = await self._preferences.wanted(
            interaction.user, interaction.guild_id, interaction.locale, count=count, genre=genre
        )
        hidden = await self._preferences.private(interaction.guild_id, private)
        answer = InteractionResponder(interaction, private=hidden)
        await self._runner.run(answer, "recommend", self._handlers.recommend(source, wanted))

    async def _genre(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        *,
        private: bool | None = None,
    ) -> None:
        self._handlers.check(source)
        wanted = await self._preferences.wanted(
            interaction.user, interaction.guild_id, interaction.locale
        )
        hidden = await self._preferences.private(interaction.guild_id, private)
        answer = InteractionResponder(interaction, private=hidden)
        await self._runner.run(answer, "genre", self._handlers.genre(source, wanted))


def source_of(message: discord.Message) -> Attachment | str:
    """Return what there is to listen to in a message: a clip, else a link; forwarded ones too."""
    attachments = list(message.attachments)
    texts = [message.content]
    for snapshot in message.message_snapshots:
        attachments += snapshot.attachments
        texts.append(snapshot.content)
    for test in (is_sound, could_be_sound):
        for attachment in filter(test, attachments):
            return as_source(attachment)
    for text in texts:
        if found := _LINK.search(text):
            return found.group().rstrip(".,;:!?)]}'\"")
    raise Declined("nothing_in_message")


def _everywhere(menu: app_commands.ContextMenu) -> app_commands.ContextMenu:
    menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    menu.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=True, private_channel=True
    )
    return menu
