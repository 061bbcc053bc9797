"""Budgets: who waits for whom, and what is given back."""

from __future__ import annotations

import asyncio

import pytest

from bot.sources.budget import Budget, BudgetLease, Limit
from genrec.errors import Busy


def budget(*, max_waiting: int = 9) -> Budget:
    return Budget(uploads=Limit(10, 6), links=Limit(6, 4), max_waiting=max_waiting)


class Fetches:
    """Fetches that hold their lease until the test ends them, in the order in which they start."""

    def __init__(self, of: Budget) -> None:
        self._budget = of
        self.started: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, size: int, *, owner: int = 1, upload: bool = False) -> None:
        self._ends[name] = asyncio.Event()

        async def hold() -> None:
            with self._budget.lease(owner, upload=upload) as lease:
                await lease.reserve(size)
                self.started.append(name)
                await self._ends[name].wait()

        self._tasks[name] = asyncio.create_task(hold())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await asyncio.sleep(0)


async def test_links_leave_room_for_an_upload():
    fetches = Fetches(budget())
    for owner in (1, 2, 3):
        await fetches.begin(f"link {owner}", 3, owner=owner)
    await fetches.begin("upload", 4, owner=4, upload=True)
    assert fetches.started == ["link 1", "link 2", "upload"]
    await fetches.end("link 1")
    assert fetches.started[-1] == "link 3"


async def test_owner_over_its_share_does_not_block_those_behind_it():
    fetches = Fetches(budget())
    for name in ("a1", "a2"):
        await fetches.begin(name, 3)
    await fetches.begin("b", 2, owner=2)
    assert fetches.started == ["a1", "b"]


async def test_small_reservation_does_not_overtake_an_older_large_one():
    fetches = Fetches(budget())
    await fetches.begin("a", 4)
    await fetches.begin("large", 4, owner=2)
    await fetches.begin("small", 1, owner=3)
    assert fetches.started == ["a"]
    await fetches.end("a")
    assert fetches.started == ["a", "large", "small"]


async def test_waiting_upload_goes_before_waiting_links():
    fetches = Fetches(budget())
    await fetches.begin("u1", 6, owner=1, upload=True)
    await fetches.begin("u2", 4, owner=2, upload=True)
    await fetches.begin("link", 1, owner=3)
    await fetches.begin("u3", 4, owner=4, upload=True)
    await fetches.end("u1")
    assert fetches.started == ["u1", "u2", "u3", "link"]


async def test_cancelled_waiter_lets_the_next_one_pass():
    of = budget()
    fetches = Fetches(of)
    await fetches.begin("a", 4)
    await fetches.begin("large", 4, owner=2)
    await fetches.begin("small", 2, owner=3)
    await fetches.cancel("large")
    assert fetches.started == ["a", "small"]
    assert of.waiting == 0


async def test_queue_is_limited_for_each_kind():
    of = budget(max_waiting=1)
    fetches = Fetches(of)
    await fetches.begin("a", 4)
    await fetches.begin("waits", 4)
    with of.lease(3) as lease, pytest.raises(Busy):
        await lease.reserve(4)
    with of.lease(3, upload=True) as lease:
        await lease.reserve(4)


async def test_lease_grows_and_shrinks_and_gives_all_back():
    of = budget()
    with of.lease(1) as lease:
        lease.grow(3)
        lease.grow(2)
        assert lease.held == 3
        with pytest.raises(Busy):
            lease.grow(5)
        lease.shrink(1)
        lease.grow(4)
    assert sum(of._held.values()) == 0
    assert not of._of_owner


async def test_reservation_of_a_lease_that_holds_some_never_waits():
    of = budget()
    with of.lease(1) as lease:
        await lease.reserve(3)
        async with asyncio.timeout(1):
            with pytest.raises(Busy):
                await lease.reserve(6)


async def test_reservation_ends_after_its_waiting_time():
    of = budget()
    with of.lease(1) as first, of.lease(1) as second:
        await first.reserve(4)
        with pytest.raises(Busy):
            await second.reserve(1, wait_s=0.01)
        assert of.waiting == 0


async def test_grant_to_a_task_cancelled_at_once_is_given_back():
    of = budget()

    async def hold(lease: BudgetLease) -> None:
        with of.lease(2) as mine:
            await mine.reserve(4)

    with of.lease(1) as first:
        await first.reserve(4)
        task = asyncio.create_task(hold(first))
        await asyncio.sleep(0)
        first.shrink(0)  # grants
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sum(of._held.values()) == 0
