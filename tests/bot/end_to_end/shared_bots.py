"""Several bot processes that share one bot on the local Discord, and questions to all of them."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.local_discord import LocalDiscord
from bot.local_discord.state import Guild
from tests.bot.end_to_end.conftest import COMMANDS
from tests.bot.end_to_end.fakes import make_preset

RUN_BOT = Path(__file__).parent / "run_bot.py"
# A bot logs this before it connects the shards that it took,
TAKEN = re.compile(r"shards taken: ([\d,-]+) ")
# and this before it apologises for its questions and leaves Discord. Its process ends later.
ENDS = "lease lost for good"


@dataclass
class End:
    """A kill of a bot, or its end by itself: its begin and end, and the shards that it had taken.

    A kill begins with its signal, and an end by itself when the bot says that it lost a lease.
    """

    since: float
    shards: set[int]
    until: float = math.inf


@dataclass
class Bots:
    """Bot processes of one bot with some shards; ``here`` is what each takes at most."""

    discord: LocalDiscord
    folder: Path
    address: str
    shards: int
    here: int = 0
    delay_s: float = 0.2
    running: list[Process] = field(default_factory=list)
    kills: list[End] = field(default_factory=list)
    ended_alone: list[End] = field(default_factory=list)
    outages: list[list[float]] = field(default_factory=list)  # of the database: begin, end
    logs: list[str] = field(default_factory=list)
    _reading: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _signalled: set[int] = field(default_factory=set)
    _taken: dict[int, set[int]] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        """The folder of the processes' temporary files."""
        return self.folder / "temporary"

    async def start(self) -> Process:
        """Start one more process."""
        if not (self.folder / "preset").exists():
            make_preset(self.folder / "preset")
        self.temporary.mkdir(exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(RUN_BOT), self.discord.url, self.discord.token, str(self.folder),
            str(self.delay_s), str(self.shards), str(self.here), self.address,
            stderr=PIPE, env={**os.environ, "TMPDIR": str(self.temporary)},
        )  # fmt: skip
        self.watch(process)
        return process

    def watch(self, process: Process) -> None:
        """Read the log of a process, and note its shards and its end."""
        self.running.append(process)
        self._taken[process.pid] = set()
        self._reading[process.pid] = asyncio.create_task(self._read(process))

    async def _read(self, process: Process) -> None:
        assert process.stderr is not None
        shards, alone = self._taken[process.pid], None
        async for line in process.stderr:
            text = line.decode().rstrip()
            self.logs.append(f"{process.pid} {text}")
            if taken := TAKEN.search(text):
                shards |= numbers(taken[1])
            if alone is None and ENDS in text:
                alone = End(time.monotonic(), shards)
                self.ended_alone.append(alone)
        if alone is None and process.pid not in self._signalled:
            alone = End(time.monotonic(), shards)
            self.ended_alone.append(alone)
        if alone is not None:
            alone.until = time.monotonic()

    async def end(self, process: Process, by: signal.Signals = signal.SIGTERM) -> None:
        """End a process by a signal; a kill is noted before it is sent."""
        kill = End(time.monotonic(), self._taken[process.pid])
        if by == signal.SIGKILL:
            self.kills.append(kill)
        self._signalled.add(process.pid)
        if process.returncode is None:
            process.send_signal(by)
        await process.wait()
        await self._reading.pop(process.pid)
        self.running.remove(process)
        kill.until = time.monotonic()

    async def revive(self) -> int:
        """Start anew what ended by itself, as a service manager does; return how many."""
        ended = [process for process in self.running if process.returncode is not None]
        for process in ended:
            await self._reading.pop(process.pid)
            self.running.remove(process)
            await self.start()
        return len(ended)

    async def all_connected(self, timeout_s: float = 60) -> None:
        """Wait until each shard has one session."""
        expected = list(range(self.shards))
        await self.discord.wait_for(
            lambda: self.discord.gateway.connected_shards == expected, timeout_s
        )


@asynccontextmanager
async def bots(
    discord: LocalDiscord, folder: Path, address: str, count: int, **options: Any
) -> AsyncIterator[Bots]:
    """Start processes on a PostgreSQL database, yield them once connected, and end them."""
    made = Bots(discord, folder, address, **options)
    try:
        for _ in range(count):
            await made.start()
        await made.all_connected()
        await discord.wait_commands(*COMMANDS, timeout_s=60)
        yield made
    finally:
        for process in list(made.running):
            if process.returncode is None:
                made._signalled.add(process.pid)
                process.kill()
        for process in list(made.running):
            await process.wait()
            await made._reading[process.pid]
        (folder / "bots.log").write_text("\n".join(made.logs), encoding="utf-8")


def numbers(spans: str) -> set[int]:
    """Return the numbers of a text such as "0-3,7"."""
    ends = (span.split("-") for span in spans.split(","))
    return {number for span in ends for number in range(int(span[0]), int(span[-1]) + 1)}


def guilds_on_all_shards(discord: LocalDiscord, shards: int) -> list[Guild]:
    """Return guilds, one for each shard, and add those that are missing."""
    found: dict[int, Guild] = {}
    for number in itertools.count():
        guild = discord.guild if number == 0 else discord.add_guild(f"Server {number}")
        found.setdefault(shard_of(guild, shards), guild)
        if len(found) == shards:
            return [found[shard] for shard in range(shards)]
        time.sleep(0.001)  # ids count milliseconds
    raise AssertionError("unreachable")


def shard_of(guild: Guild | None, shards: int) -> int:
    return (int(guild.id) >> 22) % shards if guild else 0
