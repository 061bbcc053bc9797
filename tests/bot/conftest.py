"""Local web servers for tests that fetch: one that may be reached, and one that may not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from discord.gateway import KeepAliveHandler

from bot.sources import SourcePolicy
from tests.bot.sources.hostile import FakeDns, FakeServer, processes_in, start_server, wav


@pytest.fixture(autouse=True)
def no_heartbeats_left() -> Iterator[None]:
    """End the heartbeats of connections that a test cut during their handshake.

    discord.py ends such a thread at its next heartbeat, up to 41 s later. By then the event loop of
    the test is closed, and the error would fail a later test.
    """
    yield
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            thread.stop()


@pytest.fixture
async def origin() -> AsyncIterator[FakeServer]:
    origin = FakeServer()
    server = await start_server(origin)
    yield origin
    server.close()


@pytest.fixture
async def forbidden() -> AsyncIterator[FakeServer]:
    """Return a server that nothing may connect to; the teardown checks it."""
    origin = FakeServer()
    origin.serve("/secret", wav())
    server = await start_server(origin)
    yield origin
    await asyncio.sleep(0)
    server.close()
    assert origin.connections == 0, origin.requests


@pytest.fixture
def dns(origin: FakeServer, forbidden: FakeServer) -> FakeDns:
    dns = FakeDns()
    dns.set("music.test", [("127.0.0.1", origin.port)])
    dns.set("inside.test", [("127.0.0.1", forbidden.port)])
    return dns


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return the directory for fetched clips; the teardown checks that it is empty."""
    root = tmp_path / "clips"
    root.mkdir()
    yield root
    assert list(root.iterdir()) == []
    assert processes_in(root) == []


@pytest.fixture
def policy(origin: FakeServer, root: Path) -> SourcePolicy:
    return SourcePolicy(
        schemes=frozenset({"http", "https"}),
        open_endpoints=frozenset({("127.0.0.1", origin.port)}),
        max_bytes=200_000,
        max_disk_bytes=4_000_000,
        connect_s=2.0,
        stall_s=2.0,
        download_s=5.0,
        page_s=90.0,
        min_rate=20_000,
        rate_window_s=1.0,
        temp_root=root,
    )
