"""Shards of several bot processes on one database: claims, take-over, and turns to identify.

All of it rests on leases (`db.leases`), which `bot.lease_keeper` keeps. A process that lost one for
``RETAKE_S`` stops, and what another process gives up is used only after ``GRACE_S``, which is
longer. So no two processes ever answer the same guild.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from bot.errors import SettingsError
from bot.lease_keeper import TRY_S, LeaseKeeper, exclusive
from db.connection import Database
from db.key_values import get_value, set_value
from db.leases import Lease, Leases
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

# More than RETAKE_S: a process also takes time to leave Discord, see bot.runtime.lifecycle.
GRACE_S = 5.0
POLL_S = 2.0
IDENTIFY_S = 5.0  # https://docs.discord.com/developers/events/gateway#session-start-limit-object
_SYNC_WAIT_S = 90.0
_TOTAL = "shards"


def one_at_a_time(sharing: Sharing | None) -> AbstractAsyncContextManager[None]:
    """Exclude the other processes from the block, which registers the commands."""
    if sharing is None:
        return contextlib.nullcontext()
    return exclusive(sharing.keeper.leases, "sync", wait_s=_SYNC_WAIT_S)


class ShardClaims:
    """The shards that this process has of those of the bot.

    Parameters
    ----------
    shards
        Number of shards of the bot, the same for all processes; 0 means Discord's recommendation.
    here
        The most shards that this process takes; 0 means all.
    """

    def __init__(self, *, db: Database, keeper: LeaseKeeper, shards: int, here: int) -> None:
        self._db = db
        self._keeper = keeper
        self._asked = shards
        self._here = here
        self.total = 0
        """Number of shards of the bot, once `claim` was called."""
        self.held: list[int] = []
        self.spare = False
        """Whether the process waits because all shards are taken."""

    @property
    def wanted(self) -> int:
        """Number of shards that this process would still take."""
        return (self._here or self.total) - len(self.held)

    async def claim(self, recommended: int) -> list[int]:
        """Take free shards without waiting, use them after ``GRACE_S``, and return the new ones.

        ``recommended`` is Discord's number of shards, used if none is set and no process runs.

        Raises
        ------
        SettingsError
            If another process runs with another number of shards.
        """
        new: list[int] = []
        try:
            async with exclusive(self._keeper.leases, _TOTAL, wait_s=_SYNC_WAIT_S):
                self.total = await self._agree(recommended)
                for shard in range(self.total):
                    if self.wanted <= len(new):
                        break
                    name = _lease(shard, self.total)
                    if shard not in self.held and await self._keeper.take(name):
                        new.append(shard)
            if new:
                await asyncio.sleep(GRACE_S)
        except BaseException:  # otherwise nobody serves a shard whose lease is held
            await self._keeper.release(_lease(shard, self.total) for shard in new)
            raise
        if new:
            self.held.extend(new)
            log.info("shards taken: %s (%d of %d)", spans(new), len(new), self.total)
        return new

    async def wait(self, recommended: int) -> list[int]:
        """Wait as a spare process until a shard is free, and return those taken."""
        self.spare = False
        while True:
            try:
                if new := await self.claim(recommended):
                    self.spare = False
                    return new
                if not self.spare:
                    log.info("spare: all %d shards are taken, waiting for a free one", self.total)
                self.spare = True
            except CatalogueError as error:  # the keeper stops a process that lost its leases
                log.warning("shards not taken: %s", error)
            await asyncio.sleep(POLL_S)

    async def _agree(self, recommended: int) -> int:
        """Return the number of shards, which is that of the processes that run.

        It is read at each claim, because a spare holds no shard that keeps others from changing it.
        """
        asked = self.total if self.held else self._asked or recommended
        running = int(await get_value(self._db, _TOTAL) or 0)
        if running == asked:
            return asked
        if running and await self._is_used(running):
            if not self._asked and not self.held:
                return running
            raise SettingsError(
                f"GENREC_SHARDS={asked}: another bot process with this database runs with"
                f" {running}. Set the same number for all processes; to change it, stop them all."
            )
        await set_value(self._db, _TOTAL, str(asked))
        return asked

    async def _is_used(self, total: int) -> bool:
        """Return whether a process has shards of ``total``, or takes lost ones again."""
        if await held_shards(self._keeper.leases, total):
            return True
        await asyncio.sleep(GRACE_S)
        return bool(await held_shards(self._keeper.leases, total))


class IdentifyTurns:
    """Turns to identify: one shard of a bucket each 5 s, among all processes.

    A shard's bucket is its remainder by Discord's ``max_concurrency``.
    """

    def __init__(self, leases: Leases, *, interval_s: float = IDENTIFY_S) -> None:
        self._leases = leases
        self._interval_s = interval_s
        self._releasing: set[asyncio.Task[None]] = set()
        self.max_concurrency = 1

    async def take(self, shard: int) -> None:
        """Wait for the shard's turn; without the database, for the length of a turn."""
        name = f"identify:{shard % self.max_concurrency}"
        try:
            while (lease := await self._leases.take(name)) is None:  # noqa: ASYNC110 - no event
                await asyncio.sleep(TRY_S)
        except CatalogueError as error:
            log.warning("turn to identify not taken: shard %d: %s", shard, error)
            await asyncio.sleep(self._interval_s)
            return
        task = asyncio.create_task(self._release(lease))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _release(self, lease: Lease) -> None:
        await asyncio.sleep(self._interval_s)
        with contextlib.suppress(CatalogueError):
            await lease.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Leases, shards and turns of a process that shares its bot with others."""

    keeper: LeaseKeeper
    claims: ShardClaims
    turns: IdentifyTurns


@asynccontextmanager
async def open_sharing(
    db: Database, *, run_id: str, shards: int, here: int, local: bool
) -> AsyncIterator[Sharing]:
    """Hold the lease of this process for the block, and at its end give back all leases."""
    keeper = LeaseKeeper(db.leases, local=local)
    await keeper.take(run_lease(run_id))  # the id is random, so nobody else holds it
    try:
        yield Sharing(
            keeper=keeper,
            claims=ShardClaims(db=db, keeper=keeper, shards=shards, here=here),
            turns=IdentifyTurns(db.leases),
        )
    finally:
        await keeper.release()


def check_shards_here(shards: int, here: int) -> None:
    """Raise SettingsError if a process that serves its bot alone leaves shards to others."""
    if here and here != shards:
        raise SettingsError(
            f"GENREC_SHARDS_HERE={here}: with a SQLite file one process serves all shards. Set it"
            " to 0, or GENREC_DATABASE to a postgresql:// address that several processes share."
        )


def run_lease(run_id: str) -> str:
    """Return the name of the lease that a running process holds."""
    return f"run:{run_id}"


async def shard_states(db: Database) -> tuple[int, list[int]]:
    """Return the number of shards that the last bot process used, and those that are held now."""
    total = int(await get_value(db, _TOTAL) or 0)
    return total, await held_shards(db.leases, total)


async def held_shards(leases: Leases, total: int) -> list[int]:
    """Return the shards of ``total`` that any process holds."""
    return [shard for shard in range(total) if await leases.is_held(_lease(shard, total))]


def spans(shards: Iterable[int]) -> str:
    """Return shards as text, such as "0-3,7"."""
    parts: list[list[int]] = []
    for shard in sorted(shards):
        if parts and shard == parts[-1][-1] + 1:
            parts[-1].append(shard)
        else:
            parts.append([shard])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _lease(shard: int, total: int) -> str:
    return f"shard:{shard}/{total}"
