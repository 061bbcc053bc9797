"""Share of the worker pool for the HTTP interface, so that Discord's users have room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from genrec.errors import Busy

MAX_WAITING = 16


class WorkerShare:
    """Turns of requests that analyse or search: ``at_once`` of them, the others wait in order."""

    def __init__(self, at_once: int, *, max_waiting: int = MAX_WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._max_waiting = max_waiting
        self._waiting = 0

    @classmethod
    def of(cls, workers: int, *, alone: bool) -> WorkerShare:
        """Return the share of a pool: all of it alone, half of it beside a bot on Discord."""
        return cls(workers if alone else max(1, workers // 2))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the block; raise Busy if too many wait."""
        if self._turns.locked() and self._waiting >= self._max_waiting:
            raise Busy(
                f"Too many requests are waiting: this one would be number {self._waiting + 1} in"
                " the queue. Try again in a minute."
            )
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()
