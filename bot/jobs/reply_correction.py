"""Correction of one message that a killed process left unfinished."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable

import discord
from discord import ui
from discord.ui import LayoutView

from bot.client.message_responder import SENT_PRIVATELY
from bot.client.responders import ORIGINAL
from bot.ui.components import is_unfinished
from db.pending_replies import PendingReply

log = logging.getLogger(__name__)

# Discord voids the token of an interaction after 15 minutes.
_TOKEN_S = 15 * 60
# Discord remembers nonces for some minutes.
_NONCE_S = 120.0
_MESSAGES_SEARCHED = 100
# After this time nobody waits for the reply to an upload, and its channel has moved on.
_MISSING_S = 3 * 60 * 60
WATCHED = "watched upload"
"""Kind of a request about an upload that may be no question."""


async def correct(client: discord.Client, reply: PendingReply, view: LayoutView) -> bool:
    """Edit the message of a pending reply to ``view`` if it is unfinished.

    An upload of the last three hours that addressed the bot and has no reply yet gets one, because
    its author was told nothing.

    Returns
    -------
    Whether there was an unfinished message, or an upload without a reply.

    Raises
    ------
    discord.HTTPException
        The message was deleted, or Discord refused the call.
    """
    has_token = reply.token is not None and reply.application_id is not None
    if has_token and time.time() - reply.created_at < _TOKEN_S:
        assert reply.token is not None
        assert reply.application_id is not None
        webhook = discord.Webhook.partial(reply.application_id, reply.token, client=client)
        target = ORIGINAL if reply.message_id is None else reply.message_id
        return await _edit_unfinished(
            await webhook.fetch_message(target),
            lambda: webhook.edit_message(target, view=view, attachments=[]),
        )
    if reply.channel_id is None:
        return False
    channel = client.get_partial_messageable(reply.channel_id)
    if reply.message_id is not None:
        return await _edit_own(channel.get_partial_message(reply.message_id), reply, view)
    if reply.upload_id is None or client.user is None:
        return False
    return await _UploadReplies(channel, reply, reply.upload_id, client.user.id).correct(view)


async def _edit_own(message: discord.PartialMessage, reply: PendingReply, view: LayoutView) -> bool:
    found: discord.Message | None = None
    try:
        found = await message.fetch()
    except discord.Forbidden:
        log.info("message history not readable: interrupted reply %d", reply.id)
    return await _edit_unfinished(found, lambda: message.edit(view=view, attachments=[]))


async def _edit_unfinished(
    message: discord.Message | None, edit: Callable[[], Awaitable[object]]
) -> bool:
    """Edit a message unless it is final; one that cannot be read (None) counts as unfinished."""
    if message is not None and not is_unfinished(message):
        return False
    await edit()
    return True


class _UploadReplies:
    """The messages from an upload on, among which the bot's reply to it may be."""

    def __init__(
        self,
        channel: discord.PartialMessageable,
        reply: PendingReply,
        upload_id: int,
        own_id: int,
    ) -> None:
        self._channel = channel
        self._reply = reply
        self._upload_id = upload_id
        self._own_id = own_id
        self._watched = reply.kind.startswith(WATCHED)

    async def correct(self, view: LayoutView) -> bool:
        """Correct the reply, or post the one that is missing; return whether it did."""
        upload: discord.Message | None = None
        searched = 0
        async for message in self._channel.history(
            after=discord.Object(self._upload_id - 1), limit=_MESSAGES_SEARCHED, oldest_first=True
        ):
            searched += 1
            if message.id == self._upload_id:
                upload = message
            elif self._answers(message):
                partial = self._channel.get_partial_message(message.id)
                return await _edit_own(partial, self._reply, view)
        if not searched:
            return await self._correct_unread(view)
        if upload is None or searched == _MESSAGES_SEARCHED or not self._is_due(upload):
            log.info("no message to correct: interrupted reply %d", self._reply.id)
            return False
        # The process was killed before its first progress.
        reference = upload.to_reference(fail_if_not_exists=False)
        sent = await self._post(view, reference)
        if _shows(sent, view):
            return True
        # Discord returned the message that exists with this nonce, which may be a final answer.
        return await _edit_own(self._channel.get_partial_message(sent.id), self._reply, view)

    async def _correct_unread(self, view: LayoutView) -> bool:
        """Correct the reply in a channel whose history is empty, or not readable."""
        try:
            # Without Read Message History the list is empty, and only this raises Forbidden.
            await self._channel.fetch_message(self._upload_id)
        except discord.Forbidden:
            if time.time() - self._reply.created_at < _NONCE_S:
                # Discord returns the message that exists with this nonce, not a second one.
                sent = await self._post(view)
                if not (self._watched and _shows(sent, view)):
                    partial = self._channel.get_partial_message(sent.id)
                    return await _edit_own(partial, self._reply, view)
                await sent.delete()  # the watched upload had no reply so far
        log.info("no message to correct: interrupted reply %d", self._reply.id)
        return False

    def _is_due(self, upload: discord.Message) -> bool:
        """Return whether the author of an upload without a reply still waits for one."""
        old = time.time() - self._reply.created_at > _MISSING_S
        return not (old or self._watched or _is_told(upload))

    def _answers(self, message: discord.Message) -> bool:
        answered = message.reference.message_id if message.reference else None
        return message.author.id == self._own_id and answered == self._upload_id

    async def _post(
        self, view: LayoutView, reference: discord.MessageReference | None = None
    ) -> discord.Message:
        about = {} if reference is None else {"reference": reference, "mention_author": False}
        return await self._channel.send(view=view, nonce=self._upload_id, silent=True, **about)  # type: ignore[call-overload,no-any-return]


def _is_told(upload: discord.Message) -> bool:
    """Return whether a refusal was sent to the author, as the bot's reaction tells."""
    return any(one.me and str(one.emoji) == SENT_PRIVATELY for one in upload.reactions)


def _shows(message: discord.Message, view: LayoutView) -> bool:
    """Return whether a message has the texts of a view."""
    texts = [item.content for item in view.walk_children() if isinstance(item, ui.TextDisplay)]
    return texts == _texts(message.components)


def _texts(components: Iterable[object]) -> list[str]:
    return [
        text
        for component in components
        for text in (
            [component.content]
            if isinstance(component, discord.TextDisplay)
            else _texts(getattr(component, "children", ()))
        )
    ]
