"""Shards that a process takes while its client runs, with a fake client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bot import sharding
from bot.client.client import Client
from bot.lease_keeper import LeaseKeeper
from bot.runtime import lifecycle
from bot.sharding import ShardClaims
from db.connection import Database, open_db
from genrec.errors import CatalogueError
from tests.bot.fake_leases import FakeLeases, FakeServer


class FakeClient:
    """A client that is ready, and takes shards."""

    def __init__(self, shards: Sequence[int]) -> None:
        self.shard_ids = list(shards)

    not_launched = Client.not_launched

    def is_ready(self) -> bool:
        return True

    async def launch_more(self, shards: Sequence[int]) -> None:
        self.shard_ids.extend(shards)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "GRACE_S", 0.01)
    monkeypatch.setattr(lifecycle, "POLL_S", 0.02)


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


def connection(reload: Callable[[], Awaitable[None]]) -> Any:
    """Return the connection of an app with only the cache of settings."""
    return lifecycle._Connection(
        SimpleNamespace(guilds=SimpleNamespace(reload=reload)), SimpleNamespace(missing="")
    )


async def test_shards_are_connected_although_the_settings_cannot_be_read_at_first(db) -> None:
    claims = ShardClaims(db=db, keeper=LeaseKeeper(FakeLeases(FakeServer())), shards=2, here=0)
    claims.total = 2
    client, tries = FakeClient([]), 0

    async def reload() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise CatalogueError("The database did not respond in time.")

    await asyncio.wait_for(connection(reload)._take_more(client, claims), 5)
    assert (tries, claims.held, client.shard_ids) == (2, [0, 1], [0, 1])
