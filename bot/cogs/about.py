"""Cog of /about and /help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.checks import operator_ids
from bot.client.responders import respond
from bot.i18n import Localizer, Translations
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.recovery import ReplyRecovery
from bot.starter_policy import StarterPolicy
from bot.ui import pages
from bot.ui.invites import Invites, invites
from bot.ui.messages import Limits
from bot.ui.pages import AboutFacts
from db.connection import Database
from db.feedback import Acceptance, acceptance, count_votes
from db.tracks import LIBRARY, STARTER, Catalogue, guild_scope
from genrec.preset import Preset


@dataclass(frozen=True, slots=True)
class BotInfo:
    """Facts about the running bot, for /about."""

    version: str
    workers: int
    waiting: Callable[[], int]
    support_url: str = ""


class About(commands.Cog):
    """The /about and /help commands."""

    def __init__(
        self,
        *,
        db: Database,
        guilds: GuildSettingsCache,
        starter: StarterPolicy,
        catalogue: Catalogue,
        preset: Preset,
        translations: Translations,
        recovery: ReplyRecovery,
        limits: Limits,
        info: BotInfo,
    ) -> None:
        self._db = db
        self._guilds = guilds
        self._starter = starter
        self._catalogue = catalogue
        self._preset = preset
        self._translations = translations
        self._recovery = recovery
        self._limits = limits
        self._info = info

    @app_commands.command(description="Show the model, its accuracy, the library and the queue")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def about(self, interaction: discord.Interaction) -> None:
        """Handle /about: send model, accuracy, sizes of the libraries, queue and ratings."""
        async with self._recovery.deferred(interaction):
            localizer = Localizer(self._translations, interaction.locale)
            facts = await self._facts(interaction.guild_id, _invites_for(interaction))
            await respond(interaction, pages.about(localizer, facts))

    async def _facts(self, guild_id: int | None, shown: Invites | None) -> AboutFacts:
        model_id = self._preset.model_id
        counted = (await self._catalogue.stats(model_id)).by_scope
        thumbs = await count_votes(self._db, model_id=model_id)
        # Like the invite addresses, for admins and the operator.
        accepted = Acceptance()
        if shown is not None:
            accepted = await acceptance(self._db, model_id=model_id)
        accuracy, tested = measured(self._preset.metrics())
        policy = (await self._guilds.settings(guild_id)).starter
        choice = await self._starter.choose(guild_id, policy)
        return AboutFacts(
            version=self._info.version,
            model_id=model_id,
            library=counted.get(LIBRARY, 0),
            starter=counted.get(STARTER, 0),
            starter_policy=choice.policy,
            starter_used=choice.starter,
            server=None if guild_id is None else counted.get(guild_scope(guild_id), 0),
            waiting=self._info.waiting(),
            workers=self._info.workers,
            accuracy=accuracy,
            tested=tested,
            tags=self._preset.tags is not None,
            thumbs_up=thumbs.up,
            thumbs_down=thumbs.down,
            accepted=accepted,
            support_url=self._info.support_url,
            invites=shown,
        )

    @app_commands.command(description="How to use genrec")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def help(self, interaction: discord.Interaction) -> None:
        """Handle /help: send the list of commands, for admins with theirs."""
        me = interaction.client.user
        page = pages.help(
            Localizer(self._translations, interaction.locale),
            self._limits,
            bot=f"@{me.name}" if me else "@genrec",
            admin=interaction.guild_id is not None and interaction.permissions.manage_guild,
            support_url=self._info.support_url,
            invites=_invites_for(interaction),
        )
        await respond(interaction, page)


def _invites_for(interaction: discord.Interaction) -> Invites | None:
    """Return the invite addresses for an admin of the server or the operator, else None."""
    admin = interaction.guild_id is not None and interaction.permissions.manage_guild
    if admin or interaction.user.id in operator_ids(interaction.client.application):
        return invites(interaction.application_id)
    return None


def measured(metrics: Mapping[str, object]) -> tuple[float | None, int | None]:
    """Return accuracy and number of test tracks from metrics.json; None where it has none."""
    test = metrics.get("test")
    figures = test if isinstance(test, Mapping) else metrics
    accuracy, tested = figures.get("accuracy"), figures.get("tracks")
    return (
        float(accuracy) if isinstance(accuracy, int | float) else None,
        int(tested) if isinstance(tested, int) else None,
    )
