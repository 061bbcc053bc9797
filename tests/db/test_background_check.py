"""A check beside the work: it holds nothing up, and what it finds still counts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from db.background_check import background_check
from genrec.errors import CatalogueError


async def fine() -> None:
    await asyncio.sleep(0)


async def bad() -> None:
    await asyncio.sleep(0)
    raise CatalogueError("The catalogue is damaged.")


async def endless() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("check", [fine, endless])
async def test_what_finds_nothing_disturbs_nobody(check) -> None:
    async with background_check(check):
        await asyncio.sleep(0.01)
    with pytest.raises(ValueError, match="the block's own"):
        async with background_check(check):
            raise ValueError("the block's own")


async def test_what_is_found_ends_the_block_and_nothing_more() -> None:
    with pytest.raises(CatalogueError, match="is damaged"):
        async with background_check(bad):
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)


async def test_a_block_that_takes_it_for_its_end_hears_of_it_too() -> None:
    async def work() -> None:
        async with background_check(bad):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(CatalogueError, match="is damaged"):
        await work()


async def test_a_block_that_is_cancelled_is_cancelled() -> None:
    async def work() -> None:
        async with background_check(endless):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
