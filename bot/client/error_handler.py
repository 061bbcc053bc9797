"""Error handler: turn errors into messages, and log errors that are not the user's fault."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import discord
from discord import app_commands
from discord.ui import LayoutView

from bot.client.channel_permissions import PostingRefused, is_refused, lacks_permission
from bot.client.message_responder import refuse_privately, reply_to
from bot.client.responders import follow_up, respond
from bot.client.retry import GONE
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.logs import new_request_id, request_id
from bot.ui import messages
from bot.ui.messages import Limits
from genrec.errors import GenrecError, InputRefused

log = logging.getLogger(__name__)

# Refusals of uploads on servers that a user gets once in `REPEAT_S`, however many were sent.
BUSY = frozenset(
    {
        "cooldown", "own_job_running", "own_clips_waiting", "server_busy", "direct_messages_busy",
        "everyone_busy", "links_busy",
    }
)  # fmt: skip
REPEAT_S = 30.0
_MAX_TOLD = 1_000


class ErrorHandler:
    """Sends the message of an error to the user."""

    def __init__(
        self,
        *,
        translations: Translations,
        limits: Limits,
        on_unanswered: Callable[[discord.Message], Awaitable[None]] | None = None,
        on_refusal: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._translations = translations
        self._limits = limits
        self._on_unanswered = on_unanswered
        self._on_refusal = on_refusal
        self._told: OrderedDict[tuple[int, int], float] = OrderedDict()  # by guild and user

    def message_of(self, error: BaseException, locale: object, *, clip: str = "") -> LayoutView:
        """Return the message of an error, and log an error that is not the user's fault.

        ``clip`` is the name of the clip, if the error is that of one among several.
        """
        error, localizer = unwrapped(error), Localizer(self._translations, locale)
        self._on_refusal(outcome_of(error))
        if isinstance(error, RequestDeclined):
            return messages.decline(localizer, error.key, **error.values)
        if isinstance(error, GenrecError):
            if not isinstance(error, InputRefused):
                log.warning("request failed: code %s: %s", error.code, error)
            return messages.refusal(localizer, error, self._limits, clip=clip)
        error_id = request_id.get() or new_request_id()
        log.error("unhandled error %s", error_id, exc_info=error)
        return messages.apology(localizer, error_id)

    async def explain(
        self,
        interaction: discord.Interaction,
        refused: Sequence[tuple[str, GenrecError]],
        left_out: int,
    ) -> None:
        """Send the message of `not_answered` to the user of an interaction, privately."""
        view = self.not_answered(refused, left_out, interaction.locale)
        try:
            if interaction.response.is_done():
                await follow_up(interaction, view, private=True)
            else:
                await respond(interaction, view)
        except (discord.HTTPException, OSError, TimeoutError) as failure:
            log.warning("refused clips not listed: interaction %s: %s", interaction.id, failure)

    def not_answered(
        self, refused: Sequence[tuple[str, GenrecError]], left_out: int, locale: object
    ) -> LayoutView:
        """Return the message about the clips of a message that get no answer, and why."""
        localizer = Localizer(self._translations, locale)
        for _, error in refused:
            self._on_refusal(outcome_of(error))
        return messages.not_answered(localizer, refused, self._limits, left_out=left_out)

    async def refuse(
        self, message: discord.Message, view: LayoutView, locale: object, *, number: int = 0
    ) -> None:
        """Send a refusal to the author of a message alone, or reply where that is impossible."""
        if not await refuse_privately(message, view, self.note(message, locale)):
            await reply_to(message, view, number=number)

    def note(self, message: discord.Message, locale: object) -> str:
        """Return the small line below a refusal in a direct message: which message it is about."""
        return messages.about_message(Localizer(self._translations, locale), message)

    async def respond(self, interaction: discord.Interaction, error: BaseException) -> None:
        """Send the message of an error; if that fails, log it."""
        error = unwrapped(error)
        if isinstance(error, discord.HTTPException) and error.code in GONE:
            log.warning("interaction expired: interaction %s: %s", interaction.id, error)
            return
        view = self.message_of(error, interaction.locale)
        try:
            await respond(interaction, view)
        except (discord.HTTPException, OSError, TimeoutError) as failure:
            log.warning("error message not sent: interaction %s: %s", interaction.id, failure)

    @asynccontextmanager
    async def interaction(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Send the message of an error in the block to the user of an interaction."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last handler of a button's errors
            await self.respond(interaction, error)

    @asynccontextmanager
    async def upload(
        self, message: discord.Message, locale: str, *, number: int = 0
    ) -> AsyncIterator[None]:
        """Send the message of an error in the block as a reply to an upload.

        Where the bot lacks a permission to post, ``on_unanswered`` is called with the upload.
        ``number`` is the number of replies to it before.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last handler of an upload's errors
            await self._reply(message, error, locale, number)

    async def _reply(
        self, message: discord.Message, error: Exception, locale: str, number: int
    ) -> None:
        try:
            if is_refused(error):
                raise error
            if isinstance(error, RequestDeclined) and error.key in BUSY and self._was_told(message):
                log.info("refusal not repeated: message %s: %s", message.id, error.key)
                return
            await self.refuse(message, self.message_of(error, locale), locale, number=number)
        except (PostingRefused, discord.HTTPException) as failure:
            if not is_refused(failure):
                raise
            log.warning("upload not answered: message %s: %s", message.id, failure)
            if self._on_unanswered is not None and lacks_permission(failure):
                await self._on_unanswered(message)

    def _was_told(self, message: discord.Message) -> bool:
        """Return whether the author was told within `REPEAT_S` that too much is waiting."""
        if message.guild is None:  # a direct message always gets an answer
            return False
        now, key = time.monotonic(), (message.guild.id, message.author.id)
        if now - self._told.get(key, -math.inf) < REPEAT_S:
            return True
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        return False


def unwrapped(error: BaseException) -> BaseException:
    """Return the error inside discord.py's wrapper; failed checks become RequestDeclined."""
    if isinstance(error, app_commands.CommandInvokeError):
        return error.original
    if isinstance(error, app_commands.NoPrivateMessage):
        return RequestDeclined("guild_only")
    if isinstance(error, app_commands.MissingPermissions):
        return RequestDeclined("no_permission")
    return error


def outcome_of(error: BaseException) -> str:
    """Return an error's outcome in the metrics: its key or code, "interrupted" or "failed"."""
    if isinstance(error, asyncio.CancelledError):
        return "interrupted"
    if isinstance(error, RequestDeclined):
        return error.key
    return error.code if isinstance(error, GenrecError) else "failed"
