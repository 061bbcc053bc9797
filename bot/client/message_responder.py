"""Responder of an upload: it posts a message that refers to the upload, and edits it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import discord
from discord import ui
from discord.ui import LayoutView

from bot.client.channel_permissions import (
    NO_HISTORY,
    MissingPermissions,
    PostingRefused,
    missing_in,
)
from bot.client.responders import PROGRESS_S, MakeFile, ReplyTarget, running
from bot.client.retry import retry_until, with_retry

log = logging.getLogger(__name__)

_REPLY_S = 15 * 60
SENT_PRIVATELY = "✉️"


class MessageResponder:
    """Responder of an upload: it posts a message that refers to the upload.

    With ``watched``, for an upload that may be no question, the acknowledgement posts nothing. The
    first progress or the response posts the message. ``note`` makes the line below a refusal that
    names the upload.
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
        note: Callable[[], str] = str,
    ) -> None:
        self._upload = message
        self._note = note
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

    async def acknowledge(self, progress: LayoutView | None = None) -> None:
        """Post the first progress; for an upload that may be no question only check the channel."""
        self._progress = progress or self._progress
        if self.silent:
            require_posting(self._upload)
        else:
            await self._post(self._progress)

    async def show(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Post or edit the message."""
        await with_retry(lambda: self._post_or_edit(view, files), timeout_s=PROGRESS_S)

    async def finish(self, view: LayoutView, files: Sequence[MakeFile] = ()) -> None:
        """Post or edit the message."""
        deadline = asyncio.get_running_loop().time() + _REPLY_S
        await retry_until(deadline, lambda: self._post_or_edit(view, files))

    async def refuse(self, view: LayoutView) -> None:
        """Send a refusal to the author as a direct message; if that fails, as the response."""
        if await refuse_privately(self._upload, view, self._note()):
            await self.discard()
        else:
            await self.finish(view)

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


async def refuse_privately(message: discord.Message, view: LayoutView, note: str) -> bool:
    """Send a refusal to the author of a message on a server as a direct message.

    A reaction on the message tells that there is one. ``note`` is put below the refusal.

    Returns
    -------
    Whether Discord accepted it; False for a message that is a direct message itself
    """
    if message.guild is None:
        return False
    below: ui.TextDisplay[LayoutView] = ui.TextDisplay(note)
    (container,) = view.children
    assert isinstance(container, ui.Container)
    container.add_item(below)
    # So that no retry sends it twice.
    nonce = discord.utils.time_snowflake(discord.utils.utcnow())
    try:
        await with_retry(lambda: message.author.send(view=view, nonce=nonce))
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.info("refusal not sent as a direct message: message %s: %s", message.id, error)
        container.remove_item(below)
        return False
    await _mark(message)
    return True


async def _mark(message: discord.Message) -> None:
    """React to a message whose refusal was sent as a direct message, where the bot may."""
    try:
        await with_retry(lambda: message.add_reaction(SENT_PRIVATELY), timeout_s=PROGRESS_S)
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.info("refused message not marked: message %s: %s", message.id, error)


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
