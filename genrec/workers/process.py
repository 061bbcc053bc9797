"""One worker process as its parent sees it: start it, hand it a clip, end it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from genrec.types import Analysis
from genrec.workers import protocol, sandbox
from genrec.workers.fd_path import open_clip

log = logging.getLogger(__name__)

_TAIL_BYTES = 4096  # of stderr: enough for a traceback
_REAP_S = 5.0  # a killed process is gone within milliseconds, unless it hangs in the kernel
_PRESET_CODES = ("preset", "model_mismatch")


class WorkerExited(Exception):
    """The worker ended, by itself or by somebody else's hand."""


class ProtocolError(Exception):
    """The worker said something that cannot be, or met an exception that nobody foresaw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What every worker of a pool is started with."""

    preset_dir: Path
    analyzer: str
    heard_s: float
    memory_bytes: int
    start_timeout_s: float


class WorkerProcess:
    """A worker process with a channel, a stderr and a process group of its own.

    No lock, queue or pipe is shared between workers, so that one that is killed at any instant can
    hurt its own job alone. Made in the event loop that will use it; ``on_end`` hears when it is
    gone.
    """

    def __init__(self, launch: Launch, *, on_end: Callable[[WorkerProcess], None]) -> None:
        self._launch, self._on_end = launch, on_end
        self._channel, theirs = socket.socketpair()
        theirs.setblocking(True)  # whatever the process' default is
        self._stderr, stderr = os.pipe()
        self._tail = b""
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ending: asyncio.Task[int] | None = None
        self.jobs = 0
        self.model_id = ""
        self.measures: tuple[sandbox.Measure, ...] = ()
        try:
            self._process = _spawn(launch, theirs.fileno(), stderr)
        except BaseException:
            self._channel.close()
            os.close(self._stderr)
            raise
        finally:
            theirs.close()
            os.close(stderr)
        os.set_blocking(self._stderr, False)
        asyncio.get_running_loop().add_reader(self._stderr, self._drain)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        if self._process.returncode is not None:
            return False
        if sys.platform == "darwin":  # which lacks waitid before Python 3.13
            return self._reader is not None and not self._reader.at_eof()
        # Without reaping it: while it is a zombie its number, and its group's, is nobody else's.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def tail(self) -> str:
        """The end of what it wrote to stderr, made printable."""
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return "\n".join(protocol.printable(line) for line in lines)

    async def hello(self) -> None:
        """Wait until the worker has loaded its preset.

        Raises
        ------
        PresetError
            It refused the preset, and says why.
        WorkerExited, ProtocolError, TimeoutError
            It did not come up.
        """
        async with asyncio.timeout(self._launch.start_timeout_s):
            # A copy of the socket for asyncio: clips are handed over through the other one.
            streams = await asyncio.open_unix_connection(sock=self._channel.dup())
            self._reader, self._writer = streams
            head, _ = await _receive(self._reader, job=0, codes=_PRESET_CODES)
        try:
            self.model_id, measures = protocol.unpack_hello(head)
        except protocol.BadFrame as error:
            raise ProtocolError(str(error)) from error
        self.measures = tuple(sandbox.Measure(*measure) for measure in measures)

    async def analyze(self, path: Path, *, timeout_s: float) -> Analysis:
        """Have one clip analysed; cancelled or failed, the worker is not to be used again.

        Raises
        ------
        InputRefused
            The clip is at fault; after this, and only this, the worker may be used again.
        WorkerExited, ProtocolError, TimeoutError
            The worker is at fault.
        """
        async with asyncio.timeout(timeout_s):
            clip = await _open_aside(path)
            try:
                self.jobs += 1
                job = {"job": self.jobs, "timeout_s": timeout_s, "name": path.name}
                # Some hundred bytes into an empty buffer: this cannot block.
                socket.send_fds(self._channel, [protocol.pack(job)], [clip])
            except OSError as error:
                raise WorkerExited from error
            finally:
                os.close(clip)
            assert self._reader is not None, "hello comes first"
            head, blob = await _receive(self._reader, job=self.jobs)
        try:
            return protocol.unpack_analysis(head, blob, model_id=self.model_id)
        except protocol.BadFrame as error:
            raise ProtocolError(str(error)) from error

    def kill(self) -> None:
        """End the worker and all it started, now; `end` clears up after it."""
        if self._process.returncode is None:  # not reaped yet, so the group is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> int:
        """End the worker, wait until it is gone, and return its exit code (-N: by signal N)."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
        return await asyncio.shield(self._ending)

    async def _end(self) -> int:
        try:
            return await self._reap()
        finally:
            self._on_end(self)

    async def _reap(self) -> int:
        self.kill()
        deadline = asyncio.get_running_loop().time() + _REAP_S
        while (code := self._process.poll()) is None:
            if asyncio.get_running_loop().time() > deadline:
                log.error("Worker %d does not end when killed.", self.pid)
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
        """Keep the end of stderr; were the pipe to fill up, the worker would stop."""
        with suppress(BlockingIOError):
            text = os.read(self._stderr, 1 << 16)
            self._tail = (self._tail + text)[-_TAIL_BYTES:]
            if not text:
                asyncio.get_running_loop().remove_reader(self._stderr)


async def _open_aside(path: Path) -> int:
    """Open a clip in a thread: on a network drive that may take long."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_clip, path))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)
        raise


def _close_unused(opening: asyncio.Task[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _spawn(launch: Launch, channel: int, stderr: int) -> subprocess.Popen[bytes]:
    options = ["--channel", str(channel), "--analyzer", launch.analyzer]
    options += ["--memory", str(launch.memory_bytes), "--heard-s", str(launch.heard_s)]
    return subprocess.Popen(
        sandbox.command("genrec.workers.worker", str(launch.preset_dir), *options),
        stdin=subprocess.DEVNULL,
        stdout=stderr,  # a library that prints there says nothing to the parent
        stderr=stderr,
        env=sandbox.environment(),
        cwd="/",
        start_new_session=True,
        pass_fds=[channel],
    )


async def _receive(
    reader: asyncio.StreamReader, *, job: int, codes: tuple[str, ...] = protocol.STATED_BY_WORKERS
) -> tuple[protocol.Head, bytes]:
    """Read the answer to ``job``, and raise the error in it."""
    try:
        head, blob = await protocol.receive(reader)
        if head.get("job") != job:
            raise protocol.BadFrame("the answer to another job")
        message = protocol.bug(head)
        error = None if message is not None else protocol.unpack_error(head, codes=codes)
    except protocol.BadFrame as bad:
        raise ProtocolError(str(bad)) from bad
    except (asyncio.IncompleteReadError, ConnectionError) as gone:
        raise WorkerExited from gone
    if message is not None:
        raise ProtocolError(message)
    if error is not None:
        raise error
    return head, blob
