"""/about, /help, /privacy, and the thumbs under an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import Press
from bot.client.responders import acknowledge, say
from bot.errors import Declined
from bot.metrics import Metrics
from bot.ui.messages import Replies
from bot.ui.pages import AboutFacts, Kept, Pages
from db.connection import Database
from db.feedback import Vote, count_votes, vote
from db.privacy import count_user_data, delete_user_data
from db.tracks import LIBRARY, STARTER, Catalogue, guild_scope
from genrec.preset import Preset


@dataclass(frozen=True, slots=True)
class BotInfo:
    """What /about says of the running bot."""

    version: str
    workers: int
    waiting: Callable[[], int]
    support_url: str = ""


class About(commands.Cog):
    """What people may want to know, and what they think."""

    def __init__(
        self,
        *,
        db: Database,
        catalogue: Catalogue,
        preset: Preset,
        replies: Replies,
        pages: Pages,
        metrics: Metrics,
        machine: BotInfo,
    ) -> None:
        self._db = db
        self._catalogue = catalogue
        self._preset = preset
        self._replies = replies
        self._pages = pages
        self._metrics = metrics
        self._machine = machine
        self.presses: Mapping[str, Press] = {"thumb": self.thumb}

    @app_commands.command(description="Show the model, its accuracy, the library and the queue")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def about(self, interaction: discord.Interaction) -> None:
        """Answer /about."""
        await acknowledge(interaction, private=True)
        await say(
            interaction, self._pages.about(await self._facts(interaction), interaction.locale)
        )

    async def _facts(self, interaction: discord.Interaction) -> AboutFacts:
        model_id, guild_id = self._preset.model_id, interaction.guild_id
        counted = (await self._catalogue.stats(model_id)).by_scope
        thumbs = await count_votes(self._db, model_id=model_id)
        accuracy, tested = measured(self._preset.metrics())
        return AboutFacts(
            version=self._machine.version,
            model_id=model_id,
            library=counted.get(STARTER, 0) + counted.get(LIBRARY, 0),
            server=None if guild_id is None else counted.get(guild_scope(guild_id), 0),
            waiting=self._machine.waiting(),
            workers=self._machine.workers,
            accuracy=accuracy,
            tested=tested,
            thumbs_up=thumbs.up,
            thumbs_down=thumbs.down,
            support_url=self._machine.support_url,
        )

    @app_commands.command(description="How to use genrec")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def help(self, interaction: discord.Interaction) -> None:
        """Answer /help."""
        me = interaction.client.user
        page = self._pages.help(
            interaction.locale,
            bot=f"@{me.name}" if me else "@genrec",
            admin=interaction.guild_id is not None and interaction.permissions.manage_guild,
            support_url=self._machine.support_url,
        )
        await say(interaction, page)

    async def thumb(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Keep a thumb, or take it back where it was given before."""
        if interaction.message is None or parts[0] not in ("up", "down"):
            raise Declined("answer_gone")
        await acknowledge(interaction, private=True)
        stands = await vote(
            self._db,
            Vote(
                message_id=interaction.message.id,
                user_id=interaction.user.id,
                guild_id=interaction.guild_id,
                model_id=self._preset.model_id,
                verdict=1 if parts[0] == "up" else -1,
            ),
        )
        self._metrics.voted(parts[0] if stands else "withdrawn")
        key = f"thumb_{parts[0]}" if stands else "thumb_removed"
        await say(interaction, self._replies.notice(key, interaction.locale))


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class Privacy(commands.GroupCog, name="privacy", description="Data stored about you"):
    """What is kept about a person, and its deletion."""

    def __init__(self, *, db: Database, replies: Replies, pages: Pages) -> None:
        self._db = db
        self._replies = replies
        self._pages = pages
        self.presses: Mapping[str, Press] = {"privacy": self.decided}

    @app_commands.command(description="Show the data stored about you")
    async def show(self, interaction: discord.Interaction) -> None:
        """Answer /privacy show."""
        await acknowledge(interaction, private=True)
        kept = await count_user_data(self._db, interaction.user.id)
        page = Kept(kept.votes, kept.tracks_added, kept.pending_replies)
        await say(interaction, self._pages.privacy(page, interaction.locale))

    @app_commands.command(description="Delete the data stored about you")
    async def delete(self, interaction: discord.Interaction) -> None:
        """Answer /privacy delete."""
        await say(interaction, self._pages.confirm_delete(interaction.locale))

    async def decided(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Delete, or not, as the button says."""
        await acknowledge(interaction, private=True, thinking=False)
        sure = parts[-1] == "yes"
        if sure:
            await delete_user_data(self._db, interaction.user.id)
        key = "privacy_deleted" if sure else "privacy_kept"
        await say(interaction, self._replies.notice(key, interaction.locale))


def measured(metrics: Mapping[str, object]) -> tuple[float | None, int | None]:
    """Return the accuracy of metrics.json and on how many tracks it was measured."""
    test = metrics.get("test")
    figures = test if isinstance(test, Mapping) else metrics
    accuracy, tested = figures.get("accuracy"), figures.get("tracks")
    return (
        float(accuracy) if isinstance(accuracy, int | float) else None,
        int(tested) if isinstance(tested, int) else None,
    )
