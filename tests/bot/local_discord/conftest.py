"""Fixtures: a local Discord, and a small discord.py bot on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from discord.gateway import KeepAliveHandler

from bot.local_discord import LocalDiscord
from tests.bot.local_discord.small_bot import SmallBot, running


@pytest.fixture(autouse=True)
async def heartbeats_have_ended() -> AsyncIterator[None]:
    """Wait for the heartbeat threads, which would raise after their event loop has closed."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive(), "a client was not closed"


@pytest.fixture
async def discord() -> AsyncIterator[LocalDiscord]:
    # The long deadline keeps other tests from failing on a busy machine.
    async with LocalDiscord(heartbeat_s=0.2, ack_deadline_s=20) as local:
        yield local


@pytest.fixture
async def bot(discord: LocalDiscord) -> AsyncIterator[SmallBot]:
    async with running(discord) as small:
        yield small
