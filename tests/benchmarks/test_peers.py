"""Time of an answer against a naive baseline and bliss-audio: same file, same core, same run."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.runtimes import choose_runtime
from genrec.types import Runtime
from genrec.workers import sandbox
from tests.benchmarks.figures import LeaveOut, RecordFigure
from tests.benchmarks.peer import LeftOutError, Seconds, clip_process, python
from tests.benchmarks.process import one_core
from tests.repository import ROOT

TRACKS = 1_000
SIDE = 224
PROCESSES = 4
DIMENSION = 512


def fill(database: Path, *, timed: bool) -> None:
    """Write the library of the naive baseline: one BLOB a track."""
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE track (id INTEGER PRIMARY KEY, vector BLOB)")
        shape = (TRACKS if timed else 20, DIMENSION)
        rows = np.random.default_rng(1).normal(size=shape).astype("<f4")
        db.executemany("INSERT INTO track (vector) VALUES (?)", [(row.tobytes(),) for row in rows])


def genrec(runtime: Runtime, timed: bool) -> AbstractContextManager[Seconds]:
    """Return genrec's way: a warm worker with the default preset, and one search."""
    arguments = (ROOT / "models" / "resnet50", TRACKS if timed else 20, runtime)
    command = python("-m", "tests.benchmarks.worker", *arguments)
    return clip_process("genrec", command, sandbox.environment())


def in_turn(
    benchmark: BenchmarkFixture, ways: dict[str, Seconds], path: Path, rounds: int
) -> dict[str, float]:
    """Time all on the same clip in turn, after one untimed answer; return medians in ms by name."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(path)

    def each() -> None:
        for name, way in ways.items():
            taken[name].append(way(path))

    benchmark.pedantic(each, rounds=rounds)
    medians = {name: 1000 * float(np.median(seconds)) for name, seconds in taken.items()}
    benchmark.extra_info |= {f"{name}_ms": ms for name, ms in medians.items()}
    return medians


@pytest.mark.benchmark(group="9 peers")
def test_answer_against_naive_baseline(
    benchmark: BenchmarkFixture,
    clips: dict[str, Path],
    tmp_path: Path,
    timed: bool,
    record_figure: RecordFigure,
) -> None:
    """Several processes: Keras' ``predict`` takes 170 ms on one core in some, 330 ms in others."""
    pytest.importorskip("keras")
    database = tmp_path / "naive.db"
    fill(database, timed=timed)
    chosen = choose_runtime("auto")
    runtimes = list(dict.fromkeys((chosen, "litert")))
    command = python("-m", "tests.benchmarks.naive", database, SIDE if timed else 32)
    with one_core(), ExitStack() as stack:
        ways = {name: stack.enter_context(genrec(name, timed)) for name in runtimes}
        for number in range(PROCESSES if timed else 1):
            ways[f"naive_{number}"] = stack.enter_context(clip_process("naive baseline", command))
        ms = in_turn(benchmark, ways, clips["mp3"], 10 if timed else 1)
    taken = sorted(each for name, each in ms.items() if name.startswith("naive"))
    answer_ms = ms[chosen]
    least, most = taken[0] / answer_ms, taken[-1] / answer_ms
    name = "warm answer to a 30 s MP3, one core"
    text = ", ".join(f"{ms[each]:.0f} ms with {each}" for each in runtimes)
    record_figure(name, "100 ms", text, answer_ms < 100)
    text = f"{least:.1f} to {most:.1f} times in {len(taken)} processes"
    record_figure("naive baseline, same core", "8 times as slow", text, least >= 8)
    assert min(ms.values()) > 0  # each way answered the clip


@pytest.mark.benchmark(group="9 peers")
def test_answer_against_bliss(
    benchmark: BenchmarkFixture,
    clips: dict[str, Path],
    timed: bool,
    record_figure: RecordFigure,
    leave_out: LeaveOut,
) -> None:
    """bliss-audio describes a song in 23 numbers for smart playlists, without learning."""
    command = python("-m", "tests.benchmarks.bliss")
    try:
        with (
            one_core(),
            genrec("auto", timed) as ours,
            clip_process("bliss-audio", command) as bliss,
        ):
            ways = {"genrec": ours, "bliss": bliss}
            ms = in_turn(benchmark, ways, clips["mp3"], 10 if timed else 1)
    except LeftOutError as error:
        leave_out(error)
        pytest.skip(str(error))
    text = f"{ms['bliss'] / ms['genrec']:.1f} times as fast ({ms['bliss']:.0f} ms)"
    met = ms["genrec"] < ms["bliss"]
    record_figure("bliss-audio, same track and core", "faster than it", text, met)
    assert min(ms.values()) > 0  # both answered the clip
