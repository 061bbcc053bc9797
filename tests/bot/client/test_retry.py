"""Discord calls: time limits, retries of connection errors, no retries of refusals."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import aiohttp
import discord
import pytest

from bot.client.retry import retry_until, with_retry


def http_error(status: int, kind: type[discord.HTTPException] = discord.HTTPException):
    response = SimpleNamespace(status=status, reason="", headers={"Retry-After": "0"})
    return kind(response, {"code": 0, "message": ""})


class Call:
    """A call that has the given outcomes, one after the other."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes, self.made = list(outcomes), 0

    async def __call__(self) -> object:
        self.made += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionResetError(104, "reset"),
        aiohttp.ServerDisconnectedError(),
        http_error(429),
        TypeError("string indices must be integers, not 'str'"),
    ],
    ids=["reset", "disconnected", "429", "html 429"],
)
async def test_with_retry_repeats_after_a_connection_error(failure: Exception) -> None:
    call = Call(failure, "done")
    assert await with_retry(call) == "done"
    assert call.made == 2


@pytest.mark.parametrize(
    "failure", [http_error(404), http_error(400), TypeError("unexpected keyword")],
    ids=["404", "400", "our mistake"],
)  # fmt: skip
async def test_with_retry_raises_a_refusal_at_once(failure: Exception) -> None:
    call = Call(failure)
    with pytest.raises(type(failure)):
        await with_retry(call)
    assert call.made == 1


async def test_with_retry_raises_after_the_last_attempt() -> None:
    call = Call(*[ConnectionResetError()] * 9)
    with pytest.raises(ConnectionResetError):
        await with_retry(call, attempts=2)
    assert call.made == 2


async def test_with_retry_raises_timeout_error_after_the_time_limit() -> None:
    with pytest.raises(TimeoutError):
        await with_retry(lambda: asyncio.sleep(60), timeout_s=0.05)


async def test_retry_until_outlasts_an_outage() -> None:
    outage = [http_error(503, discord.DiscordServerError) for _ in range(3)]
    call = Call(*outage, "done")
    deadline = asyncio.get_running_loop().time() + 10
    assert await retry_until(deadline, call, first_pause_s=0.01) == "done"
    assert call.made == 4


async def test_retry_until_raises_at_the_deadline_and_for_a_refusal() -> None:
    now = asyncio.get_running_loop().time()
    call = Call(http_error(503, discord.DiscordServerError))
    with pytest.raises(discord.DiscordServerError):
        await retry_until(now, call)
    call = Call(http_error(404, discord.NotFound))
    with pytest.raises(discord.NotFound):
        await retry_until(now + 10, call)
    assert call.made == 1
