"""Pending replies: saved before a request is acknowledged, corrected after a crash.

A restart corrects those of the killed process. Of several processes on one database, any other one
does: each holds the lease ``run:ID``, and who can take it knows that its process is dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord

from bot.client.responders import InteractionResponder, Responder
from bot.client.retry import with_retry
from bot.i18n import Localizer, Translations
from bot.jobs.reply_correction import correct
from bot.sharding import GRACE_S, run_lease
from bot.ui import messages
from db.connection import Database
from db.leases import Lease, Leases
from db.pending_replies import (
    PendingReply,
    ReplyChanges,
    interrupted_replies,
    other_runs,
    replies_of_run,
    save_reply_changes,
)
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

# A database that takes longer than this must not delay the acknowledgement, which is due in 3 s.
_SAVE_S = 1.0
_LATER_S = 5.0
REPAIR_EVERY_S = 10.0


class ReplyRecovery:
    """Saves the pending replies of this process, and corrects those of an earlier one.

    Changes that wait at the same time share one transaction (group commit), so a burst of requests
    costs a few commits. If the database cannot be written, the requests go on: the changes wait in
    memory and are saved when it can.
    """

    def __init__(self, *, db: Database, translations: Translations) -> None:
        self._db = db
        self._translations = translations
        self.run_id = secrets.token_hex(8)
        self._waiting = ReplyChanges()
        self._saving: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self.writable = True

    async def open(self, kind: str, responder: Responder) -> int:
        """Save a pending reply and return its id; a slow database delays this by 1 s at most."""
        target = responder.target
        reply = PendingReply(
            run_id=self.run_id,
            kind=f"{kind} {responder.locale}",  # the correction is in the user's language
            user_id=responder.user_id,
            created_at=time.time(),
            guild_id=responder.guild_id,
            channel_id=responder.channel_id,
            message_id=target.message_id,
            upload_id=target.upload_id,
            application_id=target.application_id,
            token=target.token,
        )
        self._waiting.add(reply)
        try:
            async with asyncio.timeout(_SAVE_S):
                await asyncio.shield(self._save())
        except TimeoutError:
            log.warning("pending reply not saved within %.1f s: %d", _SAVE_S, reply.id)
        return reply.id

    def posted(self, reply_id: int, responder: Responder) -> None:
        """Save the id of the message, if known, with the next change or in some seconds.

        It is needed after the interaction's token has expired. The first reply to an upload is
        found without it. A message that only its id leads to is saved at once.
        """
        target = responder.target
        if target.message_id is None:
            return
        self._waiting.posted[reply_id] = target.message_id
        self._save_later(0 if target.only_by_id else _LATER_S)

    async def close(self, reply_id: int) -> None:
        """Delete a pending reply; a failed deletion is repeated until it succeeds."""
        self._waiting.delete(reply_id)
        await asyncio.shield(self._save())

    @asynccontextmanager
    async def deferred(self, interaction: discord.Interaction) -> AsyncIterator[None]:
        """Defer an interaction privately; its pending reply is saved until the block responds.

        For commands and buttons that need no admission and no progress.
        """
        responder = InteractionResponder(interaction, private=True)
        command = interaction.command
        reply_id = await self.open(command.qualified_name if command else "button", responder)
        try:
            await responder.acknowledge()
            yield
        finally:
            await self.close(reply_id)

    async def flush(self) -> None:
        """Save all changes; for the end of the process."""
        if self._waiting:
            await asyncio.shield(self._save())
        if self._later is not None:
            self._later.cancel()

    def _save(self) -> asyncio.Task[None]:
        """Return the task that saves all waiting changes, after the one that is running."""
        if self._next is None:
            self._next = asyncio.create_task(self._save_after(self._saving))
        return self._next

    async def _save_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        self._saving, self._next = self._next, None
        changes, self._waiting = self._waiting, ReplyChanges()
        if not changes:
            return
        try:
            await save_reply_changes(self._db, changes)
        except CatalogueError as error:
            self._waiting = changes.failed_before(self._waiting)
            if self.writable:
                log.error("database not writable: requests go on without it: %s", error)
            self.writable = False
            self._save_later()
        else:
            if not self.writable:
                log.info("database writable again")
            self.writable = True

    def _save_later(self, delay_s: float = _LATER_S) -> None:
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(delay_s, self._save)

    async def repair(self, client: discord.Client) -> int:
        """Correct every message that an earlier process left unfinished; return how many."""
        return await self._repair_all(client, await interrupted_replies(self._db, self.run_id))

    async def keep_repairing(self, client: discord.Client, leases: Leases) -> None:
        """Correct the messages of every other process that has died, at once and each 10 s.

        A process that lost its connection to the database stops within ``GRACE_S``, so its messages
        are corrected only after that time. Dead processes are handled at the same time, and an
        error with one of them delays no other.
        """
        while True:
            try:
                runs = await other_runs(self._db, self.run_id)
                await asyncio.gather(*(self._repair_run(client, leases, run) for run in runs))
            except CatalogueError as error:
                log.warning("interrupted replies not read: %s", error)
            except Exception:
                log.exception("interrupted replies not read")
            await asyncio.sleep(REPAIR_EVERY_S)

    async def _repair_run(self, client: discord.Client, leases: Leases, run_id: str) -> None:
        """Correct the messages of one process if it is dead; an error is only logged."""
        try:
            lease = await leases.take(run_lease(run_id))
            if lease is None:
                return
            await self._repair_dead_run(client, lease, run_id)
        except CatalogueError as error:
            log.warning("interrupted replies not read: %s", error)
        except Exception:
            log.exception("interrupted replies of process %s not corrected", run_id)

    async def _repair_dead_run(self, client: discord.Client, lease: Lease, run_id: str) -> None:
        try:
            await asyncio.sleep(GRACE_S)
            if not lease.lost.is_set():  # another process may have taken it since
                await self._repair_all(client, await replies_of_run(self._db, run_id))
        finally:
            with contextlib.suppress(CatalogueError):
                await lease.release()

    async def _repair_all(self, client: discord.Client, replies: list[PendingReply]) -> int:
        repaired = await asyncio.gather(*(self._repair_one(client, reply) for reply in replies))
        if replies:
            log.info("interrupted replies corrected: %d of %d", sum(repaired), len(replies))
        return sum(repaired)

    async def _repair_one(self, client: discord.Client, reply: PendingReply) -> bool:
        localizer = Localizer(self._translations, reply.kind.rpartition(" ")[2])
        view = messages.decline(localizer, "interrupted")
        try:
            repaired = await with_retry(lambda: correct(client, reply, view))
        except discord.HTTPException as error:
            # The message was deleted or its token is void, so nothing is left to correct.
            log.info("interrupted reply %d cannot be corrected: %s", reply.id, error)
            repaired = False
        except (OSError, TimeoutError) as error:
            log.warning(
                "interrupted reply %d left to the next start: %s", reply.id, type(error).__name__
            )
            return False
        await self.close(reply.id)
        return repaired
