"""Budgets that concurrent fetches share, so that no server and no kind of source uses up all."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from genrec.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

_BUSY = "Too many clips are being fetched at the moment. Try again in a minute."


class Limit(NamedTuple):
    """Largest amount that all leases of one kind may hold, and those of one owner."""

    total: int
    per_owner: int


@dataclass(eq=False)
class _Waiter:
    """A reservation that waits for its turn."""

    lease: BudgetLease
    size: int
    granted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class BudgetLease:
    """The part of a budget that one fetch holds; it grows with the fetch."""

    def __init__(self, budget: Budget, owner: Hashable, *, upload: bool) -> None:
        self.owner, self.upload = owner, upload
        self.held = 0
        self._budget = budget

    async def reserve(self, size: int, *, wait_s: float | None = None) -> None:
        """Hold ``size`` as soon as there is room; raise Busy after ``wait_s`` or in a full queue.

        A lease that already holds something grows at once or raises Busy, because leases that hold
        and wait could block each other.
        """
        if self.held or not size:
            self.grow(size)
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._budget.wait(self, size)
        except TimeoutError as error:
            raise Busy(_BUSY) from error

    def grow(self, size: int) -> None:
        """Hold ``size`` or more at once; raise Busy if there is no room."""
        if size > self.held and not self._budget.take(self, size - self.held):
            raise Busy(_BUSY)

    def shrink(self, size: int) -> None:
        """Give back all but ``size``."""
        self._budget.give_back(self, max(0, self.held - size))


class Budget:
    """An amount of disk space or processes, lent in order of arrival within limits per owner.

    Uploads may use all of it, links only their own limit. Therefore links of any number of servers
    leave room for uploads. Of each kind, one owner (a server, or all direct messages together) may
    hold a part only. A waiter that its owner's limit blocks does not block those behind it.
    """

    def __init__(self, *, uploads: Limit, links: Limit, max_waiting: int) -> None:
        self._limits = {True: uploads, False: links}  # by BudgetLease.upload
        self._max_waiting = max_waiting
        self._waiters: list[_Waiter] = []
        self._held: Counter[bool] = Counter()
        self._of_owner: Counter[tuple[bool, Hashable]] = Counter()

    @property
    def waiting(self) -> int:
        """Return the number of leases that wait."""
        return len(self._waiters)

    @contextmanager
    def lease(self, owner: Hashable, *, upload: bool = False) -> Iterator[BudgetLease]:
        """Return an empty lease for the block, and take back all that it holds after it."""
        lease = BudgetLease(self, owner, upload=upload)
        try:
            yield lease
        finally:
            self.give_back(lease, lease.held)

    async def wait(self, lease: BudgetLease, size: int) -> None:
        """Take ``size`` for ``lease`` as soon as there is room."""
        if sum(w.lease.upload == lease.upload for w in self._waiters) >= self._max_waiting:
            raise Busy(_BUSY)
        waiter = _Waiter(lease, size)
        self._waiters.append(waiter)
        try:
            self._grant()
            await waiter.granted
        finally:
            if waiter in self._waiters:  # cancelled
                self._waiters.remove(waiter)
                self._grant()

    def take(self, lease: BudgetLease, size: int) -> bool:
        """Take ``size`` for ``lease`` and return True, or return False if there is no room."""
        if not (self._owner_has_room(lease, size) and self._kind_has_room(lease, size)):
            return False
        lease.held += size
        self._held[lease.upload] += size
        self._of_owner[lease.upload, lease.owner] += size
        return True

    def give_back(self, lease: BudgetLease, size: int) -> None:
        """Take back ``size`` of ``lease`` and grant it to those that wait."""
        lease.held -= size
        self._held[lease.upload] -= size
        key = lease.upload, lease.owner
        self._of_owner[key] -= size
        if not self._of_owner[key]:
            del self._of_owner[key]
        self._grant()

    def _grant(self) -> None:
        """Grant waiters what fits: uploads first, then by age, without those of a full owner.

        The first waiter that only a total blocks ends the round, so that it is not starved.
        """
        for waiter in sorted(self._waiters, key=lambda waiter: not waiter.lease.upload):
            if not self._owner_has_room(waiter.lease, waiter.size):
                continue
            if not self.take(waiter.lease, waiter.size):
                break
            self._waiters.remove(waiter)
            if not waiter.granted.done():
                waiter.granted.set_result(None)

    def _owner_has_room(self, lease: BudgetLease, size: int) -> bool:
        held = self._of_owner[lease.upload, lease.owner]
        return held + size <= self._limits[lease.upload].per_owner

    def _kind_has_room(self, lease: BudgetLease, size: int) -> bool:
        if not lease.upload and self._held[False] + size > self._limits[False].total:
            return False
        return self._held.total() + size <= self._limits[True].total
