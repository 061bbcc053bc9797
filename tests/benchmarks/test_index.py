"""Speed of indexing a music folder: files a second, and a multiple of real time."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from db.connection import open_db
from db.ingest.run import IngestJob, IngestReport, ingest
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool
from tests import synth

KINDS = ("mp3", "flac", "ogg", "m4a", "webm", "wav")
STYLES = 4


@pytest.mark.benchmark(group="10 index")
def test_index(
    benchmark: BenchmarkFixture,
    preset: Preset,
    tmp_path: Path,
    timed: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Six formats, two lengths; copies differ in trailing bytes, so each file is analysed."""
    folder = tmp_path / "music"
    count = _folder(folder, 240 if timed else 6, (30.0, 180.0) if timed else (3.0,))
    report = benchmark.pedantic(
        lambda: asyncio.run(_index(folder, tmp_path / "genrec.db", preset)), rounds=1
    )
    assert (report.analyzed, report.failures) == (count, [])
    rate, faster = report.analyzed / report.seconds, report.music_s / report.seconds
    benchmark.extra_info |= {"files": count, "files_per_s": rate, "real_time_factor": faster}
    with capsys.disabled():
        sys.stdout.write(f"\n{count} files: {rate:.1f} a second, {faster:.0f} times real time\n")


def _folder(folder: Path, count: int, lengths: tuple[float, ...]) -> int:
    """Write each format and length once, then copies with different trailing bytes."""
    folder.mkdir()
    originals = []
    for number, kind in enumerate(KINDS):
        for seconds in lengths:
            y = synth.music(number % STYLES, seconds, 48000)
            originals.append(synth.write(folder / f"{kind} {seconds:.0f}.{kind}", y, 48000, kind))
    for number in range(count - len(originals)):
        original = originals[number % len(originals)]
        copy = shutil.copy2(original, folder / f"{number} {original.name}")
        with Path(copy).open("ab") as file:
            file.write(number.to_bytes(4, "big"))
    return max(count, len(originals))


async def _index(folder: Path, database: Path, preset: Preset) -> IngestReport:
    async with open_db(database) as db, AnalysisPool(preset.folder, workers=2) as pool:
        await pool.warm()
        job = IngestJob(
            folder=folder,
            model_id=preset.model_id,
            dimension=preset.dimension,
            labels=preset.labels,
            concurrency=pool.size,
        )
        return await ingest(db, pool, job)
