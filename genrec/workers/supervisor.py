"""How a pool gets its workers, and how long it leaves off after one did not start."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from dataclasses import dataclass

from genrec.errors import GenrecError, ModelMismatch, PoolClosed, PresetError, WorkerUnavailable
from genrec.workers.process import Launch, ProtocolError, WorkerExited, WorkerProcess

log = logging.getLogger(__name__)

ATTEMPTS = 3  # for one job: something from outside may end a worker as it starts
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0  # after failed starts, doubling
PATIENCE_S = 2.0  # how much of a pause a job waits for, before it is told that there is no worker


@dataclass(slots=True)
class Stats:
    """What a pool has done so far.

    Attributes
    ----------
    started
        Workers that came up.
    failed_starts
        Workers that did not.
    done
        Clips analysed.
    refused
        Clips at fault themselves.
    crashed
        Clips whose worker died, or said something that cannot be.
    timeouts
        Clips whose worker was killed for its time.
    recycled
        Workers replaced after ``max_jobs`` clips.
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
    launch
        What they are started with.
    expected_model_id
        What they must run; None takes what the first one runs, and holds the others to it.
    stats
        Counted in here.
    """

    def __init__(self, launch: Launch, *, expected_model_id: str | None, stats: Stats) -> None:
        self._launch, self._model_id, self._stats = launch, expected_model_id, stats
        self._failures, self._pause_until, self._reason = 0, 0.0, ""  # of starts in a row
        self._closing = asyncio.Event()
        self.children: set[WorkerProcess] = set()
        """Every worker that is not gone: starting, idle, at work or ending."""

    @property
    def closed(self) -> bool:
        """Whether no more workers are started."""
        return self._closing.is_set()

    def close(self) -> None:
        """Start no more workers, and kill the running ones; `WorkerProcess.end` reaps them."""
        self._closing.set()
        for child in self.children:
            child.kill()

    def check_open(self) -> None:
        """Raise PoolClosed after `close`."""
        if self.closed:
            raise PoolClosed("genrec is shutting down. Ask again when it is back.")

    async def start(self) -> WorkerProcess:
        """Start a worker, with a few attempts: no clip has been near it, so none can be at fault.

        Raises
        ------
        WorkerUnavailable
            It did not start, or others did not just now.
        PresetError
            It refuses its preset, or runs another one than it should.
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
            child = await self._spawn()
        except (WorkerUnavailable, PresetError) as error:
            self.check_open()  # then it is no wonder
            self._failed(error)
            raise
        self._failures = 0
        self._stats.started += 1
        return child

    async def _pause(self) -> None:
        """Wait out the pause after failed starts, if it is short."""
        left_s = self._pause_until - asyncio.get_running_loop().time()
        if left_s > PATIENCE_S and not self.closed:
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
            child = WorkerProcess(self._launch, on_end=self.children.discard)
        except OSError as error:
            raise WorkerUnavailable(
                f"No process could be started to analyse the clip: {error.strerror}. "
                "Try again in a minute."
            ) from error
        self.children.add(child)
        up = False
        try:
            await child.hello()
            self._check_model(child)
            up = True
        except TimeoutError as error:
            await child.end()
            raise self._unavailable(child, "it did not load its preset in time") from error
        except (WorkerExited, OSError) as error:  # OSError: this process is out of descriptors
            raise self._unavailable(child, describe_exit(await child.end())) from error
        except ProtocolError as error:
            await child.end()
            raise self._unavailable(child, str(error)) from error
        finally:
            if not up:
                await child.end()
        return child

    def _unavailable(self, child: WorkerProcess, reason: str) -> WorkerUnavailable:
        log.warning("Worker %d did not start: %s. Stderr ends:\n%s", child.pid, reason, child.tail)
        return WorkerUnavailable(
            f"No worker could be started to analyse the clip: {reason}. The log says more; "
            "`genrec doctor` looks for the cause."
        )

    def _check_model(self, child: WorkerProcess) -> None:
        if self._model_id is None:
            self._model_id = child.model_id
        if child.model_id != self._model_id:
            raise ModelMismatch(
                f"The preset's folder holds {child.model_id}, and {self._model_id} is in use. "
                "Restart genrec to change the preset, and re-index the library."
            )


def describe_exit(code: int) -> str:
    """Say how a process ended, from its exit code (-N: by signal N)."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"
