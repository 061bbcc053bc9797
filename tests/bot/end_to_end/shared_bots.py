"""Several bot processes that share one bot on the local Discord, and questions to all of them."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.jobs.recovery import REPAIR_EVERY_S
from bot.local_discord import LocalDiscord, Person, visible_text
from bot.local_discord.state import Channel, Guild
from bot.sharding import GRACE_S
from tests.bot.end_to_end.conftest import COMMANDS
from tests.bot.end_to_end.fakes import make_preset
from tests.bot.end_to_end.test_killed import fresh_clip, is_final

RUN_BOT = Path(__file__).parent / "run_bot.py"
OFFLINE_S = 60  # the longest time after a kill until its shards are served again
# By then every dead process was corrected by each of the others that would do it once more.
SETTLED_S = REPAIR_EVERY_S + GRACE_S + 4
UNAVAILABLE = "isn't available right now"
MENTION = "<@{}> what is this?"


@dataclass
class Kill:
    """When a bot was killed, and the shards that it served."""

    at: float
    shards: set[int]


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
    kills: list[Kill] = field(default_factory=list)
    outages: list[list[float]] = field(default_factory=list)  # of the database: begin, end
    logs: list[str] = field(default_factory=list)
    _reading: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def start(self) -> Process:
        """Start one more process."""
        if not (self.folder / "preset").exists():
            make_preset(self.folder / "preset")
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(RUN_BOT), self.discord.url, self.discord.token, str(self.folder),
            str(self.delay_s), str(self.shards), str(self.here), self.address,
            stderr=PIPE,
        )  # fmt: skip
        self.running.append(process)
        self._reading[process.pid] = asyncio.create_task(self._read(process))
        return process

    async def _read(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.logs.append(f"{process.pid} {line.decode().rstrip()}")

    async def end(self, process: Process, by: signal.Signals = signal.SIGTERM) -> None:
        """End a process by a signal, and note the shards that go offline at a kill."""
        before = Counter(self.discord.gateway.connected_shards)
        process.send_signal(by)
        await process.wait()
        await self._reading.pop(process.pid)
        self.running.remove(process)
        if by == signal.SIGKILL:
            kill = Kill(time.monotonic(), set())
            self.kills.append(kill)
            await asyncio.sleep(0.1)
            kill.shards |= set(before - Counter(self.discord.gateway.connected_shards))

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
                process.kill()
        for process in list(made.running):
            await process.wait()
            await made._reading[process.pid]
        (folder / "bots.log").write_text("\n".join(made.logs), encoding="utf-8")


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


@dataclass
class Outcome:
    """What became of one question."""

    answered: int = 0
    corrected: int = 0
    unavailable: int = 0
    unacknowledged: int = 0
    faults: list[str] = field(default_factory=list)


class Crowd:
    """People who ask one question after the other, on all shards and in direct messages."""

    def __init__(
        self, bots: Bots, guilds: list[Guild], people: list[Person], *, pause_s: float
    ) -> None:
        self._pause_s = pause_s
        self._bots = bots
        self._guilds = guilds
        self._people = people
        self.outcome = Outcome()
        self._counted: list[tuple[int, list[str], Callable[[], list[str]]]] = []

    async def ask(self, questions: int) -> Outcome:
        """Ask this many questions, shared among the people; a lost event is asked again."""
        left = itertools.count(questions, -1)
        await asyncio.gather(*(self._one_person(who, left) for who in self._people))
        return self.outcome

    async def ask_until(self, enough: asyncio.Event) -> Outcome:
        """Ask one question after the other until the event is set."""
        left = iter(lambda: not enough.is_set(), None)
        await asyncio.gather(*(self._one_person(who, left) for who in self._people))
        return self.outcome

    async def settle(self) -> None:
        """Look at every answer again after all repairs: none is doubled or overwritten."""
        await asyncio.sleep(SETTLED_S)
        for shard, before, texts in self._counted:
            if (now := texts()) != before:
                self.outcome.faults.append(f"shard {shard}: {before} became {now}")

    async def _one_person(self, who: Person, left: Any) -> None:
        dice = random.Random(who.user.id)
        while next(left) > 0:
            guild = dice.choice([None, *self._guilds])
            place: Channel | str = "dm" if guild is None else guild.channel("music")
            shard = shard_of(guild, self._bots.shards)
            if dice.random() < 0.3:
                await self._upload(who, place, shard)
            else:
                await self._slash(who, place, shard)
            await asyncio.sleep(self._pause_s * dice.uniform(0.5, 1.5))

    async def _slash(self, who: Person, place: Channel | str, shard: int) -> None:
        while True:
            asked = time.monotonic()
            used = await who.slash("genre", {"clip": fresh_clip()}, channel=place)
            await self._bots.discord.wait_for(lambda one=used: one.acked_at or one.failed, 60)
            if used.acked_at is not None:
                break
            self.outcome.unacknowledged += 1
            if not self._killed(asked - OFFLINE_S, shard):
                self.outcome.faults.append(f"no acknowledgement of shard {shard}, without a kill")
            await asyncio.sleep(0.5)
        try:
            await used.wait_until(is_final, 90)
        except TimeoutError:
            self.outcome.faults.append(f"shard {shard}: no answer to {used.original}")
            return
        self._count(lambda: list(map(visible_text, filter(is_final, used.history))), asked, shard)

    async def _upload(self, who: Person, place: Channel | str, shard: int) -> None:
        bot_id = self._bots.discord.state.bot.id
        while True:
            asked = time.monotonic()
            sent = await who.say(MENTION.format(bot_id), uploads=[fresh_clip()], channel=place)

            def replies(sent: Any = sent) -> list[Any]:
                return [
                    message
                    for message in who.messages(place)
                    if (message.get("message_reference") or {}).get("message_id") == sent["id"]
                ]

            try:
                await self._bots.discord.wait_for(replies, 8)
                break
            except TimeoutError:  # Discord sends nothing again to a bot that was offline
                self.outcome.unacknowledged += 1
                if not self._killed(asked - OFFLINE_S, shard):
                    self.outcome.faults.append(f"no reply of shard {shard}, without a kill")
        try:
            await self._bots.discord.wait_for(lambda: any(map(is_final, replies())), 90)
        except TimeoutError:
            self.outcome.faults.append(f"shard {shard}: no answer to an upload: {replies()}")
            return
        await asyncio.sleep(0.3)
        self._count(lambda: [visible_text(message) for message in replies()], asked, shard)

    def _count(self, texts: Callable[[], list[str]], asked: float, shard: int) -> None:
        finals = texts()
        self._counted.append((shard, finals, texts))
        if len(finals) != 1:
            self.outcome.faults.append(f"shard {shard}: answered {len(finals)} times: {finals}")
        elif "jazz" in finals[0].lower():
            self.outcome.answered += 1
        elif UNAVAILABLE in finals[0] and any(end >= asked for _, end in self._bots.outages):
            self.outcome.unavailable += 1
        elif "restarted" not in finals[0]:
            self.outcome.faults.append(f"shard {shard}: {finals[0]}")
        elif not self._killed(asked, shard):
            self.outcome.faults.append(f"shard {shard}: an apology without a kill: {finals[0]}")
        else:
            self.outcome.corrected += 1

    def _killed(self, since: float, shard: int) -> bool:
        return any(kill.at >= since and shard in kill.shards for kill in self._bots.kills)
