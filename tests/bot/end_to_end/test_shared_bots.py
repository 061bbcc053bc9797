"""Several bot processes share one bot: shards, take-over, owed answers, and kills at random."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, visible_text
from bot.local_discord.identify_limit import IdentifyLimit
from tests.bot.end_to_end.conftest import clip, wait_text
from tests.bot.end_to_end.crowd import SETTLED_S, UNAVAILABLE, Crowd, Outcome
from tests.bot.end_to_end.shared_bots import Bots, bots, guilds_on_all_shards
from tests.bot.end_to_end.test_killed import fresh_clip, is_final
from tests.db.postgres_server import running_server

log = logging.getLogger(__name__)


@pytest.fixture
async def busy_discord() -> AsyncIterator[LocalDiscord]:
    # Three bots that start again and again leave a small machine late, not wrong.
    async with LocalDiscord(ack_deadline_s=15) as local:
        local.gateway.identify_limit = IdentifyLimit(max_concurrency=16, interval_s=5.0)
        yield local


@pytest.mark.alone
async def test_two_bots_serve_a_shard_each(
    busy_discord: LocalDiscord, tmp_path: Path, postgres_address: str
) -> None:
    discord = busy_discord
    discord.gateway.identify_limit = IdentifyLimit(max_concurrency=1, interval_s=5.0)
    guilds = guilds_on_all_shards(discord, 2)
    async with bots(discord, tmp_path, postgres_address, 2, shards=2, here=1) as two:
        assert [e["allowed"] for e in discord.gateway.log if e["event"] == "identify"] == [True] * 2
        for guild in guilds:
            used = await discord.you.slash(
                "genre", {"clip": clip()}, channel=guild.channel("music")
            )
            await wait_text(used, "Jazz")
        taken = [line for line in two.logs if "shards taken" in line]
        assert len({line.split()[0] for line in taken}) == 2, "one shard for each process"
        puts = [c for c in discord.requests if c.method == "PUT" and c.path.endswith("/commands")]
        assert len(puts) == 1, "the commands are registered once"
    discord.assert_clean()


@pytest.mark.alone
async def test_dead_bots_owed_answer_is_corrected_once_by_the_other(
    busy_discord: LocalDiscord, tmp_path: Path, postgres_address: str
) -> None:
    discord = busy_discord
    guilds = guilds_on_all_shards(discord, 2)
    async with bots(discord, tmp_path, postgres_address, 2, shards=2, here=1, delay_s=3600) as two:
        asked = [
            await discord.you.slash("genre", {"clip": clip()}, channel=guild.channel("music"))
            for guild in guilds
        ]
        sam = discord.person("sam")
        sam.locale = "de"
        asked.append(await sam.slash("genre", {"clip": clip()}, channel=guilds[1].channel("music")))
        for used in asked:
            await used.wait_until(visible_text, 30)
        await asyncio.sleep(1)  # until each pending reply is stored
        began = time.monotonic()
        await two.end(two.running[0], signal.SIGKILL)
        [dead] = two.kills[0].shards
        owed = [asked[dead], *([asked[2]] if dead == 1 else [])]
        for used, words in zip(owed, ("restarted", "neu gestartet"), strict=False):
            await used.wait_until(lambda m, words=words: words in visible_text(m), 60)
        log.info("owed answers corrected after %.1f s", time.monotonic() - began)
        assert "Anal" in visible_text(asked[1 - dead].original or {}), "the other still works on it"
        await asyncio.sleep(SETTLED_S)
        assert [len(list(filter(is_final, used.history))) for used in owed] == [1] * len(owed)
    discord.assert_clean()


@pytest.mark.alone
async def test_spare_takes_over_the_shards_of_a_killed_bot(
    busy_discord: LocalDiscord, tmp_path: Path, postgres_address: str
) -> None:
    discord = busy_discord
    guilds = guilds_on_all_shards(discord, 2)
    async with bots(discord, tmp_path, postgres_address, 1, shards=2, delay_s=0) as two:
        await two.start()
        await discord.wait_for(lambda: any("spare" in line for line in two.logs), 60)
        channel = guilds[1].channel("music")
        await wait_text(await discord.you.slash("settings uploads", channel=channel), "clips", 30)
        began = time.monotonic()
        await two.end(two.running[0], signal.SIGKILL)
        await discord.wait_for(lambda: not discord.online, 10)
        await two.all_connected()
        log.info("taken over after %.1f s", time.monotonic() - began)
        upload = await discord.you.say(uploads=[clip()], channel=channel)
        await discord.you.wait_message(
            lambda m: (
                (m.get("message_reference") or {}).get("message_id") == upload["id"]
                and "Jazz" in visible_text(m)
            ),
            channel=channel,
            timeout_s=30,
        )  # the settings that the other process changed
    discord.assert_clean()


async def kill_at_random(group: Bots, every_s: float) -> None:
    """Kill one of the bots, and start another, until cancelled; between two kills one serves."""
    dice = random.Random(22)
    while True:
        await group.discord.wait_for(lambda: group.discord.gateway.connected_shards, 120)
        await asyncio.sleep(every_s * dice.uniform(0.7, 1.3))
        await group.end(dice.choice(group.running), signal.SIGKILL)
        await group.start()


async def rounds(
    discord: LocalDiscord,
    folder: Path,
    address: str,
    *,
    processes: int,
    questions: int,
    people: int,
    every_s: float,
) -> tuple[Outcome, Bots]:
    guilds = guilds_on_all_shards(discord, 4)
    crowd = [discord.person(f"p{n}") for n in range(people)]
    async with bots(discord, folder, address, processes, shards=4) as group:
        killing = asyncio.create_task(kill_at_random(group, every_s))
        try:
            asking = Crowd(group, guilds, crowd, pause_s=4)
            outcome = await asking.ask(questions)
        finally:
            killing.cancel()
            await asyncio.wait([killing])
        await asking.settle()
    log.info(
        "%d questions: %d answered, %d corrected after a kill, %d commands and %d messages while"
        " offline, %d messages unread, %d kills", questions, outcome.answered, outcome.corrected,
        outcome.unacknowledged, outcome.undelivered, outcome.unread, len(group.kills),
    )  # fmt: skip
    return outcome, group


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("processes", [2, 3])
async def test_kills_every_few_seconds_lose_none_of_2000_questions(
    busy_discord: LocalDiscord, tmp_path: Path, postgres_address: str, processes: int
) -> None:
    outcome, group = await rounds(
        busy_discord,
        tmp_path,
        postgres_address,
        processes=processes,
        questions=2000,
        people=80,
        every_s=8,
    )
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.final == 2000
    assert len(group.kills) >= 10
    busy_discord.assert_clean()


@pytest.mark.alone
async def test_bots_serve_on_after_postgresql_was_killed(
    busy_discord: LocalDiscord, tmp_path: Path
) -> None:
    discord = busy_discord
    guilds = guilds_on_all_shards(discord, 2)
    with running_server() as server:
        async with bots(discord, tmp_path, server.new_schema(), 2, shards=2, here=1) as two:
            await two.start()
            await discord.wait_for(lambda: any("spare" in line for line in two.logs), 60)
            sessions = set(discord.gateway.sessions)
            server.kill()
            await asyncio.sleep(3)
            channel = guilds[0].channel("music")
            used = await discord.you.slash("genre", {"clip": clip()}, channel=channel)
            said = visible_text(await used.wait_until(is_final, 20))
            assert "Jazz" in said or UNAVAILABLE in said, "an answer or a sentence meanwhile"
            named = await discord.you.slash("library list", channel=channel)
            said = visible_text(await named.wait_until(is_final, 20))
            assert UNAVAILABLE in said, "what needs the database says so"
            await asyncio.to_thread(server.start)
            await asyncio.sleep(5)
            for guild in guilds:
                used = await discord.you.slash(
                    "genre", {"clip": fresh_clip()}, channel=guild.channel("music")
                )
                await wait_text(used, "Jazz", 60)
            assert len(two.running) == 3, "the spare too"
            assert all(process.returncode is None for process in two.running)
            assert set(discord.gateway.sessions) == sessions, "no shard changed its process"
    discord.assert_clean()
