"""The one place that turns an error into words: a sentence where there is one, else an apology."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
from discord import app_commands
from discord.ui import LayoutView

from bot.client.checks import may_post_in
from bot.client.responders import say
from bot.client.retry import GONE, with_retry
from bot.errors import Declined
from bot.logs import job_id, new_job_id
from bot.ui.messages import Replies
from genrec.errors import GenrecError, InputRefused

log = logging.getLogger(__name__)


class ErrorHandler:
    """Speaks for everything that failed."""

    def __init__(self, *, replies: Replies) -> None:
        self._replies = replies

    def explain(self, error: BaseException, locale: str) -> LayoutView:
        """Return what the person reads; an error of ours goes to the log, under the same id."""
        error = unwrapped(error)
        if isinstance(error, Declined):
            return self._replies.decline(error.key, locale, **error.values)
        if isinstance(error, GenrecError):
            if not isinstance(error, InputRefused):
                log.warning("%s: %s", error.code, error)
            return self._replies.refusal(error, locale)
        name = job_id.get() or new_job_id()
        log.error("our fault, told as %s", name, exc_info=error)
        return self._replies.apology(name, locale)

    async def answer(self, interaction: discord.Interaction, error: BaseException) -> None:
        """Tell the person; where even that fails, the log."""
        error = unwrapped(error)
        if _nobody_listens(error):
            log.warning("an interaction came or was answered too late: %s", error)
            return
        view = self.explain(error, str(interaction.locale))
        try:
            await say(interaction, view)
        except (discord.HTTPException, OSError, TimeoutError) as failure:
            log.warning("an error could not be told: %s", failure)

    @asynccontextmanager
    async def answering(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Tell the person what goes wrong in the block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last stop of all that a button does
            await self.answer(interaction, error)

    @asynccontextmanager
    async def replying(self, message: discord.Message, locale: str) -> AsyncIterator[None]:
        """Say in a reply what goes wrong in the block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last stop of all that an upload does
            view = self.explain(error, locale)
            if may_post_in(message.channel, message.guild):
                reference = message.to_reference(fail_if_not_exists=False)
                await with_retry(
                    lambda: message.channel.send(
                        view=view, reference=reference, nonce=message.id, silent=True
                    )
                )


def unwrapped(error: BaseException) -> BaseException:
    """Return the cause of what discord.py wraps, and our own word for its refusals."""
    if isinstance(error, app_commands.CommandInvokeError):
        return error.original
    if isinstance(error, app_commands.NoPrivateMessage):
        return Declined("guild_only")
    if isinstance(error, app_commands.MissingPermissions):
        return Declined("no_permission")
    return error


def outcome_of(error: BaseException) -> str:
    """Return the word that counts an error in the metrics."""
    if isinstance(error, asyncio.CancelledError):
        return "interrupted"
    if isinstance(error, Declined):
        return error.key
    return error.code if isinstance(error, GenrecError) else "failed"


def _nobody_listens(error: BaseException) -> bool:
    return isinstance(error, discord.HTTPException) and error.code in GONE
