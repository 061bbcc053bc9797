"""Tests of indexing on a Dask cluster: real schedulers, workers and sandboxed processes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from db.connection import MEMORY, Database, open_db
from db.ingest.failures import load_failures
from db.ingest.run import IngestJob, IngestProgress, IngestReport, ingest
from db.tracks import Catalogue
from genrec.cluster import ClusterClient
from genrec.errors import ClusterLost, ModelMismatch
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


async def test_200_files_with_a_killed_worker_fail_only_the_bad_ones(
    store: Database, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 196, seconds=0.02)
    add_bad(folder)
    with DaskCluster(tmp_path / "cluster") as cluster:
        places = [cluster.start_worker(), cluster.start_worker()]
        for place in places:
            cluster.wait_for(place)
        killed = False

        def kill_one(now: IngestProgress) -> None:
            nonlocal killed
            if now.done >= 40 and not killed:
                killed = True
                cluster.kill_worker(0)

        report = await index(store, cluster, folder, kill_one)

    assert killed
    assert (report.analyzed, len(report.failures)) == (196, 4)
    assert {Path(each.path).name for each in report.failures} == BAD.keys()
    assert await titles(store) == [f"Song {number:03}" for number in range(196)]


async def test_unchanged_touched_moved_and_copied_files_are_not_analysed_again(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 12)
    first = await index(store, shared_cluster, folder)
    again = await index(store, shared_cluster, folder)
    assert (first.analyzed, again.unchanged, again.analyzed) == (12, 12, 0)
    ids = {each.title: each.id for each in await Catalogue(store).browse(MODEL, "library")}

    os.utime(folder / "Artist - Song 000.wav", ns=(1, 1))
    (folder / "Artist - Song 001.wav").rename(folder / "Artist - Moved.wav")
    shutil.copy(folder / "Artist - Song 002.wav", folder / "Artist - Copy.wav")
    (folder / "Artist - Song 003.wav").write_text("ok 303")
    report = await index(store, shared_cluster, folder)

    assert (report.reused, report.analyzed, report.moved, report.tracks) == (3, 1, 1, 13)
    moved = {each.title: each.id for each in await Catalogue(store).browse(MODEL, "library")}
    assert moved["Moved"] == ids["Song 001"]


async def test_song_of_an_album_is_known_when_its_sheet_changes(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "album.wav").write_text("ok 7")
    write_sheet(folder, "One", "Two")
    assert (await index(store, shared_cluster, folder)).failures == []
    assert await titles(store) == ["One", "Two"]

    write_sheet(folder, "Number one", "Two")
    os.utime(folder / "album.cue", ns=(1, 2**62))
    report = await index(store, shared_cluster, folder)

    assert (report.reused, report.analyzed) == (2, 0)
    assert await titles(store) == ["Number one", "Two"]


def write_sheet(folder: Path, *names: str) -> None:
    tracks = "".join(
        f'  TRACK {place + 1:02} AUDIO\n    TITLE "{name}"\n    INDEX 01 {place * 3:02}:00:00\n'
        for place, name in enumerate(names)
    )
    text = f'PERFORMER "Band"\nTITLE "Album"\nFILE "album.wav" WAVE\n{tracks}'
    (folder / "album.cue").write_text(text)


@pytest.mark.slow
async def test_lost_scheduler_ends_the_run_with_a_sentence_and_the_next_resumes(
    store: Database, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 60, seconds=0.05)
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.wait_for(cluster.start_worker())
        stored = 0

        def kill_scheduler(now: IngestProgress) -> None:
            nonlocal stored
            stored = now.done
            if now.done >= 10:
                cluster.kill_scheduler()

        with pytest.raises(ClusterLost, match=r"scheduler.* resumes\."):
            await index(store, cluster, folder, kill_scheduler)

        assert 10 <= stored < 60
        assert await titles(store) == []  # nothing is served before the run is complete
        cluster.start_scheduler(port=int(cluster.address.rpartition(":")[2]))
        cluster.wait_for(0, connections=2)  # the worker has come back by itself
        report = await index(store, cluster, folder)
    assert (report.resumed, report.resumed + report.analyzed) == (stored, 60)


async def test_cancelled_run_leaves_no_task_and_no_process(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 100, seconds=0.1)
    begun, pid = asyncio.Event(), 0

    async def run() -> None:
        nonlocal pid
        job = IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
        async with connected(shared_cluster) as client:
            pid = client.pid
            await ingest(
                store, NoAnalyzer(), job,
                lambda now: begun.set() if now.done else None, cluster=client,
            )  # type: ignore[arg-type] # fmt: skip

    running = asyncio.create_task(run())
    await asyncio.wait_for(begun.wait(), 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    report = await index(store, shared_cluster, folder)
    assert report.resumed > 0
    assert report.resumed + report.analyzed == 100


@pytest.mark.slow
async def test_scheduler_that_is_not_there_and_cluster_without_workers_say_so(
    tmp_path: Path,
) -> None:
    with pytest.raises(ClusterLost, match=r"tcp://127\.0\.0\.1:9 cannot be reached"):
        async with ClusterClient("tcp://127.0.0.1:9", TASK, environment={}):
            pass
    with DaskCluster(tmp_path / "cluster") as cluster:
        no_workers = pytest.raises(ClusterLost, match="has no workers: start `genrec worker`")
        with no_workers:
            async with connected(cluster):
                pass


async def test_workers_with_another_model_end_the_run(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 3)
    with pytest.raises(ModelMismatch, match=f"has the model {MODEL} and not other-0002"):
        await index(store, shared_cluster, folder, model_id="other-0002")


async def test_file_that_a_worker_cannot_read_is_tried_again(
    store: Database, shared_cluster: DaskCluster, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "music", 3)

    def remove(now: IngestProgress) -> None:
        (folder / "Artist - Song 001.wav").unlink(missing_ok=True)

    report = await index(store, shared_cluster, folder, remove)
    assert [each.reason for each in report.failures] == [
        "The file cannot be read (No such file or directory)."
    ]
    assert not report.failures[0].lasting


async def test_worker_has_no_variable_but_those_of_dask_and_python(
    shared_cluster: DaskCluster,
) -> None:
    async with connected(shared_cluster) as client:
        text = Path(f"/proc/{client.pid}/environ").read_bytes().decode()
    names = {each.partition("=")[0] for each in text.split("\0") if each}
    assert names <= {
        "PATH", "LANG", "LC_CTYPE", "PYTHONPATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS", "MALLOC_ARENA_MAX",
    }  # fmt: skip
