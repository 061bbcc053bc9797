"""/reindex and its Cancel button."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.checks import operator_ids, require_manage_guild
from bot.client.responders import PrivateFilesResponder, respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.reindex import FAILURES, Reindexing
from bot.jobs.runner import RequestRunner
from bot.ui import messages

log = logging.getLogger(__name__)


class Reindex(commands.Cog):
    """The /reindex command and its Cancel button.

    Only the bot's operator and the admins of ``admin_guilds`` may index the operator's library.
    """

    def __init__(
        self,
        *,
        runner: RequestRunner,
        reindexing: Reindexing,
        translations: Translations,
        admin_guilds: Sequence[int],
    ) -> None:
        self._runner = runner
        self._reindexing = reindexing
        self._translations = translations
        self._admin_guilds = frozenset(admin_guilds)
        self.buttons: Mapping[str, OnPress] = {"cancel": self.cancel}

    @app_commands.command(description="Analyse the music again (admins)")
    @app_commands.describe(scope="The operator's music folder, or this server's tracks")
    @app_commands.choices(
        scope=[
            app_commands.Choice(name="the operator's music", value="library"),
            app_commands.Choice(name="this server's tracks", value="server"),
        ]
    )
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def reindex(
        self, interaction: discord.Interaction, scope: Literal["library", "server"] = "library"
    ) -> None:
        """Handle /reindex: start a run and show its progress in the response."""
        guild_id = self._require_admin(interaction, library=scope == "library")
        target = None if scope == "library" else guild_id
        self._reindexing.check(target)
        log.info(
            "re-index started: scope %s, user %s, guild %s", scope, interaction.user.id, guild_id
        )
        localizer = Localizer(self._translations, interaction.locale)
        responder = PrivateFilesResponder(
            interaction, files_view=lambda: messages.reindex_failures(localizer, FAILURES)
        )
        handler = self._reindexing.handler(target, localizer)
        await self._runner.run_background(responder, "reindex", handler)

    async def cancel(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the Cancel button: stop the run, unless it belongs to another guild."""
        key = parts[0]
        guild_id = self._require_admin(interaction, library=key == "library")
        if key not in ("library", str(guild_id)):
            raise RequestDeclined("no_permission")
        self._reindexing.cancel(key)
        log.info("re-index cancelled: scope %s, user %s", key, interaction.user.id)
        localizer = Localizer(self._translations, interaction.locale)
        await respond(interaction, messages.notice(localizer, "cancelling"))

    def _require_admin(self, interaction: discord.Interaction, *, library: bool) -> int:
        """Return the guild's id, if the user may index this scope."""
        if interaction.guild_id is None:
            raise RequestDeclined("guild_only")
        if library and interaction.user.id in operator_ids(interaction.client.application):
            return interaction.guild_id
        guild_id = require_manage_guild(interaction)
        if library and guild_id not in self._admin_guilds:
            raise RequestDeclined("not_operator")
        return guild_id
