"""Admission: cooldown and queue limits of requests, and their cancellation at a stop."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import RequestDeclined
from bot.logs import new_request_id, request_id
from genrec.errors import PoolClosed

_PRUNE_ABOVE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Numbers of requests that run or wait; ``link_share`` is the part that links may use."""

    total: int
    per_guild: int
    direct_messages: int
    link_share: float = 0.75

    def of(self, guild_id: int | None) -> int:
        """Return the limit of a guild, or of all direct messages together."""
        return self.direct_messages if guild_id is None else self.per_guild

    def for_links(self, limit: int) -> int:
        """Return the part of a limit that links may use: all but one at most, and at least one."""
        return max(1, min(int(limit * self.link_share), limit - 1))


@dataclass(slots=True)
class Request:
    """One request that runs or waits; ``link`` is True if it fetches from outside Discord.

    ``answered`` is True once one of its clips got a response.
    """

    id: str
    user_id: int
    guild_id: int | None
    task: asyncio.Task[object] | None
    link: bool = False
    analyzing: bool = False
    answered: bool = False


class Admission:
    """Admits requests within the limits, and counts those that run or wait."""

    def __init__(
        self,
        *,
        cooldown_s: float,
        limits: RequestLimits,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cooldown_s = cooldown_s
        self._limits = limits
        self._workers = workers
        self._clock = clock
        self._requests: dict[str, Request] = {}
        self._by_user: dict[int, Request] = {}
        self._guilds: Counter[int | None] = Counter()
        self._links: Counter[int | None] = Counter()  # by guild, among self._guilds
        self._released_at: dict[int, float] = {}  # by user
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Number of requests that run or wait."""
        return len(self._requests)

    @property
    def closing(self) -> bool:
        """Whether the bot is stopping."""
        return self._closing

    @contextmanager
    def admit(
        self,
        user_id: int,
        guild_id: int | None,
        *,
        link: bool = False,
        skip_cooldown: bool = False,
    ) -> Iterator[Request]:
        """Admit a request and yield it; it counts until the block ends or it is released.

        A ``link`` may be as slow as its web server likes, so links leave room for other requests.

        Raises
        ------
        RequestDeclined
            The user has a request running, is in the cooldown, or the queue is full.
        PoolClosed
            The bot is stopping.
        """
        self._check_open()
        self._check_user(user_id, skip_cooldown=skip_cooldown)
        self._check_limits(guild_id, link=link)
        with self._registered(user_id, guild_id) as request:
            request.link = link
            self._by_user[user_id] = request
            self._guilds[guild_id] += 1
            self._links[guild_id] += link
            try:
                yield request
            finally:
                self.release(request)

    def release(self, request: Request, *, cooldown: bool = True) -> None:
        """Stop counting a request, so that the user may send the next one; start the cooldown."""
        if self._by_user.get(request.user_id) is not request:
            return
        del self._by_user[request.user_id]
        if cooldown:
            self._released_at[request.user_id] = self._clock()
        self._guilds[request.guild_id] -= 1
        self._links[request.guild_id] -= request.link
        if not self._guilds[request.guild_id]:
            del self._guilds[request.guild_id]
            del self._links[request.guild_id]

    @contextmanager
    def admit_background(self, user_id: int, guild_id: int | None) -> Iterator[Request]:
        """Admit and yield a long request, such as a re-index, that counts against no limit."""
        self._check_open()
        with self._registered(user_id, guild_id) as request:
            yield request

    @contextmanager
    def _registered(self, user_id: int, guild_id: int | None) -> Iterator[Request]:
        request = Request(new_request_id(), user_id, guild_id, asyncio.current_task())
        self._requests[request.id] = request
        self._idle.clear()
        token = request_id.set(request.id)
        try:
            yield request
        finally:
            request_id.reset(token)
            del self._requests[request.id]
            if not self._requests:
                self._idle.set()

    def _check_open(self) -> None:
        if self._closing:
            raise PoolClosed("The bot is restarting. Try again in a minute.")

    def _check_user(self, user_id: int, *, skip_cooldown: bool) -> None:
        if user_id in self._by_user:
            raise RequestDeclined("own_job_running")
        wait_s = self._released_at.get(user_id, -math.inf) + self._cooldown_s - self._clock()
        if wait_s > 0 and not skip_cooldown:
            raise RequestDeclined("cooldown", count=math.ceil(wait_s))
        if len(self._released_at) > _PRUNE_ABOVE:
            self._prune()

    def _check_limits(self, guild_id: int | None, *, link: bool) -> None:
        limits, here = self._limits, self._limits.of(guild_id)
        if self._guilds[guild_id] >= here:
            raise RequestDeclined("direct_messages_busy" if guild_id is None else "server_busy")
        if len(self._by_user) >= limits.total:
            raise RequestDeclined("everyone_busy")
        if link and (
            self._links[guild_id] >= limits.for_links(here)
            or self._links.total() >= limits.for_links(limits.total)
        ):
            raise RequestDeclined("links_busy")

    def _prune(self) -> None:
        """Delete the users whose cooldown is over."""
        oldest = self._clock() - self._cooldown_s
        self._released_at = {u: t for u, t in self._released_at.items() if t > oldest}

    def place(self, request: Request) -> int:
        """Return the place in the queue for a worker, from 1; 0 while the clip is analysed."""
        before = 0
        for other in self._requests.values():
            if other is request:
                break
            before += other.analyzing
        return max(0, before + 1 - self._workers)

    async def close(self, *, finish_s: float, correct_s: float) -> None:
        """Reject new requests, wait ``finish_s`` for running ones, then cancel the rest.

        A cancelled request has ``correct_s`` to correct its message; otherwise the next start does.
        """
        self._closing = True
        try:
            async with asyncio.timeout(finish_s):
                await self._idle.wait()
        except TimeoutError:
            tasks = [r.task for r in self._requests.values() if r.task is not None]
            for task in tasks:
                task.cancel("the bot is stopping")
            await asyncio.wait(tasks, timeout=correct_s)
