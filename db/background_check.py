"""Run a slow integrity check in the background while the database is in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from genrec.errors import CatalogueError


@asynccontextmanager
async def background_check(check: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run ``check`` in the background of the block, and cancel it at the block's end.

    If the check raises CatalogueError, the block is cancelled and that error is raised instead.
    """
    block = asyncio.current_task()
    assert block is not None
    errors: list[CatalogueError] = []

    async def run() -> None:
        try:
            await check()
        except CatalogueError as error:
            errors.append(error)
            block.cancel()

    task = asyncio.create_task(run())
    try:
        yield
        if errors:  # the block swallowed the cancellation
            raise errors[0]
    except asyncio.CancelledError:
        if not errors:
            raise
        block.uncancel()
        raise errors[0] from None
    finally:
        task.cancel()
        await asyncio.wait([task])
