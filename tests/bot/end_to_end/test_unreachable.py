"""Discord that cannot be reached or refuses the bot: retries, or an error with a fix."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.local_discord import LocalDiscord
from genrec.errors import GenrecError
from tests.bot.end_to_end.conftest import bot_on, clip, wait_text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_log(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(60):
        for _ in iter(lambda: text in caplog.text, True):
            await asyncio.sleep(0.05)


async def test_bot_waits_for_a_discord_that_is_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    discord = LocalDiscord(port=free_port())
    async with AsyncExitStack() as stack:

        async def come_up() -> None:
            await wait_log(caplog, "discord unreachable")
            await stack.enter_async_context(discord)

        coming = asyncio.create_task(come_up())
        async with bot_on(discord, tmp_path) as world:
            await coming
            await wait_text(await world.you.slash("genre", {"clip": clip()}), "Analysed")
    assert "retry in 1 s" in caplog.text
    assert "Traceback" not in caplog.text


async def test_bot_tries_again_where_the_login_fails(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    discord.faults.server_error("GET", "/users/@me", 403, times=1)
    async with bot_on(discord, tmp_path) as world:
        await wait_text(await world.you.slash("genre", {"clip": clip()}), "Analysed")
    assert "discord unreachable: 403 Forbidden" in caplog.text


@pytest.mark.parametrize(
    ("code", "kind", "fix"),
    [
        (4004, SettingsError, "GENREC_DISCORD_TOKEN"),
        (4011, SettingsError, "GENREC_SHARDS"),
        (4012, GenrecError, "update genrec"),
    ],
)
async def test_lasting_close_code_ends_the_bot_with_a_fix(
    discord: LocalDiscord, tmp_path: Path, code: int, kind: type[GenrecError], fix: str
) -> None:
    async def run_until_closed() -> None:
        async with bot_on(discord, tmp_path) as world:
            await discord.gateway.close(code)
            await asyncio.wait({world.running}, timeout=20)

    with pytest.raises(kind, match=fix):
        await run_until_closed()
