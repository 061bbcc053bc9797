"""/privacy: show and delete the data about a user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.responders import acknowledge, respond
from bot.i18n import Localizer, Translations
from bot.ui import messages, pages
from bot.ui.pages import StoredCounts
from db.connection import Database
from db.privacy import count_user_data, delete_user_data


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class Privacy(commands.GroupCog, name="privacy", description="Data stored about you"):
    """The /privacy commands and their buttons."""

    def __init__(
        self, *, db: Database, translations: Translations,
        forget: Sequence[Callable[[int], None]],
    ) -> None:  # fmt: skip
        self._db = db
        self._forget = tuple(forget)  # each clears something that memory holds of a user
        self._translations = translations
        self.buttons: Mapping[str, OnPress] = {"privacy": self.confirm}

    @app_commands.command(description="Show the data stored about you")
    async def show(self, interaction: discord.Interaction) -> None:
        """Handle /privacy show: send counts of the data stored about the user."""
        data = await count_user_data(self._db, interaction.user.id)
        counts = StoredCounts(
            votes=data.votes,
            tracks=data.tracks_added,
            requests=data.pending_replies,
            clips=data.clips_taught,
            track_votes=data.track_votes,
            not_again=data.not_again,
            taste=bool(data.taste),
            taste_shown=data.taste_shown,
        )
        localizer = Localizer(self._translations, interaction.locale)
        await respond(interaction, pages.privacy(localizer, counts))

    @app_commands.command(description="Delete the data stored about you")
    async def delete(self, interaction: discord.Interaction) -> None:
        """Handle /privacy delete: send the confirmation with its buttons."""
        localizer = Localizer(self._translations, interaction.locale)
        await respond(interaction, pages.confirm_delete(localizer))

    async def confirm(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the buttons of /privacy delete: delete the user's data, or nothing."""
        await acknowledge(interaction, private=True, thinking=False)
        confirmed = parts[-1] == "yes"
        if confirmed:
            await delete_user_data(self._db, interaction.user.id)
            for forget in self._forget:
                forget(interaction.user.id)
        localizer = Localizer(self._translations, interaction.locale)
        key = "privacy_deleted" if confirmed else "privacy_kept"
        await respond(interaction, messages.notice(localizer, key))
