"""One worker process in the parent: start it, send it clips, stop it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from genrec.types import Analysis, Runtime, Section, SoundExcerpt
from genrec.workers import protocol, sandbox
from genrec.workers.fd_path import open_clip

log = logging.getLogger(__name__)

_TAIL_BYTES = 4096  # of stderr: enough for a traceback
_REAP_S = 5.0  # a killed process exits within milliseconds, unless it is blocked in the kernel
_PRESET_CODES = ("preset", "model_mismatch")


class WorkerExited(Exception):
    """The worker process has exited."""


class WorkerError(Exception):
    """The worker reported an exception that is not a GenrecError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Parameters of every worker of a pool.

    Attributes
    ----------
    preset_dir
        The models/NAME folder to load.
    analyzer
        Factory of the analyzer, as ``module:function``.
    max_analyzed_s
        Seconds analysed of a longer file.
    runtime
        Library that runs the network, as in :func:`genrec.runtimes.open_network`.
    memory_bytes
        Memory limit.
    start_timeout_s
        Seconds to load the preset.
    cpu_s
        CPU seconds of a worker's life.
    """

    preset_dir: Path
    analyzer: str
    max_analyzed_s: float
    runtime: Runtime
    memory_bytes: int
    start_timeout_s: float
    cpu_s: float


class WorkerProcess:
    """A worker process with its own channel, stderr and process group.

    Workers share no lock, queue or pipe, so killing one at any time affects only its own job.
    Create it in the event loop that uses it.

    Parameters
    ----------
    config
        Parameters of the worker.
    on_exit
        Called once when the process has exited.
    """

    def __init__(self, config: WorkerConfig, *, on_exit: Callable[[WorkerProcess], None]) -> None:
        self._config, self._on_exit = config, on_exit
        self._channel, worker_end = socket.socketpair()
        worker_end.setblocking(True)  # independent of socket.setdefaulttimeout
        self._stderr, stderr = os.pipe()
        self._stderr_tail = b""
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._stopping: asyncio.Task[int] | None = None
        self.jobs, self.busy_s = 0, 0.0
        self.model_id, self.runtime = "", ""
        self.measures: tuple[sandbox.Measure, ...] = ()
        self.warnings: list[str] = []
        try:
            self._process = _spawn(config, worker_end.fileno(), stderr)
        except BaseException:
            self._channel.close()
            os.close(self._stderr)
            raise
        finally:
            worker_end.close()
            os.close(stderr)
        os.set_blocking(self._stderr, False)
        asyncio.get_running_loop().add_reader(self._stderr, self._drain)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        if self._process.returncode is not None:
            return False
        if sys.platform == "darwin":  # no os.waitid before Python 3.13
            return self._reader is not None and not self._reader.at_eof()
        # WNOWAIT leaves a zombie, so that its pid and group id cannot be reused before `stop`.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def stderr_tail(self) -> str:
        """The last lines of stderr, without control characters."""
        lines = self._stderr_tail.decode(errors="replace").strip().splitlines()
        return "\n".join(protocol.printable(line) for line in lines)

    async def wait_ready(self) -> None:
        """Wait until the worker has loaded its preset.

        Raises
        ------
        PresetError
            The worker cannot load the preset.
        WorkerExited, WorkerError, ProtocolError, TimeoutError
            The worker did not start.
        """
        async with asyncio.timeout(self._config.start_timeout_s):
            # asyncio gets a copy of the socket, because clips are sent through the original.
            streams = await asyncio.open_unix_connection(sock=self._channel.dup())
            self._reader, self._writer = streams
            head, _ = await _receive(self._reader, job=0, codes=_PRESET_CODES)
        ready = protocol.unpack_ready(head)
        self.model_id, self.runtime, measures, self.warnings = ready
        self.measures = tuple(sandbox.Measure(*measure) for measure in measures)

    async def analyze(
        self, path: Path, section: Section | None = None, *, timeout_s: float
    ) -> Analysis:
        """Return the worker's analysis of one clip or a section of it.

        After any error but InputRefused, and after cancellation, the worker must not be used again.

        Raises
        ------
        InputRefused
            The clip cannot be analysed.
        WorkerExited, WorkerError, ProtocolError, TimeoutError
            The worker failed.
        """
        reply, blob = await self._request(path, section, None, timeout_s)
        return protocol.unpack_analysis(reply, blob, model_id=self.model_id)

    async def excerpt(
        self, path: Path, section: Section | None, *, seconds: float, timeout_s: float
    ) -> SoundExcerpt:
        """Return an excerpt of one file or a section of it; errors are those of `analyze`."""
        reply, blob = await self._request(path, section, seconds, timeout_s)
        return protocol.unpack_excerpt(reply, blob, excerpt_s=seconds)

    async def _request(
        self, path: Path, section: Section | None, excerpt_s: float | None, timeout_s: float
    ) -> tuple[protocol.Head, bytes]:
        """Send a clip and return the worker's reply."""
        started = time.monotonic()
        async with asyncio.timeout(timeout_s):
            clip = await _open_in_thread(path)
            try:
                self.jobs += 1
                frame = protocol.pack_clip(self.jobs, timeout_s, path.name, section, excerpt_s)
                # A few hundred bytes into an empty buffer: this cannot block.
                socket.send_fds(self._channel, [frame], [clip])
            except OSError as error:
                raise WorkerExited from error
            finally:
                os.close(clip)
            assert self._reader is not None, "call wait_ready first"
            reply, blob = await _receive(self._reader, job=self.jobs)
        self.busy_s += time.monotonic() - started
        return reply, blob

    def kill(self) -> None:
        """Kill the process group without waiting; `stop` reaps it."""
        if self._process.returncode is None:  # not reaped, so the group id is still valid
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def stop(self) -> int:
        """Kill the worker, wait for its exit and return the exit code (-N: by signal N)."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        return await asyncio.shield(self._stopping)

    async def _stop(self) -> int:
        try:
            return await self._reap()
        finally:
            self._on_exit(self)

    async def _reap(self) -> int:
        self.kill()
        deadline = asyncio.get_running_loop().time() + _REAP_S
        while (code := self._process.poll()) is None:
            if asyncio.get_running_loop().time() > deadline:
                log.error(
                    "worker not reaped: pid %d is alive %g s after SIGKILL", self.pid, _REAP_S
                )
                break
            await asyncio.sleep(0.002)
        self._drain()
        asyncio.get_running_loop().remove_reader(self._stderr)
        os.close(self._stderr)
        self._channel.close()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        return -signal.SIGKILL if code is None else code

    def _drain(self) -> None:
        """Read stderr and keep its end; a full pipe would block the worker."""
        with suppress(BlockingIOError):
            text = os.read(self._stderr, 1 << 16)
            self._stderr_tail = (self._stderr_tail + text)[-_TAIL_BYTES:]
            if not text:
                asyncio.get_running_loop().remove_reader(self._stderr)


async def _open_in_thread(path: Path) -> int:
    """Open a clip in a thread, because a network drive may block for long."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_clip, path))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)
        raise


