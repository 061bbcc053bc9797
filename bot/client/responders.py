"""Responders: acknowledge a request, then edit its message up to the response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import aiohttp
import discord
from discord.ui import LayoutView

from bot.client.retry import ALREADY_ACKNOWLEDGED, GONE, retry_until, with_retry

log = logging.getLogger(__name__)

MakeFile = Callable[[], discord.File]
"""Makes a file for each attempt, because discord.py closes those that it has sent."""

# Discord drops the token 3 s after the event, and the event takes some time to arrive.
_ACKNOWLEDGE_S = 2.8
PROGRESS_S = 4.0
# Edits start to fail some seconds before the 15 minutes of a token are over.
_MARGIN_S = 15.0
# Discord's name for an interaction's first response; discord.py's types allow numbers only.
ORIGINAL: Any = "@original"


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """The message that a restarted bot corrects."""

    application_id: int | None = None
    token: str | None = field(default=None, repr=False)  # a credential: never in a log
    message_id: int | None = None
    upload_id: int | None = None
    only_by_id: bool = False  # neither the upload nor the token leads to the message


class Responder(Protocol):
    """Edits the message of one request."""

    user_id: int
    guild_id: int | None
    channel_id: int | None
    locale: str
    private: bool
    clip: str
    """Name of the clip if the request has several, for errors; else ""."""

    @property
    def may_attach(self) -> bool:
        """Whether the response may have files."""

    @property
    def silent(self) -> bool:
        """Whether the request is acknowledged without a message, and none is posted so far."""

    async def acknowledge(self, progress: LayoutView | None = None) -> None:
        """Acknowledge the request within 3 s; ``progress`` replaces the first progress message."""

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the message, with few retries: for progress, which may be lost."""

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the message, with retries through an outage of some minutes: for the response."""

    async def refuse(self, view: LayoutView) -> None:
        """Send a refusal to the user alone where Discord allows it, else in the message."""

    async def discard(self) -> None:
        """Delete the message: for a request that gets no response."""

    @property
    def target(self) -> ReplyTarget:
        """The message, for a restarted bot to correct."""


class InteractionResponder:
    """Responder of a command, a menu or a button.

    Discord lets an application attach files to its responses in every channel.
    """

    may_attach = True
    silent = False

    def __init__(self, interaction: discord.Interaction, *, private: bool, clip: str = "") -> None:
        self._interaction = interaction
        self.private = private
        self.clip = clip
        self.user_id = interaction.user.id
        self.guild_id = interaction.guild_id
        self.channel_id = interaction.channel_id
        self.locale = str(interaction.locale)
        self._message_id: int | None = None

    @property
    def target(self) -> ReplyTarget:
        """Application id and interaction token, valid for 15 minutes, and the message if known."""
        interaction = self._interaction
        return ReplyTarget(interaction.application_id, interaction.token, self._message_id)

    async def acknowledge(self, progress: LayoutView | None = None) -> None:  # noqa: ARG002
        """Defer the interaction, which shows Discord's own progress."""
        self._message_id = await acknowledge(self._interaction, private=self.private)

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the original response."""
        edit = self._edit_as_message if self._interaction.is_expired() else self._edit
        await with_retry(lambda: edit(view, files), timeout_s=PROGRESS_S)

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the response by its token, else as a message; if both fail, post a new message.

        A private response is never posted anew: its failure is only logged.
        """
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

    async def refuse(self, view: LayoutView) -> None:
        """Delete the public message and follow up privately.

        Discord posts a follow-up privately only if the interaction does not wait for its response.
        """
        if self.private or not self._may_follow_up():
            await self.finish(view)
            return
        try:
            await self.discard()
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("refusal not private: message not deleted: %s", error)
            await self.finish(view)
            return
        await with_retry(
            lambda: self._interaction.followup.send(view=view, ephemeral=True, wait=True)
        )

    def _may_follow_up(self) -> bool:
        """Return whether a private follow-up is possible, and of use."""
        interaction = self._interaction
        left_s = (interaction.expires_at - discord.utils.utcnow()).total_seconds()
        replaced = running(interaction.client) is not interaction.client
        return left_s > _MARGIN_S and not interaction.context.dm_channel and not replaced

    async def discard(self) -> None:
        """Delete the message."""
        await with_retry(lambda: self._webhook().delete_message(self._webhook_message))

    async def _finish_late(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        try:
            await with_retry(lambda: self._edit_as_message(view, files))
        except discord.HTTPException as error:
            log.warning("reply token expired before the response: %s", error)
            channel = self._interaction.channel
            if self.private or not isinstance(channel, discord.abc.Messageable):
                return
            nonce = self._nonce
            await with_retry(
                lambda: channel.send(view=view, files=[make() for make in files], nonce=nonce)
            )

    async def _edit(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        attachments = [make() for make in files]
        target = self._webhook_message
        await self._webhook().edit_message(target, view=view, attachments=attachments)

    def _webhook(self) -> discord.Webhook:
        interaction = self._interaction
        return discord.Webhook.partial(
            interaction.application_id, interaction.token, client=running(interaction.client)
        )

    @property
    def _webhook_message(self) -> Any:
        """The message's id for the interaction's webhook."""
        return ORIGINAL

    @property
    def _nonce(self) -> int | str:
        return self._interaction.id

    async def _edit_as_message(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        """Edit as a message of the bot, which works only in channels that it can see."""
        client = running(self._interaction.client)
        channel = client.get_partial_messageable(self.channel_id or 0)
        message = channel.get_partial_message(self._message_id or 0)
        await message.edit(view=view, attachments=[make() for make in files])


class PrivateFilesResponder(InteractionResponder):
    """Responder of a public response whose files are for the user alone.

    ``files_view`` makes the message of the files. It follows up privately, and is a direct message
    once the interaction's token has expired.
    """

    def __init__(
        self, interaction: discord.Interaction, *, files_view: Callable[[], LayoutView]
    ) -> None:
        super().__init__(interaction, private=False)
        self._files_view = files_view

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the response, then send the files to the user."""
        await super().finish(view)
        if not files:
            return
        try:
            await with_retry(lambda: self._send(files))
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("private files not sent: user %s: %s", self.user_id, error)

    async def _send(self, files: Sequence[MakeFile]) -> None:
        view, attachments = self._files_view(), [make() for make in files]
        if self._may_follow_up():
            await self._interaction.followup.send(
                view=view, files=attachments, ephemeral=True, wait=True
            )
            return
        client = running(self._interaction.client)
        user = client.get_user(self.user_id) or await client.fetch_user(self.user_id)
        await user.send(view=view, files=attachments)


class EditingResponder(InteractionResponder):
    """Responder of a control whose own message becomes the response."""

    def __init__(self, interaction: discord.Interaction) -> None:
        message = interaction.message
        super().__init__(interaction, private=bool(message and message.flags.ephemeral))
        self._message_id = message.id if message else None

    async def acknowledge(self, progress: LayoutView | None = None) -> None:  # noqa: ARG002
        """Defer the interaction without a new message."""
        await acknowledge(self._interaction, private=self.private, thinking=False)


class FollowUpResponder(InteractionResponder):
    """Responder of a further clip of a menu's message: it posts a follow-up message."""

    def __init__(
        self,
        interaction: discord.Interaction,
        *,
        private: bool,
        clip: str,
        number: int,
        progress: LayoutView,
    ) -> None:
        super().__init__(interaction, private=private, clip=clip)
        self._number = number
        self._progress = progress

    @property
    def target(self) -> ReplyTarget:
        """Application id and interaction token, and after the acknowledgement the message."""
        return replace(super().target, only_by_id=True)

    async def acknowledge(self, progress: LayoutView | None = None) -> None:
        """Post the first progress, in one attempt: a second one could post it twice."""
        view = progress or self._progress
        self._message_id = await follow_up(self._interaction, view, private=self.private)

    def _may_follow_up(self) -> bool:
        # Where only the user installed the bot, Discord allows five follow-ups in all.
        return super()._may_follow_up() and self._interaction.is_guild_integration()

    @property
    def _webhook_message(self) -> Any:
        return self._message_id

    @property
    def _nonce(self) -> int | str:
        return f"{self._interaction.id}.{self._number}"


async def follow_up(interaction: discord.Interaction, view: LayoutView, *, private: bool) -> int:
    """Post a follow-up message of an interaction and return its id."""
    message = await with_retry(
        lambda: interaction.followup.send(view=view, ephemeral=private, wait=True), attempts=1
    )
    return message.id


def running(client: discord.Client) -> discord.Client:
    """Return the client that replaced ``client``, or ``client`` itself if none has.

    A replaced client has closed its HTTP session, and a request may have started with it.
    """
    successor = getattr(client, "successor", None)
    return running(successor) if isinstance(successor, discord.Client) else client


async def acknowledge(
    interaction: discord.Interaction, *, private: bool, thinking: bool = True
) -> int | None:
    """Defer an interaction within Discord's 3 s; return the id of its message, where known.

    A retry that finds the interaction acknowledged has succeeded: the first reply was lost. After
    a timeout the message is looked up, because Discord may have acknowledged and replied late.
    """
    try:
        response = await with_retry(
            lambda: interaction.response.defer(ephemeral=private, thinking=thinking),
            timeout_s=_ACKNOWLEDGE_S,
        )
    except TimeoutError:
        if not thinking:
            raise
        return (await with_retry(interaction.original_response)).id
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
        return None
    return response.message_id if response else None


async def respond(
    interaction: discord.Interaction,
    view: LayoutView,
    *,
    private: bool = True,
    files: Sequence[MakeFile] = (),
) -> None:
    """Send the response of an interaction, or edit it in if the interaction was deferred."""
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
        # The acknowledgement succeeded but its reply was lost, so the message is still empty.
        await with_retry(
            lambda: interaction.edit_original_response(
                view=view, attachments=[make() for make in files]
            )
        )
