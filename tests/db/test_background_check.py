"""Tests of the background check: it delays nothing, and an error it finds ends the block."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from db.background_check import background_check
from genrec.errors import CatalogueError


async def passing() -> None:
    await asyncio.sleep(0)


async def failing() -> None:
    await asyncio.sleep(0)
    raise CatalogueError("The catalogue is damaged.")


async def endless() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("check", [passing, endless])
async def test_passing_or_unfinished_check_does_not_disturb_the_block(check) -> None:
    async with background_check(check):
        await asyncio.sleep(0.01)
    with pytest.raises(ValueError, match="the block's own"):
        async with background_check(check):
            raise ValueError("the block's own")


async def test_failing_check_ends_the_block_and_leaves_the_task_uncancelled() -> None:
    with pytest.raises(CatalogueError, match="is damaged"):
        async with background_check(failing):
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)


async def test_block_that_swallows_the_cancellation_still_raises_the_error() -> None:
    async def work() -> None:
        async with background_check(failing):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(CatalogueError, match="is damaged"):
        await work()


async def test_cancelled_block_raises_cancelled_error() -> None:
    async def work() -> None:
        async with background_check(endless):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
