"""The worker pool: one bad clip fails one job, and nothing is mixed up, hung or left over."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from genrec import errors
from genrec.types import Analysis
from genrec.workers import sandbox, supervisor
from genrec.workers.pool import AnalysisPool

MODEL_ID = "fake-0001"

Clip = Callable[[str], Path]
MakePool = Callable[..., AnalysisPool]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Return a function that writes a clip which makes the fake analyzer do something."""

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
    """Return a function that makes a pool of fake workers; see that none is left over."""
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
    """Whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def descriptors() -> list[str]:
    """Return the numbers of this process' open files."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


async def test_an_analysis_arrives_as_it_was_made(make_pool: MakePool, clip: Clip) -> None:
    from fake_analyzer import analysis

    pool = make_pool()
    got, want = await pool.analyze(clip("ok 7")), analysis(7)
    assert np.array_equal(got.embedding, want.embedding)
    assert got.embedding.dtype == np.float32
    assert np.array_equal(got.fingerprint, want.fingerprint)
    assert got.fingerprint.dtype == np.int8
    assert got.preview is not None
    assert np.array_equal(got.preview, want.preview)
    assert got.preview.dtype == np.uint8
    assert (got.scores, got.duration_s, got.analyzed_s) == (want.scores, 7.0, 30.0)
    assert (got.model_id, got.timings_ms) == (MODEL_ID, {"decode": 1.5})
    assert pool.stats.done == pool.stats.started == 1


async def test_an_analysis_without_a_preview_arrives(make_pool: MakePool, clip: Clip) -> None:
    assert (await make_pool().analyze(clip("blind"))).preview is None


async def test_a_worker_is_told_how_much_of_a_file_to_hear(make_pool: MakePool, clip: Clip) -> None:
    assert (await make_pool("load_told").analyze(clip("ok 1"))).model_id == "30 s"
    assert (await make_pool("load_told", heard_s=12.5).analyze(clip("ok 1"))).model_id == "12.5 s"


