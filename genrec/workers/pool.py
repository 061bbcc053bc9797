"""Pool of worker processes that analyse clips.

Workers load the preset once. They are killed at the time limit and replaced when they exit. A bad
file fails only its own job, and a clip that crashed a worker is not tried again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from genrec.errors import AnalysisTimeout, Busy, InputRefused, WorkerCrashed
from genrec.types import MAX_ANALYZED_S, Analysis, Runtime, Section, SoundExcerpt
from genrec.workers.process import WorkerConfig, WorkerError, WorkerExited, WorkerProcess
from genrec.workers.protocol import ProtocolError
from genrec.workers.sandbox import MEMORY_BYTES, Measure
from genrec.workers.supervisor import PoolStats, WorkerSupervisor, describe_exit
from genrec.workers.worker import ANALYZER

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds of work after which a worker is replaced. Its CPU limit is twice as high, and a clip more.
_BUSY_S = 1800.0

MAX_DEFAULT_WORKERS = 4  # about 0.3 GB each; operators of larger machines can set more

# Exit signals of a worker that exceeded its CPU limit or its alarm (genrec.workers.worker).
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGALRM)


class AnalysisPool:
    """Analyses clips in worker processes. Async context manager for one event loop.

    Parameters
    ----------
    preset_dir
        The models/NAME folder that each worker loads.
    workers
        Number of processes; 0 means one per CPU core, at most `MAX_DEFAULT_WORKERS`.
    queue
        Largest number of clips that wait for a worker.
    timeout_s
        Wall-clock seconds per clip, without its time in the queue.
    start_timeout_s
        Wall-clock seconds for a worker to load the preset.
    max_jobs
        Clips after which a worker is replaced, which bounds leaks in native libraries.
    expected_model_id
        Model id that every worker must have; None accepts that of the first worker.
    memory_bytes
        Memory limit of a worker.
    analyzer
        Factory of a worker's analyzer as ``module:function``, called with ``preset_dir``,
        ``max_analyzed_s`` and ``runtime``.
    max_analyzed_s
        Seconds analysed of a longer file, from its middle.
    runtime
        Library that runs the network, as in :func:`genrec.runtimes.open_network`.

    Attributes
    ----------
    size
        Number of processes.
    """

    def __init__(  # noqa: PLR0913 - options, all but one with a default
        self,
        preset_dir: Path,
        *,
        workers: int = 0,
        queue: int = 32,
        timeout_s: float = 30.0,
        start_timeout_s: float = 60.0,
        max_jobs: int = 500,
        expected_model_id: str | None = None,
        memory_bytes: int = MEMORY_BYTES,
        analyzer: str = ANALYZER,
        max_analyzed_s: float = MAX_ANALYZED_S,
        runtime: Runtime = "auto",
    ) -> None:
        self.size = workers or min(MAX_DEFAULT_WORKERS, os.cpu_count() or 1)
        self._queue, self._timeout_s, self._max_jobs = queue, timeout_s, max_jobs
        config = WorkerConfig(
            preset_dir=preset_dir.resolve(),
            analyzer=analyzer,
            max_analyzed_s=max_analyzed_s,
            runtime=runtime,
            memory_bytes=memory_bytes,
            start_timeout_s=start_timeout_s,
            cpu_s=2 * (_BUSY_S + timeout_s) + start_timeout_s,
        )
        self._stats = PoolStats()
        self._supervisor = WorkerSupervisor(
            config, expected_model_id=expected_model_id, stats=self._stats
        )
        self._slots = asyncio.Semaphore(self.size)  # fair: first come, first served
        self._idle: list[WorkerProcess] = []
        self._waiting = 0
        self._measures: tuple[Measure, ...] = ()
        self._runtime = ""
        self._closing: asyncio.Task[None] | None = None

    @property
    def stats(self) -> PoolStats:
        """A copy of the counters."""
        return replace(self._stats)

    @property
    def waiting(self) -> int:
        """Number of clips that wait for a worker."""
        return self._waiting

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of all workers that have not exited."""
        return tuple(worker.pid for worker in self._supervisor.workers)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Measures of the sandbox, as reported by the worker that started last."""
        return self._measures

    @property
    def runtime(self) -> str:
        """Library that runs the network in the worker that started last; "" before the first."""
        return self._runtime

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        """Analyse one clip.

        Parameters
        ----------
        path
            A file that this process may read.
        section
            Section of the file that is analysed; None for the whole file.

        Returns
        -------
        Analysis
            The result of the worker's analyzer, checked.

        Raises
        ------
        InputRefused
            The clip cannot be analysed.
        Busy
            The queue is full.
        AnalysisTimeout, WorkerCrashed
            The clip took too long or its worker failed. It is not tried again.
        WorkerUnavailable, PresetError
            No worker can be started.
        PoolClosed
            The pool is shutting down.
        """
        return await self._run(
            lambda worker: worker.analyze(path, section, timeout_s=self._timeout_s)
        )

    async def excerpt(
        self, path: Path, section: Section | None = None, *, seconds: float
    ) -> SoundExcerpt:
        """Cut an excerpt of the part of a file that `analyze` analyses.

        Parameters
        ----------
        path
            A file that this process may read.
        section
            Section of the file; None for the whole file.
        seconds
            Longest length of the excerpt.

        Returns
        -------
        SoundExcerpt
            MP3 of one channel, checked.

        Raises
        ------
        InputRefused, PoolError, PresetError
            As `analyze`.
        """
        return await self._run(
            lambda worker: worker.excerpt(path, section, seconds=seconds, timeout_s=self._timeout_s)
        )

    async def _run(self, work: Callable[[WorkerProcess], Awaitable[T]]) -> T:
        """Wait for a worker and return what it does."""
        self._supervisor.check_open()
        if self._slots.locked() and self._waiting >= self._queue:
            raise Busy(
                f"Too many clips are waiting: this one would be number {self._waiting + 1} in the "
                "queue. Try again in a minute."
            )
        await self._acquire_slot()
        worker: WorkerProcess | None = None
        reusable = False
        try:
            worker = await self._ready_worker()
            result = await self._work(worker, work)
            reusable = True
            return result
        except InputRefused:
            reusable = True
            raise
        finally:  # also on cancellation, after which the worker's state is unknown
            await self._release(worker, reusable=reusable)

    async def warm(self) -> None:
        """Start every worker now.

        Raises
        ------
        WorkerUnavailable, PresetError
            A worker cannot be started; the others are.
        PoolClosed
            The pool is shutting down.
        """
        results = await asyncio.gather(
            *(self._warm_one() for _ in range(self.size)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close(self) -> None:
        """Stop every worker and wait for its exit; unfinished jobs fail with PoolClosed."""
        self._supervisor.close()  # before the first await, so that a cancelled close kills them too
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._wait_closed())
        await asyncio.shield(self._closing)

    async def _wait_closed(self) -> None:
        for _ in range(self.size):  # after all waiting jobs, which fail
            await self._slots.acquire()
        await asyncio.gather(*(worker.stop() for worker in tuple(self._supervisor.workers)))
        self._idle.clear()

    async def _warm_one(self) -> None:
        await self._acquire_slot()
        try:
            if len(self._supervisor.workers) < self.size:
                self._idle.append(await self._start())
        finally:
            self._slots.release()

    async def _acquire_slot(self) -> None:
        self._supervisor.check_open()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        if self._supervisor.closed:
            self._slots.release()
            self._supervisor.check_open()

    async def _ready_worker(self) -> WorkerProcess:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            code = await worker.stop()  # independent of this job
            log.warning("worker exited while idle: pid %d: %s", worker.pid, describe_exit(code))
        return await self._start()

    async def _start(self) -> WorkerProcess:
        worker = await self._supervisor.start()
        self._measures = worker.measures
        if worker.runtime != self._runtime:
            log.info("network runtime: %s", worker.runtime)
            for warning in worker.warnings:  # once, not of each worker
                log.warning("%s", warning)
        self._runtime = worker.runtime
        return worker

    async def _work(
        self, worker: WorkerProcess, work: Callable[[WorkerProcess], Awaitable[T]]
    ) -> T:
        """Do the work with ``worker`` and convert its failures to errors with a sentence."""
        try:
            result = await work(worker)
        except InputRefused:
            self._stats.refused += 1
            raise
        except TimeoutError as error:
            raise self._timed_out() from error
        except WorkerExited as error:
            code = await worker.stop()
            self._supervisor.check_open()
            if code in _OUT_OF_TIME:
                raise self._timed_out() from error
            raise self._crashed(worker, describe_exit(code)) from error
        except (WorkerError, ProtocolError) as error:
            raise self._crashed(worker, str(error)) from error
        self._stats.done += 1
        return result

    def _timed_out(self) -> AnalysisTimeout:
        self._stats.timeouts += 1
        return AnalysisTimeout(
            f"The analysis of this clip took longer than {self._timeout_s:g} s and was stopped. "
            "Send a shorter clip, or save it in another format."
        )

    def _crashed(self, worker: WorkerProcess, reason: str) -> WorkerCrashed:
        self._stats.crashed += 1
        log.warning(
            "worker failed: pid %d: %s; end of its stderr:\n%s",
            worker.pid, reason, worker.stderr_tail,
        )  # fmt: skip
        return WorkerCrashed(
            f"The analysis of this clip failed in its worker process ({reason}). Save the clip in "
            "another format, or send another one."
        )

    async def _release(self, worker: WorkerProcess | None, *, reusable: bool) -> None:
        """Release a slot; keep the worker if it is reusable, else stop it first."""
        worn = worker is not None and (worker.jobs >= self._max_jobs or worker.busy_s >= _BUSY_S)
        self._stats.recycled += reusable and worn
        if worker is None:
            self._slots.release()
        elif reusable and not worn:
            self._idle.append(worker)
            self._slots.release()
        else:  # the slot is released when the process has exited, even if this is cancelled
            stopping = asyncio.ensure_future(worker.stop())
            stopping.add_done_callback(lambda _: self._slots.release())
            await asyncio.shield(stopping)
