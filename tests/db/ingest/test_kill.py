"""Tests of kill -9 during an indexing run: one whole generation stays, and no analysis is lost."""

from __future__ import annotations

import hashlib
import math
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill
from tests.db.ingest.indexing_child import CONCURRENCY

ROOT = Path(__file__).parents[3]
Contents = Mapping[str, str]


def _contents(folder: Path) -> Contents:
    return {str(path): _sha256(path) for path in folder.iterdir()}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _start(
    database: Path, folder: Path, log: Path, analyses: float = math.inf
) -> subprocess.Popen[str]:
    child = "tests.db.ingest.indexing_child"
    command = [sys.executable, "-m", child, database, folder, log, analyses]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _kill(process: subprocess.Popen[str]) -> int:
    process.kill()
    assert process.stdout is not None
    process.stdout.close()
    return process.wait()


def _calls(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _wait_for_calls(process: subprocess.Popen[str], log: Path, count: int) -> None:
    """Wait until ``count`` analyses have started or the process has ended."""
    deadline = time.monotonic() + 30
    while process.poll() is None and len(_calls(log)) < count:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.001)


class _RawDatabase:
    """Reads the database with sqlite3, without the code under test."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def active_tracks(self) -> Contents:
        connection = sqlite3.connect(self.database)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            active = connection.execute(
                "SELECT id, tracks FROM generation WHERE state = 'active'"
            ).fetchall()
            assert len(active) <= 1
            rows = connection.execute(
                "SELECT t.source, m.content FROM generation AS g"
                " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
                " JOIN embedding AS m ON m.id = e.embedding_id WHERE g.state = 'active'"
                " AND e.gone_at IS NULL"
            ).fetchall()
            assert len(rows) == sum(tracks for _, tracks in active)
            return dict(rows)
        finally:
            connection.close()

    def analysed(self) -> set[str]:
        connection = sqlite3.connect(self.database)
        try:
            return {content for (content,) in connection.execute("SELECT content FROM embedding")}
        finally:
            connection.close()


def _change(folder: Path, chance: random.Random, turn: int) -> None:
    files = sorted(folder.iterdir())
    for path in chance.sample(files, 4):
        path.write_bytes(f"another recording {turn} {path}".encode())
    for path in chance.sample(files, 3):
        path.unlink()
    fill(folder, 12, start=1000 * (turn + 1))


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(280)
def test_each_of_thirty_kills_leaves_a_whole_generation(tmp_path: Path) -> None:
    chance = random.Random(7)
    folder, database, log = tmp_path / "music", tmp_path / "a.db", tmp_path / "calls"
    fill(folder, 40)
    raw = _RawDatabase(database)
    before: Contents = {}
    every = set(_contents(folder).values())
    switches = kills = 0
    for turn in range(30):
        wanted = _contents(folder)
        analysed = raw.analysed() if turn else set()
        todo = len(set(wanted.values()) - analysed)
        seen = len(_calls(log))
        # Every second kill comes during the analyses, which hang there. The others come around the
        # activation at the end, where a fast machine may finish first.
        during = turn % 2 == 1 and todo > 0
        goal = chance.randrange(todo) if during else todo
        process = _start(database, folder, log, goal if during else math.inf)
        _wait_for_calls(process, log, seen + goal)
        time.sleep(chance.random() * 0.08)
        killed = _kill(process) != 0
        assert killed or not during
        kills += killed
        calls = [wanted[path] for path in _calls(log)[seen:]]
        assert not analysed & set(calls), "stored analyses are not repeated"
        assert len(calls) == len(set(calls))
        active = raw.active_tracks()
        assert active in (before, wanted), "the old generation or the new one, whole"
        if active == wanted:
            switches += active != before
            _change(folder, chance, turn)
        elif turn % 5 == 4 or set(wanted.values()) <= raw.analysed():
            _change(folder, chance, turn)  # also between an interrupted run and the next
        every |= set(_contents(folder).values())
        before = active
    assert kills >= 15  # every second turn
    assert switches >= 3
    assert len(_calls(log)) <= len(every) + kills * CONCURRENCY


@pytest.mark.alone
@pytest.mark.slow
async def test_run_after_a_kill_is_not_locked_and_resumes(tmp_path: Path) -> None:
    folder, database, log = tmp_path / "music", tmp_path / "a.db", tmp_path / "calls"
    fill(folder, 200)
    process = _start(database, folder, log)
    _wait_for_calls(process, log, 60)
    assert _kill(process) == -9
    begun = _calls(log)
    analyzer = FakeAnalyzer()
    job = IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    async with open_db(database) as db:
        assert await Catalogue(db).count(MODEL) == 0
        report = await ingest(db, analyzer, job)
        assert report.tracks == await Catalogue(db).count(MODEL) == 200
    assert 60 - CONCURRENCY <= report.resumed <= len(begun)
    assert report.resumed + len(analyzer.calls) == 200