async def test_a_worker_serves_many_clips_and_knows_their_names(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    first, second = await pool.analyze(clip("pid")), await pool.analyze(clip("pid"))
    assert first.duration_s == second.duration_s == pool.pids[0]
    path = clip("name")
    with pytest.raises(errors.UnreadableAudio, match=path.name):
        await pool.analyze(path)


async def test_a_refused_clip_keeps_its_sentence_and_its_worker(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    await pool.warm()
    pids = pool.pids
    with pytest.raises(errors.SilentAudio) as caught:
        await pool.analyze(clip("refuse"))
    assert str(caught.value) == "There is nothing to hear in this clip: it is silent. [2J"
    assert (await pool.analyze(clip("ok 1"))).duration_s == 1
    assert pool.pids == pids
    assert pool.stats.refused == 1


async def test_what_is_no_file_is_refused_before_a_worker_sees_it(
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
        ("bug", "ValueError: an axis too many"),
        ("claim", "pool_closed"),
        ("garbage", "a frame of"),
        ("oversized", "a frame of"),
        ("unasked", "another job"),
        ("nan", "length 1"),
        ("unsure", "sum to 1"),
        ("strange", "another model"),
        ("wide", "a length that cannot be"),
        ("deep", "bytes for"),
    ],
)
async def test_a_clip_that_breaks_its_worker_fails_alone(
    make_pool: MakePool, clip: Clip, command: str, reason: str
) -> None:
    pool = make_pool(workers=2, memory_bytes=1 << 29)
    innocent = asyncio.ensure_future(pool.analyze(clip("ok 5 0.2")))
    with pytest.raises(errors.WorkerCrashed, match=reason):
        await pool.analyze(clip(command))
    assert (await innocent).duration_s == 5
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.crashed == 1
    assert pool.stats.done == 2


async def test_a_hang_is_killed_on_time(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(timeout_s=0.5)
    await pool.warm()
    (pid,) = pool.pids
    start = time.monotonic()
    with pytest.raises(errors.AnalysisTimeout, match=r"longer than 0\.5 s"):
        await pool.analyze(clip("hang"))
    assert 0.5 <= time.monotonic() - start < 10
    assert not exists(pid)
    pool._timeout_s = 20.0  # a busy machine may not hear even a good clip in half a second
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_a_worker_out_of_processor_time_counts_as_too_slow(
    make_pool: MakePool, clip: Clip
) -> None:
    with pytest.raises(errors.AnalysisTimeout):
        await make_pool().analyze(clip("spin"))


async def test_noise_on_stdout_and_stderr_is_no_answer(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool()
    await pool.analyze(clip("noise"))
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.started == 1


async def test_a_full_queue_says_which_place_there_would_be(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool(queue=2)
    await pool.warm()
    jobs = [asyncio.ensure_future(pool.analyze(clip(f"ok {n}"))) for n in range(3)]
    await asyncio.sleep(0)  # they queue at once; a pause might outlast the first one's work
    assert pool.waiting == 2
    with pytest.raises(errors.Busy, match="number 3 in the queue"):
        await pool.analyze(clip("ok 3"))
    assert [analysis.duration_s for analysis in await asyncio.gather(*jobs)] == [0, 1, 2]
    assert pool.waiting == 0


async def test_first_come_first_served(make_pool: MakePool, clip: Clip) -> None:
    pool, order = make_pool(), list[float]()

    async def job(number: int) -> None:
        order.append((await pool.analyze(clip(f"ok {number}"))).duration_s)

    await asyncio.gather(*(job(number) for number in range(8)))
    assert order == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_a_worn_worker_is_replaced(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(max_jobs=2)
    pids = [(await pool.analyze(clip("pid"))).duration_s for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert pool.stats.recycled == 2
    assert not any(exists(int(pid)) for pid in pids)


async def test_a_worker_killed_while_idle_is_nobodys_fault(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool()
    await pool.warm()
    os.kill(pool.pids[0], signal.SIGKILL)
    # Wait for its end without the loop, which thus has not heard of it.
    os.waitid(os.P_PID, pool.pids[0], os.WEXITED | os.WNOWAIT)
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.stats.crashed == 0
    assert pool.stats.started == 2


@pytest.mark.parametrize("seconds", [0, 0.02, 0.2, 0.7])
async def test_cancelling_neither_leaks_a_worker_nor_gives_back_half_a_job(
    make_pool: MakePool, clip: Clip, seconds: float
) -> None:
    pool = make_pool(queue=8)
    jobs = [asyncio.ensure_future(pool.analyze(clip("ok 1 60"))) for _ in range(4)]
    await asyncio.sleep(seconds)  # starting, or at work
    pids = pool.pids
    for job in jobs:
        job.cancel()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert not any(exists(pid) for pid in pids)
    assert (pool.waiting, pool.pids) == (0, ())
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_cancelling_twice_still_ends_the_worker(make_pool: MakePool, clip: Clip) -> None:
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


async def test_closing_ends_all_jobs_and_workers(make_pool: MakePool, clip: Clip) -> None:
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


async def test_closing_while_workers_start_waits_for_their_end(
    make_pool: MakePool, clip: Clip
) -> None:
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
async def test_a_worker_that_does_not_start_is_a_sentence(
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
        assert "what went before" in caplog.text  # its stderr


async def test_no_process_at_all_is_a_sentence_too(
    make_pool: MakePool, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = descriptors()
    with pytest.raises(errors.WorkerUnavailable, match="No process could be started"):
        await make_pool().analyze(clip("ok 1"))
    assert descriptors() == before


async def test_starts_are_not_tried_for_ever_and_work_again_later(
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
    pool._starter._pause_until = 0
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_the_pause_after_failed_starts_doubles_up_to_a_limit(make_pool: MakePool) -> None:
    first, clock, pauses = make_pool()._starter, asyncio.get_running_loop().time, list[float]()
    for _ in range(12):
        first._failed(errors.WorkerUnavailable("No."))
        pauses.append(first._pause_until - clock())
    assert pauses == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30], abs=0.05
    )


async def test_a_worker_killed_as_it_starts_is_started_again(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool()
    job = asyncio.ensure_future(pool.analyze(clip("ok 6")))
    while not pool.pids:  # noqa: ASYNC110 - no pause, in which it might come up
        await asyncio.sleep(0)
    os.kill(pool.pids[0], signal.SIGKILL)
    assert (await job).duration_s == 6
    assert (pool.stats.failed_starts, pool.stats.started) == (1, 1)


async def test_a_refused_preset_keeps_its_sentence(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool("load_refused")
    with pytest.raises(errors.PresetError, match=r"^The preset is damaged\.$"):
        await pool.analyze(clip("ok 1"))
    with pytest.raises(errors.PresetError):
        await pool.warm()


async def test_workers_of_another_model_are_refused(
    make_pool: MakePool, preset: Path, clip: Clip
) -> None:
    with pytest.raises(errors.ModelMismatch, match=r"fake-0001, and wanted-0001"):
        await make_pool(expected_model_id="wanted-0001").analyze(clip("ok 1"))
    pool = make_pool(max_jobs=1, expected_model_id=MODEL_ID)
    assert (await pool.analyze(clip("ok 1"))).model_id == MODEL_ID
    other = make_pool(max_jobs=1)
    await other.analyze(clip("ok 1"))
    (preset / "model_id").write_text("changed-0002")
    with pytest.raises(errors.ModelMismatch):
        await other.analyze(clip("ok 1"))


async def test_many_clips_keep_all_workers_busy_with_little_look_ahead(
    make_pool: MakePool, clip: Clip
) -> None:
    pool, asked = make_pool(workers=2, queue=0), list[int]()

    def clips() -> Any:
        for number in range(12):
            asked.append(number)
            yield clip({3: "refuse", 5: "segv"}.get(number, f"ok {number} 0.01"))

    results = list[Any]()
    async with aclosing(pool.analyze_many(clips())) as many:
        async for path, result in many:
            assert path.exists()
            results.append(result)
            assert len(asked) <= len(results) + pool.size + 1
    good = sorted(result.duration_s for result in results if isinstance(result, Analysis))
    assert good == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    bad = [type(result) for result in results if isinstance(result, Exception)]
    assert sorted(kind.__name__ for kind in bad) == ["SilentAudio", "WorkerCrashed"]


async def test_leaving_many_clips_early_leaves_nothing_running(
    make_pool: MakePool, clip: Clip
) -> None:
    pool = make_pool(workers=2)
    async with aclosing(pool.analyze_many(clip(f"ok {n} 0.1") for n in range(100))) as many:
        async for _ in many:
            break
    assert pool.waiting == 0
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6


async def test_many_clips_stop_where_no_worker_starts(
    make_pool: MakePool, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ATTEMPTS", 1)
    many = make_pool("load_broken").analyze_many(clip(f"ok {n}") for n in range(100))
    with pytest.raises(errors.WorkerUnavailable):
        await anext(many)


async def test_a_worker_knows_nothing_of_its_parents_environment(
    make_pool: MakePool, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("LD_PRELOAD_EXAMPLE", "secret")
    with pytest.raises(errors.UnreadableAudio) as caught:
        await make_pool().analyze(clip("environment"))
    allowed = {"PATH", "LANG", "LC_CTYPE", "PYTHONPATH", "MALLOC_ARENA_MAX"}
    assert {name for name in str(caught.value).split() if "THREADS" not in name} <= allowed


async def test_workers_and_their_descriptors_do_not_add_up(make_pool: MakePool, clip: Clip) -> None:
    pool = make_pool(max_jobs=1)
    await pool.analyze(clip("ok 0"))
    before = descriptors()
    for command in ("ok 1", "segv", "refuse", "bug"):
        await asyncio.gather(pool.analyze(clip(command)), return_exceptions=True)
    assert descriptors() == before


@pytest.mark.usefixtures("make_pool")  # its path to the fake analyzer
async def test_a_worker_dies_with_its_parent_even_when_it_hangs(preset: Path, clip: Clip) -> None:
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
        *(sys.executable, "-c", script, str(preset), str(clip("hang"))),
        env=sandbox.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await asyncio.sleep(0.3)
    assert exists(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not running(pid))


def running(pid: int) -> bool:
    """Whether there is such a process that is no zombie: nobody may be left to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("preset")
def test_a_worker_is_started_in_any_folder_and_finds_nothing_there(
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
async def test_a_storm_of_faults_loses_nothing_and_mixes_nothing_up(
    make_pool: MakePool, clip: Clip
) -> None:
    rng = random.Random(7)
    pool = make_pool(workers=2, queue=1000, timeout_s=2.0, max_jobs=40)
    await pool.warm()
    kinds = rng.choices(["ok", "segv", "hang", "exit 3", "refuse"], [92, 2, 1, 2, 3], k=160)
    seen, outcomes = set(pool.pids), Counter[str]()

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
        seen.update(pool.pids)
        if rng.random() < 0.03:  # somebody from outside, such as the kernel out of memory
            for pid in rng.sample(pool.pids, min(1, len(pool.pids))):
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(*(job(number, kind) for number, kind in enumerate(kinds)))
    assert sum(outcomes.values()) == 160
    assert outcomes["ok"] >= 90, outcomes
    assert set(outcomes) >= {"ok", "cancelled", "SilentAudio", "WorkerCrashed"}
    assert not set(outcomes) & {"WorkerUnavailable", "Busy", "PoolClosed"}
    seen.update(pool.pids)
    assert (await pool.analyze(clip("ok 6"))).duration_s == 6
    assert pool.waiting == 0
    seen.update(pool.pids)
    await pool.close()
    assert not [pid for pid in seen if exists(pid)]
