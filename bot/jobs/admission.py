"""Admission: turns and queue limits of requests, and their cancellation at a stop."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.errors import RequestDeclined
from bot.logs import new_request_id, request_id
from genrec.errors import PoolClosed

_PRUNE_ABOVE = 4096
# A longer wait is declined: Discord voids the token of an interaction after 15 minutes.
MAX_WAIT_S = 300.0
# Duration of a request before any was measured, and the weight of each new measurement.
_TYPICAL_S, _WEIGHT = 5.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Numbers of requests that run or wait; ``link_share`` is the part that links may use.

    ``waiting_per_user`` is the number of further requests of a user that wait for their turn.
    """

    total: int
    per_guild: int
    direct_messages: int
    link_share: float = 0.75
    waiting_per_user: int = 2

    def of(self, guild_id: int | None) -> int:
        """Return the limit of a guild, or of all direct messages together."""
        return self.direct_messages if guild_id is None else self.per_guild

    def for_links(self, limit: int) -> int:
        """Return the part of a limit that links may use: all but one at most, and at least one."""
        return max(1, min(int(limit * self.link_share), limit - 1))

    def for_waiting(self, limit: int) -> int:
        """Return the part of a limit that requests behind their user's own may use: half."""
        return limit // 2


@dataclass(slots=True, eq=False)
class Request:
    """One request that runs or waits; ``link`` is True if it fetches from outside Discord.

    ``answered`` is True once one of its clips got a response. ``quick`` requests neither wait for
    nor delay others of their user. A request ``waits`` until its turn, for which ``first`` is set
    once no earlier request of its user is left; ``started_at`` is the time of its turn.
    """

    id: str
    user_id: int
    guild_id: int | None
    task: asyncio.Task[object] | None
    link: bool = False
    analyzing: bool = False
    answered: bool = False
    quick: bool = False
    waits: bool = False
    first: asyncio.Event = field(default_factory=asyncio.Event)
    started_at: float | None = None


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
        self._by_user: dict[int, deque[Request]] = {}  # the first of each runs, the others wait
        self._quick: dict[int, Request] = {}  # by user
        self._guilds: Counter[int | None] = Counter()
        self._links: Counter[int | None] = Counter()  # by guild, among self._guilds
        self._behind: Counter[int | None] = Counter()  # by guild: those that were not first
        self._typical_s = _TYPICAL_S
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
        quick: bool = False,
        may_wait: bool = True,
    ) -> Iterator[Request]:
        """Admit a request and yield it; it counts until the block ends or it is released.

        `turn` waits until it may run. A ``link`` may be as slow as its web server likes, so links
        leave room for other requests. A ``quick`` request, without a clip, runs at once. Without
        ``may_wait`` a request that could not run at once is declined.

        Raises
        ------
        RequestDeclined
            The user has too many requests or would wait too long, or the queue is full.
        PoolClosed
            The bot is stopping.
        """
        self._check_open()
        waits = not quick and self._must_wait(user_id)
        if quick and user_id in self._quick:
            raise RequestDeclined("own_job_running")
        if waits:
            self._check_wait(user_id, guild_id, may_wait=may_wait)
        self._check_limits(guild_id, link=link)
        with self._registered(user_id, guild_id) as request:
            request.link, request.quick, request.waits = link, quick, waits
            self._enter(request)
            try:
                yield request
            finally:
                self.release(request)

    def _enter(self, request: Request) -> None:
        self._guilds[request.guild_id] += 1
        self._links[request.guild_id] += request.link
        self._behind[request.guild_id] += request.waits
        request.started_at = None if request.waits else self._clock()
        if request.quick:
            self._quick[request.user_id] = request
            return
        queue = self._by_user.setdefault(request.user_id, deque())
        queue.append(request)
        if queue[0] is request:
            request.first.set()

    async def turn(self, request: Request) -> None:
        """Wait until no earlier request of the user is left and the user's cooldown is over."""
        if request.waits:
            await request.first.wait()
            await asyncio.sleep(max(0.0, self._cooldown_left_s(request.user_id)))
            self._end_wait(request)
            request.started_at = self._clock()

    def wait_s(self, request: Request) -> float:
        """Return the expected seconds until a request's turn; 0 once it runs."""
        if not request.waits:
            return 0.0
        queue = self._by_user.get(request.user_id, deque())
        before = queue.index(request) if request in queue else 0
        return self._expected_s(request.user_id, before)

    def _expected_s(self, user_id: int, before: int) -> float:
        """Return the expected wait of a user's request behind ``before`` others."""
        if not before:
            return max(0.0, self._cooldown_left_s(user_id))
        running = self._by_user[user_id][0]
        since = self._clock() if running.started_at is None else running.started_at
        left_s = max(1.0, since + self._typical_s - self._clock())
        if running.waits:
            left_s += max(0.0, self._cooldown_left_s(user_id))
        return left_s + self._cooldown_s + (before - 1) * (self._typical_s + self._cooldown_s)

    def _end_wait(self, request: Request) -> None:
        self._behind[request.guild_id] -= request.waits
        request.waits = False

    def release(self, request: Request, *, cooldown: bool = True) -> None:
        """Stop counting a request, so that the user's next one may run; start the cooldown."""
        if not self._leave(request):
            return
        self._end_wait(request)
        if request.started_at is not None and not request.quick:
            lasted_s = self._clock() - request.started_at
            self._typical_s += _WEIGHT * (lasted_s - self._typical_s)
            if cooldown:
                self._released_at[request.user_id] = self._clock()
        queue = self._by_user.get(request.user_id)
        if queue:
            queue[0].first.set()
        self._guilds[request.guild_id] -= 1
        self._links[request.guild_id] -= request.link
        if not self._guilds[request.guild_id]:
            for counter in (self._guilds, self._links, self._behind):
                del counter[request.guild_id]

    def _leave(self, request: Request) -> bool:
        """Remove a request from those of its user; return whether it was there."""
        user_id = request.user_id
        if self._quick.get(user_id) is request:
            del self._quick[user_id]
            return True
        queue = self._by_user.get(user_id, deque())
        if request not in queue:
            return False
        queue.remove(request)
        if not queue:
            del self._by_user[user_id]
        return True

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

    def _must_wait(self, user_id: int) -> bool:
        if len(self._released_at) > _PRUNE_ABOVE:
            self._prune()
        return user_id in self._by_user or self._cooldown_left_s(user_id) > 0

    def _cooldown_left_s(self, user_id: int) -> float:
        return self._released_at.get(user_id, -math.inf) + self._cooldown_s - self._clock()

    def _check_wait(self, user_id: int, guild_id: int | None, *, may_wait: bool) -> None:
        """Raise RequestDeclined unless one more request of the user may wait for its turn."""
        limits, before = self._limits, len(self._by_user.get(user_id, ()))
        expected_s = self._expected_s(user_id, before)
        full = before > limits.waiting_per_user if before else limits.waiting_per_user == 0
        full = full or (
            self._behind[guild_id] >= limits.for_waiting(limits.of(guild_id))
            or self._behind.total() >= limits.for_waiting(limits.total)
        )
        if may_wait and not full and expected_s <= MAX_WAIT_S:
            return
        if not before:
            raise RequestDeclined("cooldown", count=math.ceil(expected_s))
        raise RequestDeclined("own_clips_waiting" if before > 1 else "own_job_running")

    def _check_limits(self, guild_id: int | None, *, link: bool) -> None:
        limits, here = self._limits, self._limits.of(guild_id)
        if self._guilds[guild_id] >= here:
            raise RequestDeclined("direct_messages_busy" if guild_id is None else "server_busy")
        if self._guilds.total() >= limits.total:
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
