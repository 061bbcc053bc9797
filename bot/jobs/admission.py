"""The desk: who may ask now, what is being worked on, and how it all ends when the bot stops."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import Declined
from bot.logs import job_id, new_job_id
from genrec.errors import PoolClosed

_FORGET_ABOVE = 4096


@dataclass(slots=True)
class Job:
    """One question in work."""

    id: str
    user_id: int
    guild_id: int | None
    task: asyncio.Task[object] | None
    analysing: bool = False


class Admission:
    """Admits questions and knows those in work; it holds no result and speaks to nobody."""

    def __init__(
        self,
        *,
        cooldown_s: float,
        per_server: int,
        in_all: int,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cooldown_s = cooldown_s
        self._per_server = per_server
        self._in_all = in_all
        self._workers = workers
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._runner: dict[int, Job] = {}
        self._servers: Counter[int | None] = Counter()
        self._last_asked: dict[int, float] = {}
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """How many questions are in work or waiting."""
        return len(self._jobs)

    @property
    def closing(self) -> bool:
        """Whether the bot is about to stop."""
        return self._closing

    @contextmanager
    def admit(self, user_id: int, guild_id: int | None, *, at_once: bool = False) -> Iterator[Job]:
        """Take a question in for the length of the block, or decline it with a sentence.

        ``at_once`` is for what costs next to nothing: it need not wait for the cooldown.
        """
        self._check_open()
        self._check(user_id, guild_id, at_once=at_once)
        with self._at_work(user_id, guild_id) as job:
            self._runner[user_id] = job
            self._servers[guild_id] += 1
            try:
                yield job
            finally:
                self.release(job)

    def release(self, job: Job) -> None:
        """Let the person ask again: the answer is ready, if not yet delivered."""
        if self._runner.get(job.user_id) is not job:
            return
        del self._runner[job.user_id]
        self._last_asked[job.user_id] = self._clock()
        self._servers[job.guild_id] -= 1
        if not self._servers[job.guild_id]:
            del self._servers[job.guild_id]

    @contextmanager
    def admit_background(self, user_id: int, guild_id: int | None) -> Iterator[Job]:
        """Take in a long task, such as a re-index, that keeps nobody from asking."""
        self._check_open()
        with self._at_work(user_id, guild_id) as job:
            yield job

    @contextmanager
    def _at_work(self, user_id: int, guild_id: int | None) -> Iterator[Job]:
        job = Job(new_job_id(), user_id, guild_id, asyncio.current_task())
        self._jobs[job.id] = job
        self._idle.clear()
        token = job_id.set(job.id)
        try:
            yield job
        finally:
            job_id.reset(token)
            del self._jobs[job.id]
            if not self._jobs:
                self._idle.set()

    def _check_open(self) -> None:
        if self._closing:
            raise PoolClosed("The bot is restarting. Try again in a minute.")

    def _check(self, user_id: int, guild_id: int | None, *, at_once: bool) -> None:
        if user_id in self._runner:
            raise Declined("own_job_running")
        wait_s = self._last_asked.get(user_id, -math.inf) + self._cooldown_s - self._clock()
        if wait_s > 0 and not at_once:
            raise Declined("cooldown", count=math.ceil(wait_s))
        if guild_id is not None and self._servers[guild_id] >= self._per_server:
            raise Declined("server_busy")
        if len(self._runner) >= self._in_all:
            raise Declined("everyone_busy")
        if len(self._last_asked) > _FORGET_ABOVE:
            self._forget()

    def _forget(self) -> None:
        """Drop the people whose cooldown is over."""
        oldest = self._clock() - self._cooldown_s
        self._last_asked = {u: t for u, t in self._last_asked.items() if t > oldest}

    def place(self, job: Job) -> int:
        """Return how many analyses come before this one can begin; 0 while it is being heard."""
        before = 0
        for other in self._jobs.values():
            if other is job:
                break
            before += other.analysing
        return max(0, before + 1 - self._workers)

    async def close(self, *, finish_s: float, correct_s: float) -> None:
        """Admit nobody more, let running questions finish, then end the rest.

        Those that are ended correct their own message; whoever fails to is left to the journal.
        """
        self._closing = True
        try:
            async with asyncio.timeout(finish_s):
                await self._idle.wait()
        except TimeoutError:
            tasks = [job.task for job in self._jobs.values() if job.task is not None]
            for task in tasks:
                task.cancel("the bot is stopping")
            await asyncio.wait(tasks, timeout=correct_s)
