"""Worker processes that analyse clips: loaded once each, killed when they hang, replaced when dead.

One bad file fails one job. A clip that killed a worker is never offered to another one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from genrec.errors import (
    AnalysisTimeout,
    Busy,
    GenrecError,
    InputRefused,
    WorkerCrashed,
)
from genrec.types import HEARD_S, Analysis
from genrec.workers.process import Launch, ProtocolError, WorkerExited, WorkerProcess
from genrec.workers.sandbox import MEMORY_BYTES, Measure
from genrec.workers.supervisor import Stats, WorkerSupervisor, describe_exit
from genrec.workers.worker import ANALYZER

log = logging.getLogger(__name__)

MAX_DEFAULT_WORKERS = 4  # about 0.3 GB each; the owner of a bigger machine says so

# How a worker ends that outlives the parent's patience, or the parent: see genrec.workers.worker.
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGALRM)


class AnalysisPool:
    """Analyses clips in worker processes. An async context manager; one event loop uses it.

    Parameters
    ----------
    preset_dir
        The models/NAME folder each worker loads.
    workers
        How many processes; by default one a core, and at most four.
    queue
        How many clips may wait for a worker.
    timeout_s
        Wall-clock seconds for one clip, without its wait in the queue.
    start_timeout_s
        Wall-clock seconds for a worker to load the preset.
    max_jobs
        Clips after which a worker is replaced, so that leaks in native libraries stay small.
    expected_model_id
        What the workers must run; None takes what the folder holds.
    memory_bytes
        Memory a worker may fill.
    analyzer
        What makes the analyzer in the worker: ``module:function``, called with ``preset_dir`` and
        ``heard_s``.
    heard_s
        Seconds heard of a longer file, from its middle.
    """

    def __init__(
        self,
        preset_dir: Path,
        *,
        workers: int | None = None,
        queue: int = 32,
        timeout_s: float = 30.0,
        start_timeout_s: float = 60.0,
        max_jobs: int = 500,
        expected_model_id: str | None = None,
        memory_bytes: int = MEMORY_BYTES,
        analyzer: str = ANALYZER,
        heard_s: float = HEARD_S,
    ) -> None:
        self.size = workers or min(MAX_DEFAULT_WORKERS, os.cpu_count() or 1)
        self._queue, self._timeout_s, self._max_jobs = queue, timeout_s, max_jobs
        launch = Launch(
            preset_dir=preset_dir.resolve(),
            analyzer=analyzer,
            heard_s=heard_s,
            memory_bytes=memory_bytes,
            start_timeout_s=start_timeout_s,
        )
        self._stats = Stats()
        self._starter = WorkerSupervisor(
            launch, expected_model_id=expected_model_id, stats=self._stats
        )
        self._slots = asyncio.Semaphore(self.size)  # fair: first come, first served
        self._idle: list[WorkerProcess] = []
        self._waiting = 0
        self._measures: tuple[Measure, ...] = ()
        self._gone: asyncio.Task[None] | None = None

    @property
    def stats(self) -> Stats:
        """What the pool has done so far, as a copy."""
        return replace(self._stats)

    @property
    def waiting(self) -> int:
        """How many clips wait for a worker."""
        return self._waiting

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers there are."""
        return tuple(child.pid for child in self._starter.children)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What the workers gave up, as the last one that started reported it."""
        return self._measures

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def analyze(self, path: Path) -> Analysis:
        """Analyse one clip.

        Parameters
        ----------
        path
            A file this process may read.

        Returns
        -------
        Analysis
            As the worker's analyzer made it, checked.

        Raises
        ------
        InputRefused
            The clip is at fault.
        Busy
            As many clips are waiting as may.
        AnalysisTimeout, WorkerCrashed
            The clip took too long or killed its worker, and is not tried again.
        WorkerUnavailable, PresetError
            No worker can be started.
        PoolClosed
            The pool is shutting down.
        """
        self._starter.check_open()
        if self._slots.locked() and self._waiting >= self._queue:
            raise Busy(
                f"Too many clips are waiting: this one would be number {self._waiting + 1} in the "
                "queue. Try again in a minute."
            )
        return await self._analyze(path)

    async def analyze_many(
        self, paths: Iterable[Path]
    ) -> AsyncGenerator[tuple[Path, Analysis | GenrecError], None]:
        """Analyse clips with every worker, yielding each as it is done, in no fixed order.

        Only a few clips are looked ahead, so ``paths`` may be long or slow, and clips of `analyze`
        get their turn in between. Close the iterator (`contextlib.aclosing`) if you leave it early.

        Yields
        ------
        path, result
            The analysis, or the error that is this clip's own: InputRefused, AnalysisTimeout or
            WorkerCrashed.

        Raises
        ------
        WorkerUnavailable, PresetError, PoolClosed
            The next clip would fare no better.
        """
        todo, jobs = iter(paths), dict[asyncio.Task[Analysis], Path]()
        try:
            while True:
                while len(jobs) <= self.size and (path := next(todo, None)) is not None:
                    jobs[asyncio.ensure_future(self._analyze(path))] = path
                if not jobs:
                    return
                done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
                for job in done:
                    error = job.exception()
                    if error is None:
                        yield jobs.pop(job), job.result()
                    elif isinstance(error, InputRefused | AnalysisTimeout | WorkerCrashed):
                        yield jobs.pop(job), error
                    else:
                        raise error
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def warm(self) -> None:
        """Start every worker now.

        Raises
        ------
        WorkerUnavailable, PresetError
            One cannot be started; those that can be are.
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
        """End every worker; jobs still there fail with PoolClosed. Returns when all are gone."""
        self._starter.close()  # before the first await, so that even a cancelled close ends them
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._wait_until_gone())
        await asyncio.shield(self._gone)

    async def _wait_until_gone(self) -> None:
        for _ in range(self.size):  # each comes after the jobs that wait for it, who leave
            await self._slots.acquire()
        await asyncio.gather(*(child.end() for child in tuple(self._starter.children)))
        self._idle.clear()

    async def _warm_one(self) -> None:
        await self._take_slot()
        try:
            if len(self._starter.children) < self.size:
                self._idle.append(await self._start())
        finally:
            self._slots.release()

    async def _analyze(self, path: Path) -> Analysis:
        await self._take_slot()
        child: WorkerProcess | None = None
        fit = False
        try:
            child = await self._ready_child()
            analysis = await self._ask(child, path)
            fit = True
            return analysis
        except InputRefused:
            fit = True
            raise
        finally:  # also on cancellation: a worker in an unknown state is never given back
            await self._give_back(child, fit=fit)

    async def _take_slot(self) -> None:
        self._starter.check_open()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        if self._starter.closed:
            self._slots.release()
            self._starter.check_open()

    async def _ready_child(self) -> WorkerProcess:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            code = await child.end()  # not this job's doing
            log.warning("Worker %d ended while idle: %s.", child.pid, describe_exit(code))
        return await self._start()

    async def _start(self) -> WorkerProcess:
        child = await self._starter.start()
        self._measures = child.measures
        return child

    async def _ask(self, child: WorkerProcess, path: Path) -> Analysis:
        """Have one clip analysed, and put what can go wrong into words."""
        try:
            analysis = await child.analyze(path, timeout_s=self._timeout_s)
        except InputRefused:
            self._stats.refused += 1
            raise
        except TimeoutError as error:
            raise self._too_slow() from error
        except WorkerExited as error:
            code = await child.end()
            self._starter.check_open()
            if code in _OUT_OF_TIME:
                raise self._too_slow() from error
            raise self._crashed(child, describe_exit(code)) from error
        except ProtocolError as error:
            raise self._crashed(child, str(error)) from error
        self._stats.done += 1
        return analysis

    def _too_slow(self) -> AnalysisTimeout:
        self._stats.timeouts += 1
        return AnalysisTimeout(
            f"The analysis of this clip took longer than {self._timeout_s:g} s and was ended. "
            "Send a shorter clip, or save it in another format."
        )

    def _crashed(self, child: WorkerProcess, reason: str) -> WorkerCrashed:
        self._stats.crashed += 1
        log.warning("Worker %d failed: %s. Its stderr ends:\n%s", child.pid, reason, child.tail)
        return WorkerCrashed(
            f"The analysis of this clip failed: {reason}. It is not tried again; save the clip in "
            "another format, or send another one."
        )

    async def _give_back(self, child: WorkerProcess | None, *, fit: bool) -> None:
        """Return a slot, and with it the child if that may be used again; end it otherwise."""
        worn = child is not None and child.jobs >= self._max_jobs
        self._stats.recycled += fit and worn
        if child is None:
            self._slots.release()
        elif fit and not worn:
            self._idle.append(child)
            self._slots.release()
        else:  # the slot stays taken until the process is gone, also if this is cancelled
            ending = asyncio.ensure_future(child.end())
            ending.add_done_callback(lambda _: self._slots.release())
            await asyncio.shield(ending)
