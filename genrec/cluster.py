"""Client of a Dask cluster: hands out tasks through a process of its own, and gets bytes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from genrec.errors import ClusterLost, DataError
from genrec.workers import protocol, sandbox
from genrec.workers.protocol import Head, ProtocolError

log = logging.getLogger(__name__)

_START_S, _STOP_S = 30.0, 3.0


class ClusterClient:
    """Runs tasks on the workers of a Dask cluster. Async context manager for one event loop.

    Parameters
    ----------
    address
        Address of the scheduler, ``tls://HOST:PORT``, or ``tcp://HOST:PORT`` on loopback. The
        certificates of TLS are those of Dask's own configuration.
    task
        Coroutine function that the workers call with the bytes of a task, as ``module:function``.
        It returns the bytes of the reply, at most `genrec.workers.protocol.MAX_BLOB_BYTES`.
    environment
        Dask's variables; the process gets no other of this one's environment.
    """

    def __init__(self, address: str, task: str, *, environment: Mapping[str, str]) -> None:
        self._address, self._task = address, task
        self._environment = {**sandbox.environment(), **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._replies: dict[int, asyncio.Future[bytes]] = {}
        self._last_job, self._threads = 0, 0
        self._lost: ClusterLost | None = None

    @property
    def threads(self) -> int:
        """Number of tasks that all workers together run at once, when last counted."""
        return self._threads

    @property
    def pid(self) -> int:
        """The id of the process that is connected to the cluster."""
        assert self._process is not None, "enter the context first"
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Connect to the cluster.

        Raises
        ------
        ClusterLost
            The scheduler cannot be reached, or has no worker.
        DataError
            Dask is not installed.
        """
        if find_spec("distributed") is None:
            raise DataError(
                "GENREC_CLUSTER needs Dask: install genrec with the extra, genrec[cluster], or"
                " unset GENREC_CLUSTER."
            )
        self._process = await asyncio.create_subprocess_exec(
            *sandbox.command("genrec.cluster_process", self._address, self._task),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd="/",
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_S):
                await self._read_frame()
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError, TimeoutError) as error:
            self._lost = self._gone()
            self._lost.__cause__ = error
        if self._lost is not None:
            await self._stop()
            raise self._lost
        self._reading = asyncio.create_task(self._read())
        log.info("cluster connected: %s, threads=%d", self._address, self._threads)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._stop()

    async def run(self, task: bytes) -> bytes:
        """Return the reply of a worker to a task.

        A task whose worker is lost is run again by others, up to five times.

        Raises
        ------
        ClusterLost
            The scheduler is gone, no worker is left for a minute, or each worker with this task was
            lost.
        """
        if self._lost is not None:
            raise self._lost
        self._last_job += 1
        job = self._last_job
        reply = self._replies[job] = asyncio.get_running_loop().create_future()
        done = False
        try:
            await self._send({"job": job}, task)
            result: bytes = await reply
            done = True
            return result
        finally:
            del self._replies[job]
            if not done and self._lost is None:
                with contextlib.suppress(ClusterLost):
                    await self._send({"cancel": job})

    async def _send(self, head: Head, task: bytes = b"") -> None:
        out = self._process.stdin if self._process is not None else None
        assert out is not None, "enter the context first"
        try:
            out.write(protocol.pack(head, task))
            await out.drain()
        except OSError as error:
            raise self._gone() from error

    async def _read(self) -> None:
        """Give the replies to their tasks until the process ends."""
        try:
            while True:
                await self._read_frame()
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError) as error:
            log.warning("cluster lost: %s: %s", self._address, error)
            self._lost = self._gone()
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(self._gone())

    async def _read_frame(self) -> None:
        source = self._process.stdout if self._process is not None else None
        assert source is not None, "enter the context first"
        head, blob = await protocol.receive(source)
        if "threads" in head:
            threads = head["threads"]
            if type(threads) is not int or threads < 0:
                raise ProtocolError("threads: expected 0 or more")
            self._threads = threads
            return
        error = protocol.unpack_error(head, codes=(ClusterLost.code,))
        if head.get("job") == 0 and isinstance(error, ClusterLost):
            self._lost = error
            return
        reply = self._replies.get(head.get("job", 0))
        if reply is None or reply.done():  # cancelled meanwhile
            return
        if error is not None:
            reply.set_exception(error)
        else:
            reply.set_result(blob)

    async def _stop(self) -> None:
        """Close the process's input, at which it ends; kill it if it does not."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _gone(self) -> ClusterLost:
        return ClusterLost(
            f"The connection to the cluster at {self._address} is lost: see that its scheduler"
            " runs, and then index again, which resumes."
        )