def _close_unused(opening: asyncio.Task[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _spawn(config: WorkerConfig, channel: int, stderr: int) -> subprocess.Popen[bytes]:
    options = ["--channel", str(channel), "--analyzer", config.analyzer]
    options += ["--memory", str(config.memory_bytes)]
    options += ["--cpu", str(config.cpu_s)]
    options += ["--max-analyzed-s", str(config.max_analyzed_s), "--runtime", config.runtime]
    return subprocess.Popen(
        sandbox.command("genrec.workers.worker", str(config.preset_dir), *options),
        stdin=subprocess.DEVNULL,
        stdout=stderr,  # libraries may print to stdout; the channel is separate
        stderr=stderr,
        env=sandbox.environment(),
        cwd="/",
        start_new_session=True,
        pass_fds=[channel],
    )


async def _receive(
    reader: asyncio.StreamReader, *, job: int, codes: tuple[str, ...] = protocol.CLIP_CODES
) -> tuple[protocol.Head, bytes]:
    """Return the reply to ``job``, or raise the error in it."""
    try:
        head, blob = await protocol.receive(reader)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise WorkerExited from error
    protocol.check_job(head, job)
    unexpected = protocol.unexpected_error(head)
    if unexpected is not None:
        raise WorkerError(unexpected)
    refusal = protocol.unpack_error(head, codes=codes)
    if refusal is not None:
        raise refusal
    return head, blob
