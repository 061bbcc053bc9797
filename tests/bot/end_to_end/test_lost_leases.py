"""A bot whose shards are leases, in this process: it takes one more, and loses them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot import sharding
from bot.client.client import Client
from bot.config import Settings
from bot.lease_keeper import LeaseKeeper
from bot.local_discord import LocalDiscord, visible_text
from bot.runtime import lifecycle
from bot.runtime.app import local_policy
from bot.runtime.wiring import App, open_app
from bot.sharding import IdentifyTurns, ShardClaims, Sharing
from db.guild_settings import departed_guilds, record_guilds
from genrec.errors import GenrecError
from tests.bot.end_to_end.conftest import COMMANDS, START_S, clip
from tests.bot.end_to_end.crowd import WORDS
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.bot.end_to_end.shared_bots import ENDS, guilds_on_all_shards
from tests.bot.fake_leases import FakeLeases, FakeServer

REAL_GRACE_S = sharding.GRACE_S  # a fixture sets it to 0


@dataclass
class SharedBot:
    """A running bot and its leases."""

    app: App
    leases: FakeLeases
    running: asyncio.Task[None]
    stop: asyncio.Event


@asynccontextmanager
async def shared_bot(
    local: LocalDiscord, folder: Path, server: FakeServer, *, shards: int, delay_s: float = 0.0
) -> AsyncIterator[SharedBot]:
    """Run a bot that takes the free ones of some shards, and end it."""
    make_preset(folder / "preset")
    config = Settings(
        _env_file=None, http_port=0, database=folder / "genrec.db", preset=folder / "preset",
        link_lookup=False, shards=shards,
    )  # fmt: skip
    pool = FakePool()
    pool.delay_s = delay_s
    with local.patch_discord_py():
        async with open_app(
            config, policy=local_policy(config, local), open_pool=opener(pool),
            measure_sandbox=None,
        ) as alone:  # fmt: skip
            leases = FakeLeases(server)
            keeper = LeaseKeeper(leases)
            claims = ShardClaims(db=alone.resources.db, keeper=keeper, shards=shards, here=0)
            turns = IdentifyTurns(leases, interval_s=0.1)
            app = replace(alone, sharing=Sharing(keeper=keeper, claims=claims, turns=turns))
            stop = asyncio.Event()
            running = asyncio.create_task(lifecycle.run_until_stopped(app, local.token, stop=stop))
            try:
                await local.wait_ready(START_S)
                await local.wait_commands(*COMMANDS, timeout_s=START_S)
                yield SharedBot(app, leases, running, stop)
            finally:
                stop.set()
                await asyncio.wait([running])
                await keeper.release()


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "POLL_S", 0.1)


async def test_guilds_of_a_shard_taken_later_are_compared_after_its_ready(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    server = FakeServer()
    others = [await FakeLeases(server).take(f"shard:{shard}/3") for shard in (1, 2)]
    present = {int(guild.id) for guild in guilds_on_all_shards(discord, 3)}
    async with shared_bot(discord, tmp_path, server, shards=3) as bot:
        assert discord.gateway.connected_shards == [0]
        db, application_id = bot.app.resources.db, int(discord.state.bot.id)
        left = next(n << 22 for n in range(1, 9) if n % 3 == 1)
        await record_guilds(db, application_id, present | {left}, served=lambda _: True)
        for lease in others:
            assert lease is not None
            await lease.release()
        await discord.wait_for(lambda: discord.gateway.connected_shards == [0, 1, 2], 15)
        await discord.wait_for(lambda: discord.calls("GET", r"/guilds/\d+$"), 30)
        await asyncio.sleep(1)
        asked = [call.path for call in discord.calls("GET", r"/guilds/\d+$")]
        assert [path.rpartition("/")[2] for path in asked] == [str(left)], "READY has the others"
        stored = await departed_guilds(db, application_id, present=())
        assert stored >= present
        assert left not in stored, "it is forgotten"


async def test_bot_that_lost_its_leases_apologises_before_it_is_gone(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, sam = FakeServer(), discord.person("sam")
    sam.locale = "de"
    async with shared_bot(discord, tmp_path, server, shards=1, delay_s=3600) as bot:
        asked = [await who.slash("genre", {"clip": clip()}) for who in (discord.you, sam)]
        for used in asked:
            await used.wait_until(visible_text)
        bot.leases.lose()
        assert await FakeLeases(server).take("shard:0/1"), "another process has it"
        for used in asked:
            _, apology, _ = WORDS[used.user.locale]
            await used.wait_until(lambda m, words=apology: words in visible_text(m))
            assert ENDS in caplog.text, "the log tells of it first"
            assert not bot.running.done()
        with pytest.raises(GenrecError, match="another bot process may have taken over"):
            await asyncio.wait_for(asyncio.shield(bot.running), 20)


async def test_bot_that_lost_its_leases_is_gone_before_another_answers(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, closing = Client.close, []

    async def close_slowly(client: Client) -> None:
        if not closing:  # discord.py, too, closes once
            closing.append(client)
            await asyncio.sleep(60)

    server = FakeServer()
    async with shared_bot(discord, tmp_path, server, shards=1) as bot:
        monkeypatch.setattr(Client, "close", close_slowly)
        began = time.monotonic()
        bot.leases.lose()
        assert await FakeLeases(server).take("shard:0/1"), "another process has it"
        with pytest.raises(GenrecError, match="another bot process may have taken over"):
            await asyncio.wait_for(asyncio.shield(bot.running), 20)
        assert time.monotonic() - began < REAL_GRACE_S
        await close(closing[0])
