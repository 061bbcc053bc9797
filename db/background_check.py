"""Runs a long check beside the work: what it finds ends the work as if it had been found before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from genrec.errors import CatalogueError


@asynccontextmanager
async def background_check(check: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Begin the block while ``check`` runs; the CatalogueError it raises ends the block.

    A check that has not ended when the block does is cancelled.
    """
    block = asyncio.current_task()
    assert block is not None
    found: list[CatalogueError] = []

    async def look() -> None:
        try:
            await check()
        except CatalogueError as error:
            found.append(error)
            block.cancel()

    looking = asyncio.create_task(look())
    try:
        yield
        if found:  # and the block took the cancellation for its end
            raise found[0]
    except asyncio.CancelledError:
        if not found:
            raise
        block.uncancel()
        raise found[0] from None
    finally:
        looking.cancel()
        await asyncio.wait([looking])
