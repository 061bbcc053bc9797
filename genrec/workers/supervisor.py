"""Start the workers of a pool, with pauses after failed starts."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from dataclasses import dataclass

from genrec.errors import GenrecError, ModelMismatch, PoolClosed, PresetError, WorkerUnavailable
from genrec.workers.process import WorkerConfig, WorkerError, WorkerExited, WorkerProcess
from genrec.workers.protocol import ProtocolError

log = logging.getLogger(__name__)

ATTEMPTS = 3  # per job: something outside genrec may kill a worker as it starts
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0  # after failed starts, doubling
MAX_WAIT_S = 2.0  # longest pause that a job waits for; with a longer one it fails at once


@dataclass(slots=True)
class PoolStats:
    """Counters of a pool since its start.

    Attributes
    ----------
    started
        Workers that started.
    failed_starts
        Workers that did not start.
    done
        Clips that were analysed.
    refused
        Clips that could not be analysed.
    crashed
        Clips whose worker exited, raised an unexpected exception or violated the protocol.
    timeouts
        Clips whose worker was killed at the time limit.
    recycled
        Workers that were replaced after ``max_jobs`` clips.
    """

    started: int = 0
    failed_starts: int = 0
    done: int = 0
    refused: int = 0
    crashed: int = 0
    timeouts: int = 0
    recycled: int = 0


class WorkerSupervisor:
    """Starts the workers of one pool.

    Parameters
    ----------
    config
        Parameters of every worker.
    expected_model_id
        Model id that every worker must have; None accepts that of the first worker.
    stats
        Counters to update.
    """

    def __init__(
        self, config: WorkerConfig, *, expected_model_id: str | None, stats: PoolStats
    ) -> None:
        self._config, self._model_id, self._stats = config, expected_model_id, stats
        self._failures, self._pause_until, self._reason = 0, 0.0, ""  # of starts in a row
        self._closing = asyncio.Event()
        self.workers: set[WorkerProcess] = set()
        """Every worker that has not exited: starting, idle, busy or stopping."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def close(self) -> None:
        """Kill all workers and start no more; `WorkerProcess.stop` reaps them."""
        self._closing.set()
        for worker in self.workers:
            worker.kill()

    def check_open(self) -> None:
        """Raise PoolClosed after `close`."""
        if self.closed:
            raise PoolClosed("genrec is shutting down. Try again when it is back.")

    async def start(self) -> WorkerProcess:
        """Start a worker, in up to `ATTEMPTS` attempts.

        A retry is safe, because no clip has been sent to the worker.

        Raises
        ------
        WorkerUnavailable
            No attempt succeeded, or the pause after failed starts is long.
        PresetError
            The preset cannot be loaded, or has another model id.
        PoolClosed
            The pool is shutting down.
        """
        for _ in range(ATTEMPTS - 1):
            with suppress(WorkerUnavailable):
                return await self._attempt()
        return await self._attempt()

    async def _attempt(self) -> WorkerProcess:
        await self._pause()
        try:
            worker = await self._spawn()
        except (WorkerUnavailable, PresetError) as error:
            self.check_open()  # a closed pool kills workers that start
            self._failed(error)
            raise
        self._failures = 0
        self._stats.started += 1
        return worker

    async def _pause(self) -> None:
        """Wait for the end of a short pause; raise WorkerUnavailable if it is longer."""
        left_s = self._pause_until - asyncio.get_running_loop().time()
        if left_s > MAX_WAIT_S and not self.closed:
            raise WorkerUnavailable(f"{self._reason} The next attempt is in {left_s:.0f} s.")
        if left_s > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), left_s)
        self.check_open()

    def _failed(self, error: GenrecError) -> None:
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failures, 20))
        self._failures += 1
        self._stats.failed_starts += 1
        self._pause_until = asyncio.get_running_loop().time() + pause_s
        self._reason = str(error)

    async def _spawn(self) -> WorkerProcess:
        try:
            worker = WorkerProcess(self._config, on_exit=self.workers.discard)
        except OSError as error:
            raise WorkerUnavailable(
                f"No process could be started to analyse the clip: {error.strerror}. "
                "Try again in a minute."
            ) from error
        self.workers.add(worker)
        ready = False
        try:
            await worker.wait_ready()
            self._check_model(worker)
            ready = True
        except TimeoutError as error:
            await worker.stop()
            raise self._unavailable(worker, "it did not load its preset in time") from error
        except (WorkerExited, OSError) as error:  # OSError: no descriptors left in this process
            raise self._unavailable(worker, describe_exit(await worker.stop())) from error
        except (WorkerError, ProtocolError) as error:
            await worker.stop()
            raise self._unavailable(worker, str(error)) from error
        finally:
            if not ready:
                await worker.stop()
        return worker

    def _unavailable(self, worker: WorkerProcess, reason: str) -> WorkerUnavailable:
        log.warning(
            "worker start failed: pid %d: %s; end of its stderr:\n%s",
            worker.pid, reason, worker.stderr_tail,
        )  # fmt: skip
        return WorkerUnavailable(
            f"No worker could be started to analyse the clip: {reason}. See the log, or run "
            "`genrec doctor`."
        )

    def _check_model(self, worker: WorkerProcess) -> None:
        if self._model_id is None:
            self._model_id = worker.model_id
        if worker.model_id != self._model_id:
            raise ModelMismatch(
                f"The preset folder now holds {worker.model_id}, but {self._model_id} is in use. "
                "Restart genrec to change the preset, and re-index the library."
            )


def describe_exit(code: int) -> str:
    """Return a phrase for an exit code (-N: killed by signal N)."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
