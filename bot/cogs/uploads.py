"""Cog of uploads without a command: in upload channels, mentions and direct messages."""

from __future__ import annotations

import discord
from discord.ext import commands

from bot.client.checks import as_source, is_sound
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.client.responders import MessageResponder
from bot.cogs.recommend import source_of
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.handlers import RequestHandlers
from bot.jobs.options import OptionsResolver
from bot.jobs.runner import RequestRunner
from bot.sources import Attachment, Sources
from bot.ui import messages


class Uploads(commands.Cog):
    """Listener that runs a recommendation for messages with a clip."""

    def __init__(
        self,
        *,
        client: discord.Client,
        runner: RequestRunner,
        sources: Sources,
        handlers: RequestHandlers,
        options: OptionsResolver,
        guilds: GuildSettingsCache,
        errors: ErrorHandler,
        dedup: EventDedup,
    ) -> None:
        self._client = client
        self._runner = runner
        self._sources = sources
        self._handlers = handlers
        self._options = options
        self._guilds = guilds
        self._errors = errors
        self._dedup = dedup

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Recommend for a clip in an upload channel, with a mention, or in a direct message."""
        if message.author.bot or message.webhook_id or not self._dedup.is_new(message.id):
            return
        locale = str(message.guild.preferred_locale) if message.guild else "en-US"
        if self._addresses_bot(message):
            async with self._errors.upload(message, locale):
                await self._recommend(message, source_of(message), locale)
        elif self._guilds.is_upload_channel(_settings_channel(message.channel)):
            clip = next(filter(is_sound, message.attachments), None)
            if clip is not None:
                async with self._errors.upload(message, locale):
                    await self._recommend(message, as_source(clip), locale)

    def _addresses_bot(self, message: discord.Message) -> bool:
        """Return True for a text that mentions the bot, or a direct message with an upload.

        A reply to the bot mentions it too, but not in the text.
        """
        if message.guild is None:
            return bool(message.attachments)
        me = message.guild.me.id
        return f"<@{me}>" in message.content or f"<@!{me}>" in message.content

    async def _recommend(
        self, message: discord.Message, source: Attachment | str, locale: str
    ) -> None:
        checked = self._sources.check(source)
        guild_id = message.guild.id if message.guild else None
        options = await self._options.resolve(message.author, guild_id, locale)
        progress = messages.progress(options.localizer, "fetching")
        responder = MessageResponder(message, client=self._client, locale=locale, progress=progress)
        handler = self._handlers.recommend(checked, options)
        await self._runner.run(responder, "upload", handler, link=checked.is_link)


def _settings_channel(channel: discord.abc.MessageableChannel) -> int:
    """Return the id of the channel whose settings apply: a thread's parent, else the channel."""
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return channel.id
