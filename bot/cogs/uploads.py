"""Clips that are simply uploaded: in a watched channel, with a mention, or in a direct message."""

from __future__ import annotations

import discord
from discord.ext import commands

from bot.client.checks import as_source, is_sound, may_post_in
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.client.responders import MessageResponder
from bot.cogs.recommend import source_of
from bot.jobs.guild_settings import GuildSettingsCache
from bot.jobs.handlers import RequestHandlers
from bot.jobs.options import Preferences
from bot.jobs.runner import JobRunner
from bot.sources import Attachment
from bot.ui.messages import Replies


class Uploads(commands.Cog):
    """Answers clips that nobody gave a command for."""

    def __init__(
        self,
        *,
        runner: JobRunner,
        handlers: RequestHandlers,
        preferences: Preferences,
        servers: GuildSettingsCache,
        replies: Replies,
        errors: ErrorHandler,
        dedup: EventDedup,
    ) -> None:
        self._runner = runner
        self._handlers = handlers
        self._preferences = preferences
        self._servers = servers
        self._replies = replies
        self._errors = errors
        self._dedup = dedup

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that holds a clip and is meant for the bot."""
        if message.author.bot or message.webhook_id or not self._dedup.is_new(message.id):
            return
        if not may_post_in(message.channel, message.guild):
            return
        locale = str(message.guild.preferred_locale) if message.guild else "en-US"
        if self._addressed(message):
            async with self._errors.replying(message, locale):
                await self._answer(message, source_of(message), locale)
        elif self._servers.watches(_home(message.channel)):
            clip = next(filter(is_sound, message.attachments), None)
            if clip is not None:
                async with self._errors.replying(message, locale):
                    await self._answer(message, as_source(clip), locale)

    def _addressed(self, message: discord.Message) -> bool:
        """Tell whether a message is for the bot; a reply that merely pings it is not."""
        if message.guild is None:
            return bool(message.attachments)
        me = message.guild.me.id
        return f"<@{me}>" in message.content or f"<@!{me}>" in message.content

    async def _answer(
        self, message: discord.Message, source: Attachment | str, locale: str
    ) -> None:
        self._handlers.check(source)
        guild_id = message.guild.id if message.guild else None
        wanted = await self._preferences.wanted(message.author, guild_id, locale)
        waiting = self._replies.progress("fetching", locale)
        answer = MessageResponder(message, locale=locale, waiting=waiting)
        await self._runner.run(answer, "upload", self._handlers.recommend(source, wanted))


def _home(channel: discord.abc.MessageableChannel) -> int:
    """Return the id settings go by: a thread belongs to its channel."""
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return channel.id
