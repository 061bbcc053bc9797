"""The HTTP interface beside a bot on the local Discord: one process, one pool, room for both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.local_discord import LocalDiscord, visible_text
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response
from tests.bot.http_api.conftest import free_port


async def genre(session: aiohttp.ClientSession, port: int, number: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/v1/genre"
    options = {"data": WAV + bytes([number]), "headers": {"Content-Type": "audio/wav"}}
    async with session.post(url, **options) as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json())


async def analyzed(world: World, count: int) -> None:
    """Wait until workers have taken that many clips."""
    async with asyncio.timeout(10):
        while len(world.pool.analyzed) < count:  # noqa: ASYNC110 - the pool has no event for it
            await asyncio.sleep(0.01)


async def test_programs_and_people_are_answered_by_one_bot(tmp_path: Path) -> None:
    port = free_port()
    async with (
        LocalDiscord() as discord,
        bot_on(discord, tmp_path, http_api_port=port) as world,
        aiohttp.ClientSession() as session,
    ):
        found = await genre(session, port, 1)
        used = await world.you.slash("recommend", {"clip": clip()})
        message = await wait_response(used)
        assert found["genre"] == "jazz"
        assert "Jazz" in visible_text(message)
        text = world.app.metrics.text().decode()
        assert 'genrec_http_requests_total{route="/v1/genre",status="200"} 1.0' in text
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/v1")


async def test_flood_of_programs_leaves_a_worker_to_people(tmp_path: Path) -> None:
    port = free_port()
    async with (
        LocalDiscord() as discord,
        bot_on(discord, tmp_path, http_api_port=port) as world,
        aiohttp.ClientSession() as session,
    ):
        held = asyncio.Event()
        world.pool.gate = held
        flood = [asyncio.create_task(genre(session, port, number)) for number in range(8)]
        await analyzed(world, 1)
        used = await world.you.slash("recommend", {"clip": clip()})
        await analyzed(world, 2)
        await asyncio.sleep(0.2)
        assert len(world.pool.analyzed) == 2, "of two workers, one is for people"
        held.set()
        world.pool.gate = None
        await wait_response(used)
        assert {answer["genre"] for answer in await asyncio.gather(*flood)} == {"jazz"}


async def test_bot_without_the_setting_serves_no_interface(tmp_path: Path) -> None:
    port = free_port()
    async with (
        LocalDiscord() as discord,
        bot_on(discord, tmp_path, http_port=port),
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/healthz") as health:
            assert health.status == 200
        async with session.get(f"http://127.0.0.1:{port}/v1") as interface:
            assert interface.status == 404
