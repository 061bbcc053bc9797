"""Start time and memory of the command line and of the pool's workers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool
from tests import synth
from tests.benchmarks.figures import RecordFigure
from tests.benchmarks.process import memory_mb


@pytest.mark.benchmark(group="5 start")
def test_recommend_from_cold_shell(
    benchmark: BenchmarkFixture,
    clips: dict[str, Path],
    tmp_path: Path,
    timed: bool,
    record_figure: RecordFigure,
) -> None:
    """`genrec recommend` in a new process with an empty database."""
    code = "from bot.cli.main import main; main()"
    command = [sys.executable, "-c", code, "recommend", str(clips["mp3"])]

    def recommend(number: int) -> str:
        environment = {**os.environ, "GENREC_DATABASE": str(tmp_path / f"{number}.db")}
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    numbers = iter(range(10))
    out = benchmark.pedantic(lambda: recommend(next(numbers)), rounds=5 if timed else 1)
    assert "Similarity" in out
    if timed:
        cold_s = benchmark.stats.stats.median
        record_figure(
            "`genrec recommend`, cold shell, empty database",
            "2.5 s",
            f"{cold_s:.2f} s",
            cold_s < 2.5,
        )


@pytest.mark.benchmark(group="5 start")
@pytest.mark.parametrize("workers", [1, 2])
def test_pool_start_memory_and_rate(
    benchmark: BenchmarkFixture,
    clips: dict[str, Path],
    preset: Preset,
    workers: int,
    timed: bool,
    record_figure: RecordFigure,
) -> None:
    """Time a pool from its start to its last analysis; record start, memory and clips a second."""
    paths = [clips["mp3"]] * (40 if timed else 2)
    figures = benchmark.pedantic(
        lambda: asyncio.run(_serve(preset.folder, workers, paths)), rounds=1
    )
    benchmark.extra_info |= figures
    assert figures["analysed"] == len(paths)
    first_s, mb = figures["first_answer_s"], figures["worker_mb"]
    if workers == 1:
        record_figure("memory of a worker at its peak", "250 MB", f"{mb:.0f} MB", mb < 250)
        record_figure(
            "start of a worker to its first answer", "1.5 s", f"{first_s:.2f} s", first_s < 1.5
        )


@pytest.mark.benchmark(group="5 start")
@pytest.mark.timeout(900)
def test_worker_memory_stays_flat_over_many_clips(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    preset: Preset,
    timed: bool,
    record_figure: RecordFigure,
) -> None:
    """Memory of one worker that is never replaced, after many short clips against a few."""
    kinds = ("mp3", "m4a", "flac", "webm")
    paths = [
        synth.write(tmp_path / kind, synth.music(0, 2.0, 48000), 48000, kind) for kind in kinds
    ]
    few, many = (1_000, 20_000) if timed else (4, 8)
    early, late = benchmark.pedantic(
        lambda: asyncio.run(_many(preset.folder, paths, few, many)), rounds=1
    )
    benchmark.extra_info |= {"early_mb": early, "late_mb": late, "clips": many}
    text = f"{late:.0f} MB after {many:,}, {early:.0f} MB after {few:,}"
    record_figure("memory of a worker over many clips", "flat", text, late <= 1.05 * early)
    if timed:
        assert late <= 1.05 * early


async def _many(folder: Path, paths: list[Path], few: int, many: int) -> tuple[float, float]:
    async with AnalysisPool(folder, workers=1, max_jobs=many + 1) as pool:
        taken = []
        for count in (few, many - few):
            await _analyze_all(pool, [paths[i % len(paths)] for i in range(count)])
            taken.append(max((memory_mb(pid, "VmRSS:") for pid in pool.pids), default=0.0))
        assert pool.stats.started == 1
    return taken[0], taken[1]


async def _analyze_all(pool: AnalysisPool, paths: list[Path]) -> None:
    """Analyse clips with one more task than the pool has workers, so that none is idle."""
    todo = iter(paths)

    async def analyze_rest() -> None:
        for path in todo:
            await pool.analyze(path)

    await asyncio.gather(*(analyze_rest() for _ in range(pool.size + 1)))


async def _serve(folder: Path, workers: int, paths: list[Path]) -> dict[str, float]:
    start = time.perf_counter()
    async with AnalysisPool(folder, workers=workers) as pool:
        await pool.warm()
        await pool.analyze(paths[0])
        first_s = time.perf_counter() - start
        start = time.perf_counter()
        await _analyze_all(pool, paths)
        clips_per_s = len(paths) / (time.perf_counter() - start)
        memory = max((memory_mb(pid) for pid in pool.pids), default=0.0)
        assert pool.stats.done == len(paths) + 1
    return {
        "first_answer_s": first_s,
        "clips_per_s": clips_per_s,
        "worker_mb": memory,
        "analysed": len(paths),
    }
