"""Shards and the limit of Identify, with unmodified discord.py clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import discord as library
import pytest

from bot.local_discord import LocalDiscord
from bot.local_discord.identify_limit import IdentifyLimit
from bot.local_discord.state import Guild


class Eager(library.AutoShardedClient):
    """A client that identifies at once, again after 0.2 s, and keeps the messages it receives."""

    def __init__(self, *, shard_ids: list[int], shard_count: int) -> None:
        intents = library.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, shard_ids=shard_ids, shard_count=shard_count)
        self.received: list[str] = []
        self.identified: set[int | None] = set()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if shard_id in self.identified:
            await asyncio.sleep(0.2)
        self.identified.add(shard_id)

    async def on_message(self, message: library.Message) -> None:
        self.received.append(message.content)


@asynccontextmanager
async def connected(discord: LocalDiscord, *shards: int, of: int) -> AsyncIterator[Eager]:
    with discord.patch_discord_py():
        client = Eager(shard_ids=list(shards), shard_count=of)
        task = asyncio.create_task(client.start(discord.token))
        try:
            async with asyncio.timeout(30):
                await discord.wait_for(
                    lambda: set(shards) <= set(discord.gateway.connected_shards), 30
                )
                while not client.is_ready():  # noqa: ASYNC110 - wait_until_ready needs the login
                    await asyncio.sleep(0.05)
            yield client
        finally:
            await client.close()
            await asyncio.wait([task])


def guild_on(discord: LocalDiscord, shard: int, of: int) -> Guild:
    """Add guilds until one of them is on a shard, and return it."""
    for number in range(1000):
        guild = discord.add_guild(f"Server {number}")
        if (int(guild.id) >> 22) % of == shard:
            return guild
        time.sleep(0.001)  # ids count milliseconds
    raise AssertionError("no guild on this shard")


async def test_two_clients_receive_the_events_of_their_own_shards(discord: LocalDiscord) -> None:
    guilds = [guild_on(discord, shard, 2) for shard in (0, 1)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(discord, shard, of=2)) for shard in (0, 1)
        ]
        assert discord.gateway.connected_shards == [0, 1]
        for shard, guild in enumerate(guilds):
            await discord.you.say(f"to shard {shard}", channel=guild.channel("music"))
        await discord.you.say("to the bot", channel="dm")
        await discord.wait_for(lambda: sum(len(c.received) for c in clients) == 3, 10)
        await asyncio.sleep(0.2)
    assert clients[0].received == ["to shard 0", "to the bot"]
    assert clients[1].received == ["to shard 1"]


def identifies(discord: LocalDiscord) -> list[tuple[int, bool]]:
    return [(e["shard"][0], e["allowed"]) for e in discord.gateway.log if e["event"] == "identify"]


async def test_second_identify_of_a_bucket_invalidates_the_session(discord: LocalDiscord) -> None:
    discord.gateway.identify_limit = IdentifyLimit(max_concurrency=1, interval_s=1.0)
    began = time.monotonic()
    async with connected(discord, 0, 1, of=2):
        pass
    found = identifies(discord)
    assert found[0] == (0, True)
    assert (1, False) in found, "the second came at once"
    assert found[-1] == (1, True), "discord.py tries again until it is allowed"
    assert time.monotonic() - began >= 1.0


async def test_shards_of_two_buckets_identify_at_once(discord: LocalDiscord) -> None:
    discord.gateway.identify_limit = IdentifyLimit(max_concurrency=2, interval_s=60.0)
    async with connected(discord, 0, 1, of=2):
        pass
    assert identifies(discord) == [(0, True), (1, True)]


async def test_gateway_bot_names_shards_and_buckets(discord: LocalDiscord) -> None:
    discord.gateway.shards = 3
    discord.gateway.identify_limit = IdentifyLimit(max_concurrency=7)
    with discord.patch_discord_py():
        client = library.Client(intents=library.Intents.none())
        async with client:
            await client.login(discord.token)
            shards, _, limits = await client.http.get_bot_gateway()
    assert (shards, limits["max_concurrency"]) == (3, 7)


async def test_shard_outside_the_number_of_shards_is_refused(discord: LocalDiscord) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(discord.gateway.url) as socket:
        await socket.receive_json()
        data = {"token": discord.token, "intents": 0, "properties": {}, "shard": [2, 2]}
        await socket.send_json({"op": 2, "d": data})
        closed = await socket.receive(10)
        assert closed.data == 4010


@pytest.mark.parametrize(("shards", "allowed"), [((0, 16), False), ((0, 1), True)])
def test_bucket_is_the_remainder_of_the_shard(shards: tuple[int, int], allowed: bool) -> None:
    limit = IdentifyLimit(max_concurrency=16, interval_s=60)
    assert limit.take(shards[0])
    assert limit.take(shards[1]) is allowed
