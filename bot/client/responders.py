"""One message, acknowledged, kept up to date and finished: an interaction's, or a reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import discord
from discord.ui import LayoutView

from bot.client.retry import ALREADY_ACKNOWLEDGED, GONE, retry_until, with_retry

log = logging.getLogger(__name__)

MakeFile = Callable[[], discord.File]
"""Files are made anew for each try, because discord.py closes those it has sent."""

# Discord drops the token 3 s after the event; the rest is what the event took to get here.
_ACKNOWLEDGE_S = 2.8
_PROGRESS_S = 4.0
# Edits begin to fail somewhat before the token's 15 minutes are over.
_MARGIN_S = 15.0
_REPLY_S = 15 * 60


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """Which message a restarted bot has to correct."""

    application_id: int | None = None
    token: str | None = field(default=None, repr=False)  # a credential: never in a log
    message_id: int | None = None


class Responder(Protocol):
    """Where the answer to one question is shown."""

    user_id: int
    guild_id: int | None
    channel_id: int | None
    locale: str
    private: bool
    known_at_once: bool
    """Whether the debt can be noted before the acknowledgement."""

    async def acknowledge(self) -> None:
        """Show within 3 s that the question has arrived."""

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Replace what is shown, once; for progress, which may be lost."""

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Replace what is shown for good, also through an outage of some minutes."""

    @property
    def target(self) -> ReplyTarget:
        """What a restarted bot needs to correct the message."""


class InteractionResponder:
    """The answer to a command, a menu or a button."""

    known_at_once = True

    def __init__(self, interaction: discord.Interaction, *, private: bool) -> None:
        self._interaction = interaction
        self.private = private
        self.user_id = interaction.user.id
        self.guild_id = interaction.guild_id
        self.channel_id = interaction.channel_id
        self.locale = str(interaction.locale)
        self._message_id: int | None = None

    @property
    def target(self) -> ReplyTarget:
        """The interaction's token, which edits its answer for 15 minutes."""
        return ReplyTarget(self._interaction.application_id, self._interaction.token)

    async def acknowledge(self) -> None:
        """Defer; an acknowledgement that was applied and whose answer was lost is one too."""
        self._message_id = await acknowledge(self._interaction, private=self.private)

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the original response."""
        edit = self._edit_as_message if self._interaction.is_expired() else self._edit
        await with_retry(lambda: edit(view, files), timeout_s=_PROGRESS_S)

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the original response; where its token has run out, the message it became."""
        loop = asyncio.get_running_loop()
        left_s = (self._interaction.expires_at - discord.utils.utcnow()).total_seconds()
        try:
            if left_s > _MARGIN_S:
                await retry_until(loop.time() + left_s - _MARGIN_S, lambda: self._edit(view, files))
                return
        except discord.HTTPException as error:
            if error.code not in GONE:
                raise
        await self._finish_late(view, files)

    async def _finish_late(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        try:
            await with_retry(lambda: self._edit_as_message(view, files))
        except discord.HTTPException as error:
            log.warning("an answer was ready after its token had run out: %s", error)
            channel = self._interaction.channel
            if self.private or not isinstance(channel, discord.abc.Messageable):
                return
            nonce = self._interaction.id
            await with_retry(
                lambda: channel.send(view=view, files=[make() for make in files], nonce=nonce)
            )

    async def _edit(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        await self._interaction.edit_original_response(
            view=view, attachments=[make() for make in files]
        )

    async def _edit_as_message(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        """Edit as any message of the bot's own: only where it may see the channel."""
        channel = self._interaction.client.get_partial_messageable(self.channel_id or 0)
        message = channel.get_partial_message(self._message_id or 0)
        await message.edit(view=view, attachments=[make() for make in files])


class MessageResponder:
    """The answer to an uploaded clip: a reply in its channel."""

    private = False
    known_at_once = False

    def __init__(self, message: discord.Message, *, locale: str, waiting: LayoutView) -> None:
        self._message = message
        self._waiting = waiting
        self._reply: discord.Message | None = None
        self.user_id = message.author.id
        self.guild_id = message.guild.id if message.guild else None
        self.channel_id: int | None = message.channel.id
        self.locale = locale

    @property
    def target(self) -> ReplyTarget:
        """The reply; it is known once it has been posted."""
        return ReplyTarget(message_id=self._reply.id if self._reply else None)

    async def acknowledge(self) -> None:
        """Reply that the clip is being looked at; never twice, also where the call is repeated."""
        reference = self._message.to_reference(fail_if_not_exists=False)
        self._reply = await with_retry(
            lambda: self._message.channel.send(
                view=self._waiting,
                reference=reference,
                mention_author=False,
                nonce=self._message.id,
                silent=True,
            )
        )

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the reply."""
        await with_retry(lambda: self._edit(view, files), timeout_s=_PROGRESS_S)

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the reply."""
        deadline = asyncio.get_running_loop().time() + _REPLY_S
        await retry_until(deadline, lambda: self._edit(view, files))

    async def _edit(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        assert self._reply is not None, "acknowledge() comes first"
        await self._reply.edit(view=view, attachments=[make() for make in files])


async def acknowledge(
    interaction: discord.Interaction, *, private: bool, thinking: bool = True
) -> int | None:
    """Defer an interaction in the time Discord gives; return the message's id, where told."""
    try:
        response = await with_retry(
            lambda: interaction.response.defer(ephemeral=private, thinking=thinking),
            timeout_s=_ACKNOWLEDGE_S,
        )
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
        return None
    return response.message_id if response else None


async def say(
    interaction: discord.Interaction,
    view: LayoutView,
    *,
    private: bool = True,
    files: Sequence[MakeFile] = (),
) -> None:
    """Answer an interaction at once, or after all where it was deferred."""
    if interaction.response.is_done():
        await with_retry(
            lambda: interaction.edit_original_response(
                view=view, attachments=[make() for make in files]
            )
        )
        return
    try:
        await with_retry(
            lambda: interaction.response.send_message(
                view=view, files=[make() for make in files], ephemeral=private
            ),
            timeout_s=_ACKNOWLEDGE_S,
        )
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
        # Acknowledged, though the answer to that was lost on its way: the message is still empty.
        await with_retry(
            lambda: interaction.edit_original_response(
                view=view, attachments=[make() for make in files]
            )
        )
