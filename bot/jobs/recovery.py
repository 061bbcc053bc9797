"""Pending replies: stored when a request starts, corrected by the next start after a crash."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import Any

import discord
from discord.ui import LayoutView

from bot.client.responders import Responder
from bot.client.retry import with_retry
from bot.i18n import Localizer, Translations
from bot.ui import messages
from db.connection import Database
from db.pending_replies import (
    PendingReply,
    add_pending_reply,
    delete_pending_reply,
    interrupted_replies,
)

log = logging.getLogger(__name__)

# Discord voids the token of an interaction after 15 minutes.
_TOKEN_S = 15 * 60
# Discord's name for an interaction's first response; discord.py's types allow numbers only.
_ORIGINAL: Any = "@original"


class ReplyRecovery:
    """Pending replies of this run, and the correction of those that an earlier run left."""

    def __init__(self, *, db: Database, translations: Translations) -> None:
        self._db = db
        self._translations = translations
        self._run_id = secrets.token_hex(8)

    async def open(self, kind: str, responder: Responder) -> int:
        """Store a pending reply and return its id."""
        target = responder.target
        return await add_pending_reply(
            self._db,
            PendingReply(
                run_id=self._run_id,
                kind=f"{kind} {responder.locale}",  # the correction is in the user's language
                user_id=responder.user_id,
                created_at=time.time(),
                guild_id=responder.guild_id,
                channel_id=responder.channel_id,
                message_id=target.message_id,
                application_id=target.application_id,
                token=target.token,
            ),
        )

    async def close(self, pending_id: int) -> None:
        """Delete a pending reply."""
        await delete_pending_reply(self._db, pending_id)

    async def repair(self, client: discord.Client) -> int:
        """Correct every message that an earlier run left unfinished; return how many."""
        replies = await interrupted_replies(self._db, self._run_id)
        repaired = await asyncio.gather(*(self._repair_one(client, reply) for reply in replies))
        if replies:
            log.info("interrupted replies corrected: %d of %d", sum(repaired), len(replies))
        return sum(repaired)

    async def _repair_one(self, client: discord.Client, reply: PendingReply) -> bool:
        localizer = Localizer(self._translations, reply.kind.rpartition(" ")[2])
        view = messages.decline(localizer, "interrupted")
        try:
            repaired = await with_retry(lambda: self._correct(client, reply, view))
        except discord.HTTPException as error:
            # The message was deleted or its token is void, so nothing is left to correct.
            log.info("interrupted reply cannot be corrected: %s", error)
            repaired = False
        except (OSError, TimeoutError) as error:
            log.warning("interrupted reply left to the next start: %s", type(error).__name__)
            return False
        await delete_pending_reply(self._db, reply.id)
        return repaired

    async def _correct(self, client: discord.Client, reply: PendingReply, view: LayoutView) -> bool:
        if reply.token is not None and reply.application_id is not None:
            if time.time() - reply.created_at > _TOKEN_S:
                log.info("reply token expired: interrupted reply %d", reply.id)
                return False
            webhook = discord.Webhook.partial(reply.application_id, reply.token, client=client)
            await webhook.edit_message(_ORIGINAL, view=view, attachments=[])
            return True
        if reply.channel_id is not None and reply.message_id is not None:
            channel = client.get_partial_messageable(reply.channel_id)
            await channel.get_partial_message(reply.message_id).edit(view=view, attachments=[])
            return True
        return False
