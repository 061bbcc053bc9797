"""Cog of the first message on a server that adds the bot."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta

import aiohttp
import discord
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.channel_permissions import may_post_in
from bot.client.retry import with_retry
from bot.i18n import Localizer, Translations
from bot.ui import pages
from db.connection import Database
from db.key_values import get_value, set_value
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

# Discord sends the event of a new guild also for old ones, after an outage.
_NEW = timedelta(minutes=10)
_FAILURES = (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)


class Welcome(commands.Cog):
    """Listener that posts one message on a new server: what the bot does, and a first button.

    It is posted in the channel of Discord's own welcome messages, or else in the first text channel
    that takes it. Where the bot may post nowhere, there is no message.
    """

    def __init__(
        self,
        *,
        client: discord.Client,
        db: Database,
        translations: Translations,
        switch_uploads_on: Callable[[discord.Interaction], Awaitable[None]],
    ) -> None:
        self._client = client
        self._db = db
        self._translations = translations
        self._switch_uploads_on = switch_uploads_on
        self.buttons: Mapping[str, OnPress] = {"welcome": self.press}

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Post the message once, unless the guild is an old one."""
        joined = guild.me.joined_at
        if joined is None or discord.utils.utcnow() - joined > _NEW:
            return
        try:
            if await get_value(self._db, _name(guild.id)):
                return
            # Before the message: after a kill none is better than two.
            await set_value(self._db, _name(guild.id), "1")
        except CatalogueError as error:
            log.warning("no welcome message: guild %s: %s", guild.id, error)
            return
        for channel in _places(guild):
            if await self._post(channel, guild):
                log.info("welcome message: guild %s, channel %s", guild.id, channel.id)
                return
        log.info("no welcome message: guild %s: no channel takes one", guild.id)

    async def press(self, interaction: discord.Interaction, _: tuple[str, ...]) -> None:
        """Handle the button: switch uploads on in its channel."""
        await self._switch_uploads_on(interaction)

    async def _post(self, channel: discord.TextChannel, guild: discord.Guild) -> bool:
        view = pages.welcome(
            Localizer(self._translations, guild.preferred_locale),
            bot=f"@{guild.me.name}",
            uploads=self._client.intents.message_content,
        )
        # So that no retry posts it twice.
        nonce = discord.utils.time_snowflake(discord.utils.utcnow())
        try:
            await with_retry(lambda: channel.send(view=view, nonce=nonce))
        except _FAILURES as error:
            log.info("welcome message not accepted: channel %s: %s", channel.id, error)
            return False
        return True


def _places(guild: discord.Guild) -> Iterator[discord.TextChannel]:
    """Yield the channels in which the message may stand, the best first."""
    avoided = (guild.rules_channel, guild.public_updates_channel)
    for channel in (guild.system_channel, *guild.text_channels):
        open_to_all = channel is not None and not channel.is_news() and channel not in avoided
        if channel is not None and open_to_all and may_post_in(channel, guild):
            yield channel


def _name(guild_id: int) -> str:
    return f"welcomed:{guild_id}"
