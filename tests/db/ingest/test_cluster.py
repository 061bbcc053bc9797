"""Tests of indexing on a Dask cluster: real schedulers, workers and sandboxed processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from db.connection import MEMORY, Database, open_db
from db.ingest.failures import load_failures
from db.ingest.run import IngestJob, IngestProgress, IngestReport, ingest
from db.tracks import Catalogue
from genrec.cluster import ClusterClient
from tests.dask_cluster import DIMENSION, LABELS, MODEL, DaskCluster

TASK = "db.cluster_worker:run_task"
BAD = {"do segv.wav": "segv", "do exit.wav": "exit 3", "do bug.wav": "bug", "do hang.wav": "hang"}


class NoAnalyzer:
    """Fails if a file is analysed here."""

    async def analyze(self, path: Path, section: object = None) -> object:
        raise AssertionError(path)


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Return a cluster of two workers that the tests of this module share."""
    with DaskCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        places = [cluster.start_worker(), cluster.start_worker()]
        for place in places:
            cluster.wait_for(place)
        yield cluster


@pytest.fixture
async def store() -> AsyncIterator[Database]:
    async with open_db(MEMORY) as database:
        yield database


def fill(folder: Path, count: int, *, seconds: float = 0.0) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"Artist - Song {number:03}.wav").write_text(f"ok {number} {seconds}")
    return folder


def add_bad(folder: Path) -> None:
    for name, command in BAD.items():
        (folder / name).write_text(command)


@asynccontextmanager
async def connected(cluster: DaskCluster) -> AsyncIterator[ClusterClient]:
    async with ClusterClient(
        cluster.address, TASK, environment={"PYTHONPATH": cluster.environment["PYTHONPATH"]}
    ) as client:
        yield client


async def index(
    db: Database, cluster: DaskCluster, folder: Path, progress: object = None, **changes: object
) -> IngestReport:
    job = IngestJob(
        **{
            "folder": folder, "model_id": MODEL, "dimension": DIMENSION, "labels": LABELS,
            **changes,
        }  # type: ignore[arg-type]
    )  # fmt: skip
    async with connected(cluster) as client:
        return await ingest(db, NoAnalyzer(), job, progress, cluster=client)  # type: ignore[arg-type]


async def titles(db: Database) -> list[str]:
    return sorted(each.title for each in await Catalogue(db).browse(MODEL, "library", limit=500))


async def test_cluster_analyses_a_folder_and_refuses_bad_files_alone(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 40)
    add_bad(folder)
    seen: list[IngestProgress] = []

    report = await index(store, shared_cluster, folder, seen.append)

    assert report.analyzed == 40
    assert {Path(each.path).name: each.code for each in report.failures} == {
        "do segv.wav": "worker_crashed", "do exit.wav": "worker_crashed",
        "do bug.wav": "worker_crashed", "do hang.wav": "analysis_timeout",
    }  # fmt: skip
    assert all(each.reason.endswith(".") for each in report.failures)
    assert await titles(store) == [f"Song {number:03}" for number in range(40)]
    assert (seen[-1].done, seen[-1].total, seen[-1].failed) == (44, 44, 4)
    async with store.snapshot() as session:  # a timeout may be the machine's fault
        assert len(await load_failures(session, "library", MODEL)) == 3
