"""Discord calls with a timeout and retries on connection errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import discord

T = TypeVar("T")
ALREADY_ACKNOWLEDGED = 40060
_INVALID_WEBHOOK_TOKEN = 50027
_UNKNOWN_INTERACTION = 10062
_UNKNOWN_WEBHOOK = 10015
GONE = (_INVALID_WEBHOOK_TOKEN, _UNKNOWN_INTERACTION, _UNKNOWN_WEBHOOK)
_LONGEST_PAUSE_S = 5.0

log = logging.getLogger(__name__)


async def with_retry(
    call: Callable[[], Awaitable[T]], *, timeout_s: float = 10.0, attempts: int = 4
) -> T:
    """Await ``call()``, with retries on connection errors, for at most ``timeout_s`` seconds.

    ``call`` makes a new awaitable each time, because discord.py closes the files that it has sent.
    It must be idempotent: an edit, an acknowledgement, a deletion.
    """
    async with asyncio.timeout(timeout_s):
        for attempt in range(1, attempts + 1):
            failure: Exception
            try:
                return await call()
            except (aiohttp.ClientConnectionError, ConnectionError) as error:
                # discord.py retries errno 54 and 10054; on Linux a reset is 104.
                pause_s, failure = 0.1 * 2**attempt, error
            except discord.HTTPException as error:
                if error.status != 429:
                    raise
                pause_s, failure = _retry_after(error), error
            except RuntimeError as error:
                # aiohttp's error of a client that was closed; another one may replace it.
                if "Session is closed" not in str(error):
                    raise
                pause_s, failure = 0.5, ConnectionError(str(error))
            except TypeError as error:
                # discord.py looks up retry_after in the string of an HTML 429. Every other
                # TypeError is a bug.
                if "indices must be" not in str(error):
                    raise
                pause_s, failure = 1.0, error
            if attempt == attempts:
                raise failure
            log.info(
                "Discord call retried: attempt %d, pause %.1f s: %s",
                attempt, pause_s, type(failure).__name__,
            )  # fmt: skip
            await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))
    raise AssertionError("unreachable")


def _retry_after(error: discord.HTTPException) -> float:
    headers = getattr(error.response, "headers", {})
    try:
        return max(0.5, float(headers.get("Retry-After", 1.0)))
    except ValueError:
        return 1.0


async def retry_until(
    deadline: float, call: Callable[[], Awaitable[T]], *, first_pause_s: float = 2.0
) -> T:
    """Repeat a failing call with growing pauses until ``deadline`` on the event loop's clock.

    For a response, which should survive an outage of some minutes. A 4xx is raised at once.
    """
    loop, pause_s = asyncio.get_running_loop(), first_pause_s
    while True:
        try:
            return await with_retry(call)
        except (discord.DiscordServerError, TimeoutError, OSError, aiohttp.ClientError) as error:
            if loop.time() + pause_s > deadline:
                raise
            log.warning("Discord unreachable (%s): retrying", type(error).__name__)
            await asyncio.sleep(pause_s)
            pause_s = min(60.0, pause_s * 2)
