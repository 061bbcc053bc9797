"""What an operator reads at /readyz and /metrics while PostgreSQL is away, and afterwards."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.config import Settings
from bot.local_discord import LocalDiscord
from bot.runtime.serve_alone import open_interface
from bot.sources import SourcePolicy
from db.address import PostgresAddress
from tests.bot.end_to_end.conftest import bot_on, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.db.postgres_server import running_server

AWAY = "database out of reach"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Endpoints:
    """The health endpoints of one process."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._address + path, timeout=10) as response:
                return response.status, response.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()

    async def until(self, fits: Callable[[tuple[int, str]], bool], timeout_s: float = 30) -> None:
        async with asyncio.timeout(timeout_s):
            while not fits(answer := await self.get("/readyz")):
                assert answer[0] in (200, 503)
                await asyncio.sleep(0.1)

    async def gauges(self) -> tuple[str, str]:
        lines = (await self.get("/metrics"))[1].splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return values["genrec_ready"], values["genrec_database_writable"]


async def test_bot_is_not_ready_while_postgresql_is_away(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    with running_server() as server:
        port = free_port()
        address = PostgresAddress(server.new_schema())
        async with bot_on(discord, tmp_path, database=address, http_port=port) as world:
            health = Endpoints(port)
            await health.until(lambda answer: answer == (200, "ready"))
            assert await health.gauges() == ("1.0", "1.0")
            await asyncio.to_thread(server.kill)
            await health.until(lambda answer: answer == (503, AWAY))
            assert await health.gauges() == ("0.0", "0.0")
            german = discord.person("sam")
            german.locale = "de"
            words = ("isn't available right now", "gerade nicht verfügbar")
            for who, expected in zip((world.you, german), words, strict=True):
                await wait_text(await who.slash("recommend", {"clip": clip()}), expected)
            await asyncio.to_thread(server.start)
            await health.until(lambda answer: answer == (200, "ready"))
            assert await health.gauges() == ("1.0", "1.0")
            await wait_response(await world.you.slash("recommend", {"clip": clip()}))


@asynccontextmanager
async def http_interface(folder: Path, **given: object) -> AsyncIterator[None]:
    make_preset(folder / "preset")
    settings = Settings(
        _env_file=None, preset=folder / "preset", http_api_port=free_port(), **given
    )
    policy = SourcePolicy(
        max_bytes=100_000, max_disk_bytes=1_000_000, temp_root=folder, min_rate=1, stall_s=1.0
    )
    async with open_interface(
        settings, policy=policy, open_pool=opener(FakePool()), measure_sandbox=None
    ):
        yield


@pytest.mark.parametrize("pause", ["kill", "hang"])
async def test_interface_alone_is_not_ready_while_postgresql_is_away(
    pause: str, tmp_path: Path
) -> None:
    with running_server() as server:
        port, address = free_port(), PostgresAddress(server.new_schema())
        async with http_interface(tmp_path, database=address, http_port=port):
            health = Endpoints(port)
            assert await health.get("/readyz") == (200, "ready")
            away, back = (
                (server.kill, server.start) if pause == "kill" else (server.pause, server.resume)
            )
            await asyncio.to_thread(away)
            expected = AWAY if pause == "kill" else "database does not respond"
            await health.until(lambda answer: answer == (503, expected))
            await asyncio.to_thread(back)
            await health.until(lambda answer: answer == (200, "ready"), timeout_s=60)
