"""Responders: acknowledge a request, then edit its message up to the response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import discord
from discord.ui import LayoutView

from bot.client.channel_permissions import (
    NO_HISTORY,
    MissingPermissions,
    PostingRefused,
    missing_in,
)
from bot.client.retry import ALREADY_ACKNOWLEDGED, GONE, retry_until, with_retry

log = logging.getLogger(__name__)

MakeFile = Callable[[], discord.File]
"""Makes a file for each attempt, because discord.py closes those that it has sent."""

# Discord drops the token 3 s after the event, and the event takes some time to arrive.
_ACKNOWLEDGE_S = 2.8
_PROGRESS_S = 4.0
# Edits start to fail some seconds before the 15 minutes of a token are over.
_MARGIN_S = 15.0
_REPLY_S = 15 * 60
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

    async def acknowledge(self) -> None:
        """Acknowledge the request within 3 s."""

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the message, with few retries: for progress, which may be lost."""

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the message, with retries through an outage of some minutes: for the response."""

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

    async def acknowledge(self) -> None:
        """Defer the interaction."""
        self._message_id = await acknowledge(self._interaction, private=self.private)

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Edit the original response."""
        edit = self._edit_as_message if self._interaction.is_expired() else self._edit
        await with_retry(lambda: edit(view, files), timeout_s=_PROGRESS_S)

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

    async def acknowledge(self) -> None:
        """Post the first progress, in one attempt: a second one could post it twice."""
        self._message_id = await follow_up(self._interaction, self._progress, private=self.private)

    @property
    def _webhook_message(self) -> Any:
        return self._message_id

    @property
    def _nonce(self) -> int | str:
        return f"{self._interaction.id}.{self._number}"


class MessageResponder:
    """Responder of an upload: it posts a message that refers to the upload.

    With ``watched``, for an upload that may be no question, the acknowledgement posts nothing. The
    first progress or the response posts the message.
    """

    private = False

    def __init__(
        self,
        message: discord.Message,
        *,
        client: discord.Client,
        locale: str,
        progress: LayoutView,
        clip: str = "",
        number: int = 0,
        watched: bool = False,
    ) -> None:
        self._upload = message
        self.clip = clip
        self._number = number
        self.silent = watched
        self._client = client
        self._progress = progress
        self._posted: discord.Message | None = None
        self.user_id = message.author.id
        self.guild_id = message.guild.id if message.guild else None
        self.channel_id: int | None = message.channel.id
        self.locale = locale

    @property
    def may_attach(self) -> bool:
        """Whether the bot has the permission Attach Files in the channel now."""
        missing = missing_in(self._upload.channel, self._upload.guild)
        return "attach_files" not in missing.part

    @property
    def target(self) -> ReplyTarget:
        """The upload, and after the acknowledgement the posted message.

        Of several replies to an upload, the upload leads to the first.
        """
        posted = self._posted.id if self._posted else None
        if self._number:
            return ReplyTarget(message_id=posted, only_by_id=True)
        return ReplyTarget(message_id=posted, upload_id=self._upload.id)

    async def acknowledge(self) -> None:
        """Post the first progress; for an upload that may be no question only check the channel."""
        if self.silent:
            require_posting(self._upload)
        else:
            await self._post(self._progress)

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Post or edit the message."""
        await with_retry(lambda: self._post_or_edit(view, files), timeout_s=_PROGRESS_S)

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Post or edit the message."""
        deadline = asyncio.get_running_loop().time() + _REPLY_S
        await retry_until(deadline, lambda: self._post_or_edit(view, files))

    async def discard(self) -> None:
        """Delete the message, if one was posted."""
        if self.silent:
            return
        deadline = asyncio.get_running_loop().time() + _REPLY_S
        await retry_until(deadline, self._delete)

    async def _post_or_edit(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        if self._posted is None:
            tried = not self.silent
            await self._post(view, files)
            if not tried:
                return
        await self._edit(view, files)

    async def _delete(self) -> None:
        if self._posted is None:
            await self._post(self._progress)
        await self._message().delete()

    async def _post(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Post the message; the nonce makes Discord return one whose reply was lost."""
        self.silent = False
        self._posted = await reply_to(self._upload, view, files, number=self._number)

    async def _edit(self, view: LayoutView, files: Sequence[MakeFile]) -> None:
        await self._message().edit(view=view, attachments=[make() for make in files])

    def _message(self) -> discord.PartialMessage:
        assert self._posted is not None, "acknowledge() comes first"
        channel = running(self._client).get_partial_messageable(self._upload.channel.id)
        return channel.get_partial_message(self._posted.id)


def require_posting(message: discord.Message) -> MissingPermissions:
    """Return the permissions that the bot lacks; raise PostingRefused if it may not post."""
    missing = missing_in(message.channel, message.guild)
    if missing.post:
        raise PostingRefused(f"channel {message.channel.id} lacks {', '.join(missing.post)}")
    return missing


async def reply_to(
    message: discord.Message,
    view: LayoutView,
    files: Sequence[MakeFile] = (),
    *,
    number: int = 0,
) -> discord.Message:
    """Post a message that refers to another one; without Read Message History it refers to none.

    The nonce keeps a retry from posting it twice; ``number`` tells several replies apart.
    PostingRefused is raised in a channel in which the bot may not post, and discord.HTTPException
    if Discord refuses the message.
    """
    missing = require_posting(message)
    reference = {"reference": message.to_reference(fail_if_not_exists=False)}
    nonce = f"{message.id}.{number}" if number else message.id

    async def send(about: Mapping[str, Any]) -> discord.Message:
        return await with_retry(
            lambda: message.channel.send(
                view=view,
                files=[make() for make in files],
                mention_author=False,
                nonce=nonce,
                silent=True,
                **about,
            )
        )

    try:
        return await send({} if "read_message_history" in missing.part else reference)
    except discord.HTTPException as error:
        if error.code != NO_HISTORY:  # lost since Discord's last event
            raise
        return await send({})


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
