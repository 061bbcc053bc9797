"""Kills at random of bots, a Dask worker, its scheduler and PostgreSQL: nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from bot.local_discord import LocalDiscord, Person, visible_text
from bot.local_discord.identify_limit import IdentifyLimit
from bot.local_discord.state import Guild
from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from genrec.cluster import ClusterClient
from genrec.errors import GenrecError
from tests.bot.end_to_end.crowd import WORDS, Crowd
from tests.bot.end_to_end.shared_bots import Bots, bots, guilds_on_all_shards, shard_of
from tests.bot.end_to_end.test_killed import is_final
from tests.dask_cluster import DIMENSION, LABELS, MODEL, DaskCluster
from tests.db.postgres_server import PostgresServer, running_server

log = logging.getLogger(__name__)

EVERY_S = 5.0
SHARDS = 4
VICTIMS = ("first bot", "second bot", "worker", "scheduler", "PostgreSQL")
TASK = "db.cluster_worker:run_task"
# A killed server loses no commit: what it wrote is with the kernel.
OPTIONS = ("fsync=off", "full_page_writes=off")
REPEATED = 5  # more kills of PostgreSQL at most, until somebody of each language read of it
# The sentences of an indexing run whose cluster, database or lock a kill took.
OF_KILLS = re.compile(
    r"The connection to the cluster at \S+ is lost: .*"
    r"|The scheduler of the cluster at \S+ (is gone|cannot be reached \(.*\)): .*"
    r"|The cluster at \S+ has no workers: .*"
    r"|Each worker of the cluster that had one of the tasks was lost, .*"
    r"|The catalogue \S+ (cannot be reached|did not respond in time): .*"
    r"|The scope \S+ is being indexed already: .*"
    r"|Another run has indexed the scope \S+ since this one began: .*"
    r"|The connection that kept other runs of the scope \S+ away broke, .*"
)


@pytest.fixture
async def busy_discord() -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(ack_deadline_s=5) as local:
        local.gateway.identify_limit = IdentifyLimit(max_concurrency=16, interval_s=5.0)
        yield local


class NoAnalyzer:
    """Fails if a file is analysed here."""

    async def analyze(self, path: Path, section: object = None) -> object:
        raise AssertionError(path)


@dataclass
class Indexing:
    """Runs of an index on the cluster, one after the other, each with more files."""

    address: str
    cluster: DaskCluster
    folder: Path
    files: int = 0
    complete: int = 0
    sentences: list[str] = field(default_factory=list)

    async def run_until(self, enough: asyncio.Event) -> None:
        """Index until the event is set, and then once more to the end."""
        while not enough.is_set():
            self._add_files(40)
            await self._repeat_until_complete()

    def _add_files(self, count: int) -> None:
        self.folder.mkdir(exist_ok=True)
        for number in range(self.files, self.files + count):
            (self.folder / f"Artist - Song {number:04}.wav").write_text(f"ok {number} 0.1")
        self.files += count

    async def _repeat_until_complete(self) -> None:
        """Start a run again after each sentence; one more than 40 times is stuck."""
        for _ in range(40):
            try:
                await self._index()
            except GenrecError as error:
                self.sentences.append(str(error))
                await asyncio.sleep(1)
            else:
                self.complete += 1
                return
        raise AssertionError(self.sentences[-40:])

    async def _index(self) -> None:
        job = IngestJob(folder=self.folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
        environment = {"PYTHONPATH": self.cluster.environment["PYTHONPATH"]}
        async with (
            open_db(self.address) as db,
            ClusterClient(self.cluster.address, TASK, environment=environment) as client,
        ):
            report = await ingest(db, NoAnalyzer(), job, cluster=client)  # type: ignore[arg-type]
            assert report.failures == []
            rows = await Catalogue(db).browse(MODEL, "library", limit=100_000)
            titles = sorted(row.title for row in rows)
            assert titles == [f"Song {number:04}" for number in range(self.files)]
            left = "SELECT count(*) FROM generation WHERE state = 'building' AND tracks > 0"
            assert not await db.number(left)


@dataclass
class Rounds:
    """Kills in rounds, each of a victim drawn at random that is started again at once."""

    group: Bots
    cluster: DaskCluster
    server: PostgresServer
    guilds: list[Guild]
    curious: list[Person]
    dice: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    async def kill(self, rounds: int) -> None:
        """Kill in so many rounds, each victim at least once; then wait for all shards."""
        victims = list(VICTIMS)
        while len(victims) < rounds:
            victims.append(self.dice.choice(VICTIMS))
        self.dice.shuffle(victims)
        for done, victim in enumerate(victims):
            await asyncio.sleep(EVERY_S * self.dice.uniform(0.7, 1.3))
            await self.group.revive()
            log.info("round %d of %d: %s", done + 1, rounds, victim)
            await self._kill(victim)
            self.killed[victim] += 1
        await self._recover()
        await self._repeat_until_told()

    async def _recover(self) -> None:
        await asyncio.sleep(EVERY_S)
        await self.group.revive()
        await self.group.all_connected(120)

    async def _repeat_until_told(self) -> None:
        """Kill PostgreSQL again until each language was told: without a bot nobody is."""
        while set(self.told) != set(WORDS) and self.repeated < REPEATED:
            self.repeated += 1
            await self._kill("PostgreSQL")
            await self._recover()

    async def _kill(self, victim: str) -> None:
        """Kill a process with signal 9, and start it again as a service manager does."""
        group, cluster = self.group, self.cluster
        if victim in VICTIMS[:2]:
            await self._one_serves()
            await group.end(group.running[VICTIMS.index(victim)], signal.SIGKILL)
            await group.start()
        elif victim == "worker":
            cluster.kill_worker(-1)
            cluster.start_worker()
        elif victim == "scheduler":
            cluster.kill_scheduler()
            port = int(cluster.address.rpartition(":")[2])
            await asyncio.to_thread(cluster.start_scheduler, port=port)
        else:
            await self._kill_database()

    async def _kill_database(self) -> None:
        await self._one_serves()
        outage = [time.monotonic(), float("inf")]
        self.group.outages.append(outage)
        self.server.kill()
        await asyncio.gather(*map(self._ask_while_down, self.curious))
        await asyncio.sleep(self.dice.uniform(0, 3))
        await asyncio.to_thread(self.server.start)
        outage[1] = time.monotonic() + 5  # until the pools have connections again

    async def _one_serves(self) -> None:
        """Wait until a bot has a shard: to kill what has just been started would try nothing."""
        discord = self.group.discord
        await discord.wait_for(lambda: discord.gateway.connected_shards, 60)

    async def _ask_while_down(self, who: Person) -> None:
        """Ask for what only the database knows, and read that it is out of reach."""
        discord = self.group.discord
        served = [g for g in self.guilds if shard_of(g, SHARDS) in discord.gateway.connected_shards]
        if not served:
            return
        used = await who.slash("recommend", {"track": "Song 1"}, channel=served[0].channel("music"))
        await discord.wait_for(lambda: used.acked_at or used.failed, 60)
        if used.acked_at is None:
            return  # its bot ended just then, which Discord says
        ended = len(self.group.ended_alone)
        await discord.wait_for(
            lambda: any(map(is_final, used.history)) or len(self.group.ended_alone) > ended, 60
        )
        said = [visible_text(message) for message in filter(is_final, used.history)]
        unavailable, *restart = WORDS[who.locale]
        if not said or (len(self.group.ended_alone) > ended and any(w in said[0] for w in restart)):
            return  # its bot ended; others correct what it left once the database is back
        assert unavailable in said[0]
        self.told[who.locale] += 1


@pytest.mark.parametrize("lucky", [1, 3, REPEATED + 1])
async def test_postgresql_is_killed_until_each_language_was_told(
    rng: random.Random, monkeypatch: pytest.MonkeyPatch, lucky: int
) -> None:
    monkeypatch.setitem(globals(), "EVERY_S", 0)
    killing = Rounds(AsyncMock(), AsyncMock(), AsyncMock(), [], [], rng)
    kills: list[str] = []

    async def kill(victim: str) -> None:
        kills.append(victim)
        if kills.count("PostgreSQL") > lucky:
            killing.told.update(WORDS)

    monkeypatch.setattr(killing, "_kill", kill)
    await killing.kill(len(VICTIMS))
    assert kills[len(VICTIMS) :] == ["PostgreSQL"] * min(lucky, REPEATED)
    assert set(killing.told) == (set(WORDS) if lucky <= REPEATED else set())


@pytest.mark.parametrize(
    "sentence",
    [
        "A worker of the cluster failed at a task: see its log.",
        "The source a.wav has a NUL character: rename the file, or leave it out.",
        "The catalogue test is damaged: restore a backup (pg_restore).",
    ],
)
def test_sentence_of_another_fault_is_none_of_a_kill(sentence: str) -> None:
    assert not OF_KILLS.fullmatch(sentence)


async def no_pending_reply(address: str) -> None:
    """Wait until each process has deleted its last pending replies; fail after 30 s."""
    async with open_db(address) as db, asyncio.timeout(30):
        while await db.number("SELECT count(*) FROM job"):  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.5)


@pytest.mark.alone
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=pytest.mark.slow)])
async def test_kills_at_random_lose_no_question_and_no_track(
    busy_discord: LocalDiscord, tmp_path: Path, rng: random.Random, rounds: int
) -> None:
    discord, temporary = busy_discord, tmp_path / "of_the_cluster"
    temporary.mkdir()
    guilds = guilds_on_all_shards(discord, SHARDS)
    people = [discord.person(f"p{number}") for number in range(8)]
    for who in people[::2]:
        who.locale = "de"
    curious, people = people[:2], people[2:]
    cluster = DaskCluster(tmp_path / "cluster", environment={"TMPDIR": str(temporary)})
    with running_server(OPTIONS) as server, cluster:
        cluster.wait_for(cluster.start_worker())
        indexing = Indexing(server.new_schema(), cluster, tmp_path / "music")
        address = server.new_schema()
        async with bots(discord, tmp_path, address, 2, shards=SHARDS) as group:
            crowd, enough = Crowd(group, guilds, people, pause_s=1), asyncio.Event()
            killing = Rounds(group, cluster, server, guilds, curious, rng)

            async def kill() -> None:
                try:
                    await killing.kill(rounds)
                finally:
                    enough.set()

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(kill())
                asking = tasks.create_task(crowd.ask_until(enough))
                tasks.create_task(indexing.run_until(enough))
            await crowd.settle()
            await no_pending_reply(address)
        # Dask keeps a folder for the worker and one for the scheduler.
        of_dask = [path for path in temporary.glob("*/*") if path.is_dir()]
    outcome = asking.result()
    log.info(
        "killed: %s; ended alone: %d; %s; %d tracks in %d runs, %d runs ended by a sentence;"
        " read while the database was down: %s (PostgreSQL killed again %d times)",
        dict(killing.killed), len(group.ended_alone), outcome, indexing.files, indexing.complete,
        len(indexing.sentences), dict(killing.told), killing.repeated,
    )  # fmt: skip
    assert killing.killed.total() == rounds
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.final > rounds
    assert set(killing.told) == set(WORDS)
    assert indexing.complete
    assert not [one for one in indexing.sentences if not OF_KILLS.fullmatch(one)]
    assert not list(group.temporary.iterdir()), "clips of killed bots"
    assert len(of_dask) <= 2, of_dask
    discord.assert_clean()
