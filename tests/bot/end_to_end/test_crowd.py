"""What a person meets while a bot ends is excused by that end, also before the bot is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord
from tests.bot.end_to_end import crowd
from tests.bot.end_to_end.crowd import WORDS, Asked, Crowd
from tests.bot.end_to_end.shared_bots import ENDS, Bots, numbers

# A bot that has shards 0, 1 and 3 and says what it reads. Its child has its standard error too, so
# that the end of a kill is seen only once the child has ended, as late as on a busy machine.
BOT = """
import subprocess, sys
def say(text):
    print(text, file=sys.stderr, flush=True)
child = subprocess.Popen(["sleep", "20"])
say(f"shards taken: 0-1,3 (3 of 4), child {child.pid}")
for line in sys.stdin:
    say(line.strip())
"""
APOLOGY = "The bot restarted while it was analysing this clip. Please try again."


@pytest.fixture(autouse=True)
def _no_repairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "SETTLED_S", 0)


@pytest.fixture
def group(discord: LocalDiscord, tmp_path: Path) -> Bots:
    return Bots(discord, tmp_path, "", 4)


@pytest.fixture
def people(group: Bots) -> Crowd:
    return Crowd(group, [], [], pause_s=0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the log of a process sets no event
            await asyncio.sleep(0.01)


async def started(group: Bots) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, stdin=PIPE, stderr=PIPE
    )
    group.watch(process)
    await until(lambda: group.logs)
    return process


def end_child(group: Bots) -> None:
    os.kill(int(group.logs[0].rpartition(" ")[2]), signal.SIGKILL)


async def asked_while_killed(group: Bots, people: Crowd, shard: int) -> list[str]:
    """Kill a bot, post an upload on a shard before the kill is over, and return the faults."""
    process = await started(group)
    killing = asyncio.create_task(group.end(process, signal.SIGKILL))
    await asyncio.sleep(0)
    asking = asyncio.create_task(people._upload(group.discord.you, "dm", shard))
    await until(lambda: people.outcome.undelivered)
    assert not killing.done()
    end_child(group)
    await killing
    asking.cancel()
    await people.settle()
    return people.outcome.faults


@pytest.mark.parametrize("shard", [0, 1, 3])
async def test_upload_that_finds_no_bot_while_its_bot_is_killed(
    group: Bots, people: Crowd, shard: int
) -> None:
    assert await asked_while_killed(group, people, shard) == []
    assert people.outcome.undelivered == 1


async def test_upload_that_finds_no_bot_while_another_shards_bot_is_killed(
    group: Bots, people: Crowd
) -> None:
    [fault] = await asked_while_killed(group, people, 2)
    assert "no bot had the shard, without a kill" in fault
    assert fault.endswith("(ends of bots of the shard, in s after it: none)")


def apology_read(people: Crowd, shard: int, text: str = APOLOGY, locale: str = "en-US") -> None:
    message = {"components": [{"type": 10, "content": text}]}
    people._count(Asked(time.monotonic() - 0.1, shard, locale, lambda: [message]))


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en-US", APOLOGY),
        ("en-US", "The bot is restarting. Try again in a minute."),
        ("de", "Der Bot wurde neu gestartet, während er diesen Clip analysierte."),
        ("de", "Der Bot startet neu. Versuch es in einer Minute noch einmal."),
    ],
)
async def test_apology_of_a_bot_that_has_not_ended_yet(
    group: Bots, people: Crowd, locale: str, text: str
) -> None:
    process = await started(group)
    assert process.stdin is not None
    process.stdin.write(f"{ENDS}: shard:0/4\n".encode())
    await until(lambda: group.ended_alone)
    apology_read(people, 0, text, locale)
    end_child(group)
    await group.end(process, signal.SIGKILL)
    await people.settle()
    assert people.outcome.faults == []
    assert people.outcome.corrected == 1


@pytest.mark.parametrize("shard", [1, 2])
async def test_apology_before_the_kill_or_of_another_shard(
    group: Bots, people: Crowd, shard: int
) -> None:
    process = await started(group)
    if shard == 1:
        apology_read(people, shard)
    end_child(group)
    await group.end(process, signal.SIGKILL)
    if shard == 2:
        apology_read(people, shard)
    await people.settle()
    [fault] = people.outcome.faults
    assert fault.startswith(f"shard {shard}, asked 0.1 s ago: an apology without a kill: {APOLOGY}")


async def test_bot_that_ends_by_itself_without_a_word_is_noted(group: Bots) -> None:
    process = await started(group)
    assert process.stdin is not None
    process.stdin.close()
    end_child(group)
    await process.wait()
    await until(lambda: group.ended_alone)
    [end] = group.ended_alone
    assert end.shards == {0, 1, 3}
    assert end.since <= end.until < time.monotonic()
    assert group.kills == []


def test_each_language_of_the_people_has_its_words() -> None:
    assert {len(words) for words in WORDS.values()} == {3}


def test_numbers_of_spans() -> None:
    assert numbers("0-2,5,7-8") == {0, 1, 2, 5, 7, 8}
