"""Answers that are owed: noted at the start, struck out when given, repaired after a crash."""

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
from bot.ui.messages import Replies
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
# Discord's own word for an interaction's first response; discord.py's types know numbers only.
_ORIGINAL: Any = "@original"


class ReplyRecovery:
    """The journal of one run of the bot."""

    def __init__(self, *, db: Database, replies: Replies) -> None:
        self._db = db
        self._replies = replies
        self._run_id = secrets.token_hex(8)

    async def open(self, kind: str, answer: Responder) -> int:
        """Note down an answer that is owed."""
        target = answer.target
        return await add_pending_reply(
            self._db,
            PendingReply(
                run_id=self._run_id,
                kind=f"{kind} {answer.locale}",  # the language to apologise in
                user_id=answer.user_id,
                created_at=time.time(),
                guild_id=answer.guild_id,
                channel_id=answer.channel_id,
                message_id=target.message_id,
                application_id=target.application_id,
                token=target.token,
            ),
        )

    async def close(self, entry: int) -> None:
        """Strike out an answer that was given."""
        await delete_pending_reply(self._db, entry)

    async def repair(self, client: discord.Client) -> int:
        """Say in every message that a crash left waiting that it was cut off; return how many."""
        owed = await interrupted_replies(self._db, self._run_id)
        repaired = await asyncio.gather(*(self._repair_one(client, job) for job in owed))
        if owed:
            log.info(
                "%d of %d answers cut off by the last stop were corrected", sum(repaired), len(owed)
            )
        return sum(repaired)

    async def _repair_one(self, client: discord.Client, job: PendingReply) -> bool:
        view = self._replies.decline("interrupted", job.kind.partition(" ")[2])
        try:
            await with_retry(lambda: self._say(client, job, view))
        except discord.HTTPException as error:
            # Deleted by somebody, or void: there is nothing left to correct.
            log.info("a cut off answer cannot be corrected: %s", error)
            await delete_pending_reply(self._db, job.id)
            return False
        except (OSError, TimeoutError) as error:
            log.warning("a cut off answer is left to the next start: %s", type(error).__name__)
            return False
        await delete_pending_reply(self._db, job.id)
        return True

    async def _say(self, client: discord.Client, job: PendingReply, view: LayoutView) -> None:
        if job.token is not None and job.application_id is not None:
            if time.time() - job.created_at > _TOKEN_S:
                log.info("a cut off answer is older than its token")
                return
            webhook = discord.Webhook.partial(job.application_id, job.token, client=client)
            await webhook.edit_message(_ORIGINAL, view=view, attachments=[])
        elif job.channel_id is not None and job.message_id is not None:
            channel = client.get_partial_messageable(job.channel_id)
            await channel.get_partial_message(job.message_id).edit(view=view, attachments=[])
