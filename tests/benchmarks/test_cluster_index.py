"""CPU time of indexing on a Dask cluster of two workers, beside that of the local pool."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import pytest

from db.connection import open_db
from db.ingest.cluster_files import ClusterTasks
from db.ingest.run import IngestJob, ingest
from genrec.cluster import ClusterClient
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool
from tests import synth
from tests.dask_cluster import DaskCluster

TASK = "db.cluster_worker:run_task"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _folder(folder: Path, count: int, seconds: float) -> Path:
    folder.mkdir()
    first = synth.write(folder / "Band - Song 0.wav", synth.music(0, seconds, 48_000), 48_000)
    for number in range(1, count):
        path = folder / f"Band - Song {number}.wav"
        shutil.copy(first, path)
        with path.open("ab") as file:
            file.write(number.to_bytes(4, "little"))
    return folder


def _tree_s(pids: Sequence[int]) -> float:
    """Return CPU seconds of processes and of all that they started, ended ones included."""
    parents: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) * TICK_S
    wanted = set(pids)
    while more := {pid for pid, (parent, _) in parents.items() if parent in wanted} - wanted:
        wanted |= more
    return sum(parents[pid][1] for pid in wanted if pid in parents)


def _own_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _index(
    folder: Path, database: Path, preset: Preset, cluster: DaskCluster | None
) -> tuple[float, float]:
    """Return the CPU seconds of a run: in all its processes, and in this one."""
    job = IngestJob(
        folder=folder, model_id=preset.model_id, dimension=preset.dimension,
        labels=preset.labels, concurrency=4,
    )  # fmt: skip
    opened: AbstractAsyncContextManager[ClusterTasks | None] = nullcontext()
    others: list[int] = []
    if cluster is not None:
        opened = ClusterClient(cluster.address, TASK, environment={})
        assert cluster.scheduler is not None
        others = [cluster.scheduler.pid, *(worker.pid for worker in cluster.workers)]
    async with (
        open_db(database) as db,
        AnalysisPool(preset.folder, workers=4, expected_model_id=preset.model_id) as pool,
        opened as client,
    ):
        if client is None:
            await pool.warm()
        before, mine = _tree_s([os.getpid(), *others]), _own_s()
        report = await ingest(db, pool, job, cluster=client)
        used = _tree_s([os.getpid(), *others]) - before, _own_s() - mine
        assert report.failures == []
    return used


@pytest.mark.benchmark(group="10 index")
def test_cluster_index(
    preset: Preset, tmp_path: Path, timed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same files by the local pool of four processes and by two workers of two each."""
    count = 96 if timed else 4
    folder = _folder(tmp_path / "music", count, 30.0 if timed else 3.0)
    local = asyncio.run(_index(folder, tmp_path / "local.db", preset, None))
    with DaskCluster(tmp_path / "cluster", preset=preset.folder) as cluster:
        for place in [cluster.start_worker(analyzer=""), cluster.start_worker(analyzer="")]:
            cluster.wait_for(place)
        spread = asyncio.run(_index(folder, tmp_path / "cluster.db", preset, cluster))
    with capsys.disabled():
        for name, (total, mine) in (("local pool", local), ("two Dask workers", spread)):
            print(  # noqa: T201 - the figure
                f"\n{name}: {1000 * total / count:.0f} CPU ms a file, of which"
                f" {1000 * mine / count:.1f} in the process that stores",
                end="",
            )
        print()  # noqa: T201
    assert spread[1] < local[1] or not timed
