"""Cog of uploads without a command: in upload channels, mentions and direct messages."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import discord
from discord.ext import commands

from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.client.message_responder import MessageResponder
from bot.client.responders import Responder
from bot.errors import RequestDeclined
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.handlers import RequestHandlers
from bot.jobs.message_clips import ClipFinder, MessageClips
from bot.jobs.options import OptionsResolver
from bot.jobs.reply_correction import WATCHED
from bot.jobs.runner import Handler, RequestRunner
from bot.sources import Sources
from bot.ui import messages

log = logging.getLogger(__name__)

_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)
_MAX_WITHOUT_CLIP = 1_000


class Uploads(commands.Cog):
    """Listener that runs a recommendation for messages with a clip."""

    def __init__(
        self,
        *,
        client: discord.Client,
        runner: RequestRunner,
        sources: Sources,
        clips: ClipFinder,
        handlers: RequestHandlers,
        options: OptionsResolver,
        guilds: GuildSettingsCache,
        errors: ErrorHandler,
        dedup: EventDedup,
    ) -> None:
        self._client = client
        self._runner = runner
        self._sources = sources
        self._clips = clips
        self._handlers = handlers
        self._options = options
        self._guilds = guilds
        self._errors = errors
        self._dedup = dedup
        self._without_clip: OrderedDict[int, None] = OrderedDict()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Recommend for the clips in an upload channel, with a mention, or in a direct message."""
        locale = _locale(message)
        if message.author.bot or message.webhook_id or not self._dedup.is_new(message.id):
            return
        if message.type in _WRITTEN:
            async with self._errors.upload(message, locale):
                await self._respond(message, locale)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Recommend for a clip that an edit adds to a message that had none."""
        message = event.message
        if message.edited_at is None or message.id not in self._without_clip:
            return
        del self._without_clip[message.id]  # an edit that arrives meanwhile is no second request
        locale = _locale(message)
        async with self._errors.upload(message, locale, number=1):
            await self._respond(message, locale, first=1)

    async def _respond(self, message: discord.Message, locale: str, *, first: int = 0) -> None:
        """Respond to each clip; ``first`` is 1 if a message that refers to it may exist."""
        try:
            clips = await self._find(message)
        except RequestDeclined:
            self._remember(message)
            if first:  # the user was told when the message was new
                return
            raise
        if not clips.sources:
            self._remember(message)
            return
        guild_id = message.guild.id if message.guild else None
        options = await self._options.resolve(message.author, guild_id, locale)
        watched = not self._is_asked(message)
        checked = self._sources.check_all(clips.sources)
        several = len(clips.sources) > 1
        if not checked.accepted and not several:
            raise checked.refused[0][1]
        steps = []
        for number, (name, source) in enumerate(checked.accepted, first):
            responder = MessageResponder(
                message,
                client=self._client,
                locale=locale,
                progress=messages.progress(options.localizer, "fetching"),
                note=partial(self._errors.note, message, locale),
                clip=name if several else "",
                number=number,
                watched=watched,
            )
            handler = self._handlers.recommend(source, options, watched=watched)
            steps.append((responder, handler))
        if steps:
            link = str in map(type, clips.sources)
            await self._run(message, steps, link=link, watched=watched)
        if checked.refused or clips.left_out:
            view = self._errors.not_answered(checked.refused, clips.left_out, locale)
            await self._errors.refuse(message, view, locale, number=first + len(steps))

    async def _run(
        self,
        message: discord.Message,
        steps: Sequence[tuple[Responder, Handler]],
        *,
        link: bool,
        watched: bool,
    ) -> None:
        kind = WATCHED if watched else "upload"
        # A voice message that nobody addresses to the bot is seldom a question: it never waits.
        seldom_asked = watched and message.flags.voice
        try:
            await self._runner.run_series(kind, steps, link=link, may_wait=not seldom_asked)
        except RequestDeclined as declined:
            if not seldom_asked:
                raise
            log.info("voice message passed over: %s", declined.key)

    def _is_asked(self, message: discord.Message) -> bool:
        """Return whether a message addresses the bot: a direct message, or one that names it."""
        own_id = self._client.user.id if self._client.user else 0
        return message.guild is None or _names(message, own_id)

    async def _find(self, message: discord.Message) -> MessageClips:
        """Return the clips to answer; raise RequestDeclined if the user asked and there are none.

        A reply to the bot mentions it too, but not in the text.
        """
        own_id = self._client.user.id if self._client.user else 0
        if message.guild is None:
            return await self._clips.asked(message, own_id=own_id, direct=True)
        if _names(message, own_id):
            return await self._clips.asked(message, own_id=own_id)
        if self._guilds.is_upload_channel(_settings_channel(message.channel)):
            return await self._clips.uploaded(message, own_id=own_id)
        return MessageClips()

    def _remember(self, message: discord.Message) -> None:
        self._without_clip[message.id] = None
        while len(self._without_clip) > _MAX_WITHOUT_CLIP:
            self._without_clip.popitem(last=False)


def _locale(message: discord.Message) -> str:
    return str(message.guild.preferred_locale) if message.guild else "en-US"


def _names(message: discord.Message, own_id: int) -> bool:
    """Return True for a text that mentions the bot, or the role that Discord made for it."""
    role = message.guild.self_role if message.guild else None
    names = [f"<@{own_id}>", f"<@!{own_id}>"] + ([f"<@&{role.id}>"] if role else [])
    return any(name in message.content for name in names)


def _settings_channel(channel: discord.abc.MessageableChannel) -> int:
    """Return the id of the channel whose settings apply: a thread's parent, else the channel."""
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return channel.id
