"""The process that speaks with a Dask cluster, so that the bot does not.

Dask (Rocklin, 2015) spreads tasks over machines and starts those of a lost worker anew. Its client
unpickles what a scheduler sends in several places. So it runs in this program, which has no token
and no database, and passes tasks and replies on as bytes: `genrec.cluster` starts it. What analyses
a file is the sandboxed process of `genrec.workers`, of which each worker of the cluster has a pool.
So a file that crashes or hangs ends that process, and never a worker of the cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from distributed import Client, KilledWorker, Security

from genrec.errors import ClusterLost, GenrecError
from genrec.workers import protocol

log = logging.getLogger(__name__)

Task = Callable[[bytes], Awaitable[bytes]]

# Also here as little as possible is unpickled.
_DESERIALIZERS = ["dask", "msgpack", "error"]
_ATTEMPTS = 5  # of a task whose workers were lost, each with all of Dask's own
_CONNECT_S, _POLL_S = 10.0, 1.0
_WITHOUT_WORKERS_S = 60.0


class DaskConnection:
    """Runs tasks on the workers of a Dask cluster. Async context manager.

    ``address`` is that of the scheduler, and the workers call ``task`` with the bytes of a task.
    After ``without_workers_s`` without a worker tasks fail.
    """

    def __init__(self, address: str, task: Task, *, without_workers_s: float) -> None:
        self._address, self._task = address, task
        self._without_workers_s = without_workers_s
        self._client: Any = None
        self._lost: asyncio.Future[ClusterLost] | None = None
        self.threads = 0
        """Number of tasks that all workers together run at once, when last counted."""

    async def __aenter__(self) -> Self:
        """Connect; raise ClusterLost if there is no scheduler, or no worker."""
        encrypted = self._address.startswith("tls://")
        try:
            security = Security(require_encryption=encrypted)  # type: ignore[no-untyped-call]
            if encrypted:
                self._check_certificates(security)
            self._client = Client(  # type: ignore[no-untyped-call]
                self._address, asynchronous=True, set_as_default=False, timeout=_CONNECT_S,
                security=security, deserializers=_DESERIALIZERS,
            )  # fmt: skip
            await self._client
            await self._count()
        except (OSError, TypeError, ValueError) as error:
            await self._close()
            raise ClusterLost(
                f"The scheduler of the cluster at {self._address} cannot be reached"
                f" ({_reason(error)}): start `dask scheduler` there, or unset GENREC_CLUSTER."
            ) from error
        if not self.threads:
            await self._close()
            raise self._no_workers()
        self._lost = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def run(self, task: bytes) -> bytes:
        """Return the reply of a worker to a task.

        Raises
        ------
        ClusterLost
            The scheduler is gone, no worker is left, or each worker with this task was lost.
        """
        for _ in range(_ATTEMPTS):
            reply = await self._attempt(task)
            if reply is not None:
                return reply
        raise ClusterLost(
            f"Each worker of the cluster that had one of the tasks was lost, {_ATTEMPTS} times"
            " over: see the log of the workers, then index again, which resumes."
        )

    async def _attempt(self, task: bytes) -> bytes | None:
        """Return the reply, or None if every worker with this task was lost."""
        try:
            status, value = await self._outcome(task)
        except ClusterLost:
            raise
        except Exception as error:
            if isinstance(error, OSError) or self._client.status != "running":
                raise self._gone() from error  # the connection is closed
            raise
        if status == "finished" and isinstance(value, bytes):
            return value
        if isinstance(value, KilledWorker):
            return None
        if status == "cancelled" or self._client.status != "running":
            raise self._gone()
        raise ClusterLost(
            "A worker of the cluster failed at a task: see its log, and install the same version of"
            " genrec and distributed on all machines."
        )

    async def _outcome(self, task: bytes) -> tuple[str, object]:
        """Return the status of a task at its end, and its result or exception."""
        assert self._lost is not None, "enter the context first"
        if self._lost.done():
            raise self._lost.result()
        key = f"genrec-{uuid4().hex}"
        future = self._client.submit(self._task, task, key=key, pure=False, retries=_ATTEMPTS)
        waiting = asyncio.ensure_future(_finished(future))
        either: set[asyncio.Future[Any]] = {waiting, self._lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                raise self._lost.result()
            return waiting.result()
        finally:
            waiting.cancel()
            future.release()  # also takes a task that waits out of the queue

    async def watch(self, counted: Callable[[int], Awaitable[None]]) -> None:
        """Count the workers for ever; stop all tasks when scheduler or all workers are lost."""
        assert self._lost is not None, "enter the context first"
        loop = asyncio.get_running_loop()
        seen = loop.time()
        while not self._lost.done():
            await asyncio.sleep(_POLL_S)
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await self._count()
            except Exception:  # each kind: without an end all tasks would wait for ever
                log.exception("the workers of the cluster cannot be counted")
                self._lost.set_result(self._gone())
                return
            await counted(self.threads)
            if self.threads:
                seen = loop.time()
            elif loop.time() - seen > self._without_workers_s:
                self._lost.set_result(self._no_workers())

    def _check_certificates(self, security: Any) -> None:
        """Raise ClusterLost if a file that TLS needs is not set, or cannot be read."""
        for variable, file in (
            ("CA_FILE", security.tls_ca_file),
            ("CLIENT__CERT", security.tls_client_cert),
            ("CLIENT__KEY", security.tls_client_key),
        ):
            if not file or not os.access(file, os.R_OK):
                fault = f"is {file}, which cannot be read" if file else "is not set"
                raise ClusterLost(
                    f"The cluster at {self._address} needs certificates, and"
                    f" DASK_DISTRIBUTED__COMM__TLS__{variable} {fault}: set Dask's variables as in"
                    " docs/cluster.md, Certificates."
                )

    async def _count(self) -> None:
        self.threads = sum((await self._client.nthreads()).values())

    async def _close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                await self._client.close(timeout=2)

    def _gone(self) -> ClusterLost:
        return ClusterLost(
            f"The scheduler of the cluster at {self._address} is gone: start it again, and then the"
            " same indexing, which resumes."
        )

    def _no_workers(self) -> ClusterLost:
        return ClusterLost(
            f"The cluster at {self._address} has no workers: start `genrec worker` on a machine"
            " that can read the music, and then the same indexing, which resumes."
        )


async def _finished(future: Any) -> tuple[str, object]:
    """Return the status of a Dask future and its result or exception, as soon as it is done."""
    await future._state.wait()  # noqa: SLF001 - its public form raises what was pickled elsewhere
    status: str = future.status
    if status == "finished":
        return status, await future
    if status == "error":
        return status, future._state.exception  # noqa: SLF001 - as above
    return status, None


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".")


class TaskRelay:
    """Reads tasks from one pipe, and writes the replies to another, as frames with a job number."""

    def __init__(self, cluster: DaskConnection, out: asyncio.StreamWriter) -> None:
        self._cluster, self._out = cluster, out
        self._jobs: dict[int, asyncio.Task[None]] = {}

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Run the tasks that come, until the pipe is closed."""
        await self.send_threads(self._cluster.threads)
        watch = asyncio.create_task(self._cluster.watch(self.send_threads))
        try:
            while True:
                head, task = await protocol.receive(reader)
                if (job := head.get("cancel")) is not None:
                    if (running := self._jobs.get(job)) is not None:
                        running.cancel()
                else:
                    running = asyncio.create_task(self._run(head["job"], task))
                    self._jobs[head["job"]] = running
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            for each in (watch, *self._jobs.values()):
                each.cancel()
            await asyncio.gather(watch, *self._jobs.values(), return_exceptions=True)

    async def send_threads(self, threads: int) -> None:
        """Send the number of tasks that the workers run at once."""
        await self._send(protocol.pack({"threads": threads}))

    async def _run(self, job: int, task: bytes) -> None:
        try:
            frame = protocol.pack({"job": job}, await self._cluster.run(task))
        except GenrecError as error:
            frame = protocol.pack_error(job, error.code, str(error))
        except Exception as error:  # each kind: without a reply the task would wait for ever
            log.exception("a task could not be given to the cluster")
            lost = ClusterLost(
                f"The cluster could not be given a task ({_reason(error)}): see that its scheduler"
                " runs, and then index again, which resumes."
            )
            frame = protocol.pack_error(job, lost.code, str(lost))
        finally:
            del self._jobs[job]
        await self._send(frame)

    async def _send(self, frame: bytes) -> None:
        self._out.write(frame)
        await self._out.drain()


async def _serve(address: str, task: Task, channel: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, flow = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(channel, "wb")
    )
    out = asyncio.StreamWriter(transport, flow, None, loop)
    try:
        async with DaskConnection(address, task, without_workers_s=_WITHOUT_WORKERS_S) as cluster:
            await TaskRelay(cluster, out).serve(reader)
    except GenrecError as error:
        out.write(protocol.pack_error(0, error.code, str(error)))
        await out.drain()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until standard input is closed; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m genrec.cluster_process", description=__doc__)
    parser.add_argument("address", help="address of the scheduler")
    parser.add_argument("task", help="function of the workers as module:function")
    options = parser.parse_args(argv)
    # The sentences of this program say what Dask's log reports.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    channel = os.dup(1)  # libraries may print to stdout
    os.dup2(2, 1)
    module, _, function = options.task.partition(":")
    asyncio.run(_serve(options.address, getattr(import_module(module), function), channel))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # without waiting for the threads of Dask
