"""A bad clip fails only its own job, and no job or process is lost, mixed up or left."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from genrec import errors
from genrec.errors import ClipTooShort
from genrec.types import Analysis, Section
from genrec.workers import sandbox, supervisor
from genrec.workers.pool import MAX_DEFAULT_WORKERS, AnalysisPool
from tests.synth import tone, write

MODEL_ID = "fake-0001"

Clip = Callable[[str], Path]
MakePool = Callable[..., AnalysisPool]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Return a function that writes a clip with a command for the fake analyzer."""

    def write(command: str) -> Path:
        path = tmp_path / f"{command.split(maxsplit=1)[0]} {random.getrandbits(64):x}.wav"
        path.write_text(command)
        return path

    return write


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    folder = tmp_path / "preset"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture
async def make_pool(preset: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakePool]:
    """Return a function that makes a pool of fake workers; check that no process is left."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    pools = []

    def make(analyzer: str = "load", **options: Any) -> AnalysisPool:
        options = {"workers": 1, "timeout_s": 20.0} | options
        pools.append(AnalysisPool(preset, analyzer=f"fake_analyzer:{analyzer}", **options))
        return pools[-1]

    yield make
    pids = [pid for pool in pools for pid in pool.pids]
    for pool in pools:
        await pool.close()
        assert not pool.pids
    assert not any(exists(pid) for pid in pids)


def exists(pid: int) -> bool:
    """Return whether a process exists, also as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def descriptors() -> list[str]:
    """Return the open descriptors of this process."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition stayed false"
        await asyncio.sleep(0.01)


async def test_pool_returns_the_workers_analysis(make_pool: MakePool, clip: Clip) -> None:
    from fake_analyzer import analysis

    pool = make_pool()
    result, expected = await pool.analyze(clip("ok 7")), analysis(7)
    assert np.array_equal(result.embedding, expected.embedding)
    assert result.embedding.dtype == np.float32
    assert np.array_equal(result.fingerprint, expected.fingerprint)
    assert result.fingerprint.dtype == np.int8
    assert result.preview is not None
    assert np.array_equal(result.preview, expected.preview)
    assert result.preview.dtype == np.uint8
    assert (result.scores, result.duration_s, result.analyzed_s) == (expected.scores, 7.0, 30.0)
    assert (result.model_id, result.timings_ms) == (MODEL_ID, {"decode": 1.5})
    assert pool.stats.done == pool.stats.started == 1


async def test_pool_analyses_a_section_of_a_file(make_pool: MakePool, tmp_path: Path) -> None:
    path = write(tmp_path / "x.flac", tone(12.0), 44100)
    pool = make_pool("load_decoder")
    whole = await pool.analyze(path)
    part = await pool.analyze(path, Section(2.0, 5.5))
    rest = await pool.analyze(path, Section(10.5))
    assert (whole.duration_s, part.duration_s, rest.duration_s) == pytest.approx((12, 3.5, 1.5))
    with pytest.raises(ClipTooShort):
        await pool.analyze(path, Section(20.0, 30.0))


async def test_pool_returns_an_analysis_without_preview(make_pool: MakePool, clip: Clip) -> None:
    assert (await make_pool().analyze(clip("no_preview"))).preview is None


async def test_worker_gets_the_seconds_to_analyse(make_pool: MakePool, clip: Clip) -> None:
    assert (await make_pool("load_seconds").analyze(clip("ok 1"))).model_id == "30 s"
    pool = make_pool("load_seconds", max_analyzed_s=12.5)
    assert (await pool.analyze(clip("ok 1"))).model_id == "12.5 s"


async def test_worker_analyses_many_clips_and_gets_their_names(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    first, second = await pool.analyze(clip("pid")), await pool.analyze(clip("pid"))
    assert first.duration_s == second.duration_s == pool.pids[0]
    path = clip("name")
    with pytest.raises(errors.UnreadableAudio, match=path.name):
        await pool.analyze(path)


async def test_refused_clip_keeps_its_sentence_and_its_worker(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    await pool.warm()
    pids = pool.pids
    with pytest.raises(errors.SilentAudio) as caught:
        await pool.analyze(clip("refuse"))
    assert str(caught.value) == "This clip is silent. [2J"
    assert (await pool.analyze(clip("ok 1"))).duration_s == 1
    assert pool.pids == pids
    assert pool.stats.refused == 1


async def test_path_that_is_no_file_is_refused_without_a_worker(
    make_pool: MakePool, tmp_path: Path, clip: Clip
) -> None:
    pool = make_pool()
    fifo = tmp_path / "pipe.wav"
    os.mkfifo(fifo)
    for path in (tmp_path / "none.wav", tmp_path, fifo, Path("a\0b.wav"), Path("/dev/zero")):
        with pytest.raises(errors.FileMissing):
            await pool.analyze(path)
    assert (await pool.analyze(clip("ok 1"))).duration_s == 1
    assert pool.stats.started == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("segv", "SIGSEGV"),
        ("exit 3", "exit code 3"),
        ("oom", "MemoryError"),
        ("fill", "MemoryError"),
        ("bug", "ValueError: one axis too many"),
        ("wrong_code", "error.code='pool_closed'"),
        ("garbage", "frame.json_bytes=4294967295"),
        ("oversized", "frame.blob_bytes=1073741824"),
        ("other_job", "job=99: expected 1"),
        ("nan", "embedding='NaN or infinity': expected finite"),
        ("wrong_sum", r"scores.sum=0\.6: expected 1"),
        ("other_model", "model_id='somebody-else': expected 'fake-0001'"),
        ("wide_preview", r"preview\[1\]=201: expected 1\.\.200"),
        ("float_preview", "blob_bytes="),
    ],
)
async def test_clip_that_breaks_its_worker_fails_alone(
    make_pool: MakePool, clip: Clip, command: str, reason: str
) -> None:
    pool = make_pool(workers=2, memory_bytes=1 << 29)
    other = asyncio.ensure_future(pool.analyze(clip("ok 5 0.2")))
    with pytest.raises(errors.WorkerCrashed, match=reason):
        await pool.analyze(clip(command))
    assert (await other).duration_s == 5
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.crashed == 1
    assert pool.stats.done == 2


async def test_hanging_worker_is_killed_at_the_time_limit(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(timeout_s=0.5)
    await pool.warm()
    (pid,) = pool.pids
    start = time.monotonic()
    with pytest.raises(errors.AnalysisTimeout, match=r"longer than 0\.5 s"):
        await pool.analyze(clip("hang"))
    assert 0.5 <= time.monotonic() - start < 10
    assert not exists(pid)
    pool._timeout_s = 20.0  # on a busy machine a good clip may take longer than half a second
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_worker_out_of_cpu_time_is_a_timeout(make_pool: MakePool, clip: Clip) -> None:
    with pytest.raises(errors.AnalysisTimeout):
        await make_pool().analyze(clip("spin"))


async def test_output_on_stdout_and_stderr_is_no_reply(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool()
    await pool.analyze(clip("noise"))
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.started == 1


async def test_full_queue_raises_busy_with_the_place(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(queue=2)
    await pool.warm()
    jobs = [asyncio.ensure_future(pool.analyze(clip(f"ok {n}"))) for n in range(3)]
    await asyncio.sleep(0)  # they queue at once; during a longer pause the first could finish
    assert pool.waiting == 2
    with pytest.raises(errors.Busy, match="number 3 in the queue"):
        await pool.analyze(clip("ok 3"))
    assert [analysis.duration_s for analysis in await asyncio.gather(*jobs)] == [0, 1, 2]
    assert pool.waiting == 0


async def test_queue_is_first_come_first_served(make_pool: MakePool, clip: Clip) -> None:
    pool, order = make_pool(), list[float]()

    async def job(number: int) -> None:
        order.append((await pool.analyze(clip(f"ok {number}"))).duration_s)

    await asyncio.gather(*(job(number) for number in range(8)))
    assert order == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_worker_is_replaced_after_max_jobs(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(max_jobs=2)
    pids = [(await pool.analyze(clip("pid"))).duration_s for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert pool.stats.recycled == 2
    assert not any(exists(int(pid)) for pid in pids)


async def test_worker_killed_while_idle_fails_no_job(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool()
    await pool.warm()
    os.kill(pool.pids[0], signal.SIGKILL)
    # Wait for its exit without running the loop, which therefore has no event of it.
    os.waitid(os.P_PID, pool.pids[0], os.WEXITED | os.WNOWAIT)
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.crashed == 0
    assert pool.stats.started == 2


@pytest.mark.parametrize("seconds", [0, 0.02, 0.2, 0.7])
async def test_cancelled_job_stops_its_worker(
    make_pool: MakePool, clip: Clip, seconds: float
) -> None:
    pool = make_pool(queue=8)
    jobs = [asyncio.ensure_future(pool.analyze(clip("ok 1 60"))) for _ in range(4)]
    await asyncio.sleep(seconds)  # starting or busy
    pids = pool.pids
    for job in jobs:
        job.cancel()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert not any(exists(pid) for pid in pids)
    assert (pool.waiting, pool.pids) == (0, ())
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_job_cancelled_repeatedly_still_stops_its_worker(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    await pool.warm()
    (pid,) = pool.pids
    job = asyncio.ensure_future(pool.analyze(clip("hang")))
    await asyncio.sleep(0.1)
    for _ in range(3):
        job.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert not exists(pid)


async def test_close_fails_all_jobs_and_stops_all_workers(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(workers=2)
    await pool.warm()
    pids = pool.pids
    jobs = [asyncio.ensure_future(pool.analyze(clip("hang"))) for _ in range(5)]
    await until(lambda: pool.waiting == 3)
    await asyncio.gather(pool.close(), pool.close())
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results] == [errors.PoolClosed] * 5
    assert not any(exists(pid) for pid in pids)
    with pytest.raises(errors.PoolClosed):
        await pool.analyze(clip("ok 1"))


async def test_close_stops_workers_that_start(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool("load_never", workers=2)
    jobs = [asyncio.ensure_future(pool.analyze(clip("ok 1"))) for _ in range(3)]
    await until(lambda: len(pool.pids) == 2)
    pids = pool.pids
    await pool.close()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results] == [errors.PoolClosed] * 3
    assert not any(exists(pid) for pid in pids)


async def test_warm_starts_every_worker_once(make_pool: MakePool) -> None:
    pool = make_pool(workers=2)
    await pool.warm()
    pids = pool.pids
    await pool.warm()
    assert pool.pids == pids
    assert (pool.size, len(pids), pool.stats.started) == (2, 2, 2)
    assert {measure.name for measure in pool.measures} >= {"limits", "files", "system calls"}


@pytest.mark.parametrize(
    ("analyzer", "reason"),
    [
        ("load_broken", "RuntimeError: no such layer"),
        ("load_killed", "SIGSEGV"),
        ("load_never", "did not load its preset in time"),
        ("no_such_function", "AttributeError"),
    ],
)
async def test_failed_start_raises_worker_unavailable_with_the_reason(
    make_pool: MakePool,
    clip: Clip,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    analyzer: str,
    reason: str,
) -> None:
    monkeypatch.setattr(supervisor, "ATTEMPTS", 2)
    pool = make_pool(analyzer, start_timeout_s=0.7 if analyzer == "load_never" else 30)
    with pytest.raises(errors.WorkerUnavailable, match=reason):
        await pool.analyze(clip("ok 1"))
    assert pool.stats.failed_starts == 2
    assert not pool.pids
    if analyzer == "load_broken":
        assert "earlier output" in caplog.text  # its stderr


async def test_failed_process_creation_raises_worker_unavailable(
    make_pool: MakePool, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = descriptors()
    with pytest.raises(errors.WorkerUnavailable, match="No process could be started"):
        await make_pool().analyze(clip("ok 1"))
    assert descriptors() == before


async def test_start_fails_at_once_during_a_long_pause_and_works_later(
    make_pool: MakePool, preset: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ATTEMPTS", 1)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 3600)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_S", 3600)
    pool = make_pool("load_second_time")
    (preset / "down").touch()
    with pytest.raises(errors.WorkerUnavailable, match="exit code 7"):
        await pool.analyze(clip("ok 1"))
    with pytest.raises(errors.WorkerUnavailable, match=r"exit code 7.*next attempt is in 3\d+ s"):
        await pool.analyze(clip("ok 1"))
    assert pool.stats.failed_starts == 1
    (preset / "down").unlink()
    pool._supervisor._pause_until = 0
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_pause_after_failed_starts_doubles_up_to_the_limit(make_pool: MakePool) -> None:
    starts, clock, pauses = make_pool()._supervisor, asyncio.get_running_loop().time, list[float]()
    for _ in range(12):
        starts._failed(errors.WorkerUnavailable("No."))
        pauses.append(starts._pause_until - clock())
    assert pauses == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30], abs=0.05
    )


async def test_worker_killed_during_its_start_is_started_again(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    job = asyncio.ensure_future(pool.analyze(clip("ok 6")))
    while not pool.pids:  # noqa: ASYNC110 - no pause, in which it might come up
        await asyncio.sleep(0)
    os.kill(pool.pids[0], signal.SIGKILL)
    assert (await job).duration_s == 6
    assert (pool.stats.failed_starts, pool.stats.started) == (1, 1)


async def test_refused_preset_keeps_its_sentence(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool("load_refused")
    with pytest.raises(errors.PresetError, match=r"^The preset is damaged\.$"):
        await pool.analyze(clip("ok 1"))
    with pytest.raises(errors.PresetError):
        await pool.warm()


async def test_worker_with_another_model_id_is_refused(
    make_pool: MakePool, preset: Path, clip: Clip
) -> None:
    with pytest.raises(errors.ModelMismatch, match=r"fake-0001, but wanted-0001"):
        await make_pool(expected_model_id="wanted-0001").analyze(clip("ok 1"))
    pool = make_pool(max_jobs=1, expected_model_id=MODEL_ID)
    assert (await pool.analyze(clip("ok 1"))).model_id == MODEL_ID
    other = make_pool(max_jobs=1)
    await other.analyze(clip("ok 1"))
    (preset / "model_id").write_text("changed-0002")
    with pytest.raises(errors.ModelMismatch):
        await other.analyze(clip("ok 1"))


async def test_concurrent_clips_return_their_own_results(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(workers=2, queue=10)
    commands = [{3: "refuse", 5: "segv"}.get(n, f"ok {n} 0.01") for n in range(12)]
    results = await asyncio.gather(
        *(pool.analyze(clip(command)) for command in commands), return_exceptions=True
    )
    assert isinstance(results[3], errors.SilentAudio)
    assert isinstance(results[5], errors.WorkerCrashed)
    seconds = [result.duration_s for result in results if isinstance(result, Analysis)]
    assert seconds == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert pool.stats == supervisor.PoolStats(started=3, done=10, refused=1, crashed=1)


async def test_pool_of_zero_workers_has_the_default_size(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cores, size in ((1, 1), (3, 3), (64, MAX_DEFAULT_WORKERS), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert make_pool(workers=0).size == size
    assert make_pool(workers=7).size == 7


async def test_worker_gets_none_of_its_parents_environment(
    make_pool: MakePool, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("LD_PRELOAD_EXAMPLE", "secret")
    with pytest.raises(errors.UnreadableAudio) as caught:
        await make_pool().analyze(clip("environment"))
    allowed = {"PATH", "LANG", "LC_CTYPE", "PYTHONPATH", "MALLOC_ARENA_MAX"}
    assert {name for name in str(caught.value).split() if "THREADS" not in name} <= allowed


async def test_stopped_workers_leave_no_descriptors(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(max_jobs=1)
    await pool.analyze(clip("ok 0"))
    before = descriptors()
    for command in ("ok 1", "segv", "refuse", "bug"):
        await asyncio.gather(pool.analyze(clip(command)), return_exceptions=True)
    assert descriptors() == before


@pytest.mark.usefixtures("make_pool")  # it adds the fake analyzer to sys.path
@pytest.mark.parametrize("command", ["hang", "outlive"])
async def test_worker_dies_with_its_parent(preset: Path, clip: Clip, command: str) -> None:
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from genrec.workers.pool import AnalysisPool\n"
        "async def main():\n"
        "    pool = AnalysisPool(Path(sys.argv[1]), workers=1, analyzer='fake_analyzer:load')\n"
        "    await pool.warm()\n"
        "    print(pool.pids[0], flush=True)\n"
        "    await pool.analyze(Path(sys.argv[2]))\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(preset), str(clip(command))),
        env=sandbox.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await asyncio.sleep(0.3)
    assert exists(pid)
    parent.kill()
    await parent.wait()
    try:
        await until(lambda: not running(pid))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def running(pid: int) -> bool:
    """Return whether a thread of a process runs, not as a zombie, which may have no parent."""
    try:
        stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    return any(stat.rsplit(")", 1)[1].split()[0] != "Z" for stat in stats)


@pytest.mark.usefixtures("preset")
def test_worker_imports_nothing_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Clip
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)

    async def main() -> Analysis:
        options: Any = {"workers": 1, "analyzer": "fake_analyzer:load"}
        async with AnalysisPool(Path("preset"), **options) as pool:
            return await pool.analyze(clip("ok 3").relative_to(tmp_path))

    assert asyncio.run(main()).duration_s == 3


@pytest.mark.slow
async def test_many_faults_lose_and_mix_up_no_job(make_pool: MakePool, clip: Clip) -> None:
    rng = random.Random(7)
    pool = make_pool(workers=2, queue=1000, timeout_s=2.0, max_jobs=40)
    await pool.warm()
    kinds = rng.choices(["ok", "segv", "hang", "exit 3", "refuse"], [92, 2, 1, 2, 3], k=160)
    pids, outcomes = set(pool.pids), Counter[str]()

    async def job(number: int, kind: str) -> None:
        command = f"ok {number} 0.002" if kind == "ok" else kind
        task = asyncio.ensure_future(pool.analyze(clip(command)))
        if rng.random() < 0.03:
            asyncio.get_running_loop().call_later(rng.random(), task.cancel)
        try:
            assert (await task).duration_s == number
            outcomes["ok"] += 1
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1
        except errors.GenrecError as error:
            outcomes[type(error).__name__] += 1
        pids.update(pool.pids)
        if rng.random() < 0.03:  # as the kernel does when it is out of memory
            for pid in rng.sample(pool.pids, min(1, len(pool.pids))):
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(*(job(number, kind) for number, kind in enumerate(kinds)))
    assert sum(outcomes.values()) == 160
    assert outcomes["ok"] >= 90, outcomes
    assert set(outcomes) >= {"ok", "cancelled", "SilentAudio", "WorkerCrashed"}
    assert not set(outcomes) & {"WorkerUnavailable", "Busy", "PoolClosed"}
    pids.update(pool.pids)
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.waiting == 0
    pids.update(pool.pids)
    await pool.close()
    assert not [pid for pid in pids if exists(pid)]
