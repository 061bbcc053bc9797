"""Cog of /foryou: recommendations from the user's own ratings, after the user has agreed."""

from __future__ import annotations

from collections.abc import Mapping

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.responders import EditingResponder, InteractionResponder, acknowledge, respond
from bot.i18n import Localizer, Translations
from bot.jobs.for_you_answers import ForYouAnswers
from bot.jobs.options import OptionsResolver
from bot.jobs.runner import RequestRunner
from bot.taste_answers import ForYou
from bot.ui import for_you_pages, messages
from db.guild_settings import MOST_TRACKS


class ForYouCog(commands.Cog, name="ForYou"):
    """The /foryou command and its buttons."""

    def __init__(
        self,
        *,
        runner: RequestRunner,
        answers: ForYouAnswers,
        for_you: ForYou,
        options: OptionsResolver,
        translations: Translations,
    ) -> None:
        self._runner = runner
        self._answers = answers
        self._for_you = for_you
        self._options = options
        self._translations = translations
        self.buttons: Mapping[str, OnPress] = {"foryou": self.press}

    @app_commands.command(description="Find tracks by the ratings you gave")
    @app_commands.describe(
        count="Number of tracks, 1 to 10",
        genre="Only tracks of this genre",
        private="Only you see the answer, which is the default",
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def foryou(
        self,
        interaction: discord.Interaction,
        count: app_commands.Range[int, 1, 10] | None = None,
        genre: str | None = None,
        private: bool = True,
    ) -> None:
        """Handle /foryou: send tracks by the user's votes, at the first use ask whether to."""
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale, count=count, genre=genre
        )
        if not await self._for_you.opted_in(interaction.user.id):
            page = for_you_pages.ask(options.localizer, options.count, options.genre or "")
            await respond(interaction, page)
            return
        responder = InteractionResponder(interaction, private=private)
        handler = self._answers.handler(interaction.user.id, options, private=private)
        await self._runner.run(responder, "foryou", handler, quick=True)

    @foryou.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the genres that contain the typed text."""
        return self._options.complete_genre(typed, interaction.locale)

    async def press(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the buttons: use the ratings, do not, or no longer."""
        if parts[0] == "on":
            await self._start(interaction, parts[1:])
            return
        await acknowledge(interaction, private=True, thinking=False)
        if parts[0] == "off":
            await self._for_you.opt_out(interaction.user.id)
        localizer = Localizer(self._translations, interaction.locale)
        key = "for_you_off" if parts[0] == "off" else "for_you_no"
        await respond(interaction, messages.notice(localizer, key))

    async def _start(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        count, genre = (*parts, "", "")[:2]
        wanted = int(count) if count.isascii() and count.isdigit() else 0
        options = await self._options.resolve(
            interaction.user,
            interaction.guild_id,
            interaction.locale,
            count=wanted if 1 <= wanted <= MOST_TRACKS else None,
            genre=genre or None,
        )
        handler = self._answers.handler(interaction.user.id, options, private=True, opt_in=True)
        await self._runner.run(EditingResponder(interaction), "foryou", handler, quick=True)
