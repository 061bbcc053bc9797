"""A local Discord, and a small real discord.py bot on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from discord.gateway import KeepAliveHandler

from bot.local_discord import LocalDiscord
from tests.bot.local_discord.small_bot import SmallBot, running


@pytest.fixture(autouse=True)
async def still_hearts() -> AsyncIterator[None]:
    """Wait for the threads of clients: one that is beating when its loop closes raises in it."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive(), "a client was not closed"


@pytest.fixture
async def discord() -> AsyncIterator[LocalDiscord]:
    # A busy machine must not fail tests that are about something else than the 3 seconds.
    async with LocalDiscord(heartbeat_s=0.2, ack_deadline_s=20) as local:
        yield local


@pytest.fixture
async def bot(discord: LocalDiscord) -> AsyncIterator[SmallBot]:
    async with running(discord) as small:
        yield small
