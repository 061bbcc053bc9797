"""Tests of the process that speaks with a cluster, whose client fails in unforeseen ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from distributed.comm.core import CommClosedError

from genrec.cluster_process import DaskConnection, TaskRelay
from genrec.errors import ClusterLost
from genrec.workers import protocol


class _Written:
    """A pipe that keeps what is written."""

    def __init__(self) -> None:
        self.frames = asyncio.StreamReader()

    def write(self, frame: bytes) -> None:
        self.frames.feed_data(frame)

    async def drain(self) -> None:
        """Do nothing: there is room."""


class _ClosedClient:
    """A client of Dask that is closed: all that it is asked raises."""

    def __init__(self, error: Exception) -> None:
        self.error, self.status = error, "running"

    def submit(self, *_: object, **__: object) -> object:
        raise self.error

    async def nthreads(self) -> dict[str, int]:
        raise self.error


class _Unfetched:
    """The future of a finished task, whose result cannot be fetched: it is also its state."""

    def __init__(self, error: Exception) -> None:
        self.error, self.status, self.released, self._state = error, "finished", False, self

    async def wait(self) -> None:
        """Return at once: the task is finished."""

    def __await__(self) -> Iterator[None]:
        raise self.error

    def release(self) -> None:
        self.released = True


class _UnfetchedClient(_ClosedClient):
    """A client whose connection closes between the end of a task and its result."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.future = _Unfetched(error)

    def submit(self, *_: object, **__: object) -> object:
        return self.future


class _Connection(DaskConnection):
    def __init__(self, error: Exception, client: type[_ClosedClient] = _ClosedClient) -> None:
        super().__init__("tcp://127.0.0.1:1", _echo, without_workers_s=60)
        self._client = client(error)
        self._lost = asyncio.get_running_loop().create_future()
        self.threads = 1


async def _echo(task: bytes) -> bytes:
    return task


async def test_task_that_the_client_refuses_gets_a_reply() -> None:
    out, asked = _Written(), asyncio.StreamReader()
    relay = TaskRelay(_Connection(RuntimeError("client is closed")), out)  # type: ignore[arg-type]
    serving = asyncio.create_task(relay.serve(asked))
    try:
        asked.feed_data(protocol.pack({"job": 1}, b"task"))
        async with asyncio.timeout(10):
            head: protocol.Head = {"threads": 1}
            while "threads" in head:
                head, _ = await protocol.receive(out.frames)
    finally:
        asked.feed_eof()
        await serving
    error = protocol.unpack_error(head, codes=(ClusterLost.code,))
    assert head["job"] == 1
    assert isinstance(error, ClusterLost)
    assert "index again" in str(error)


@pytest.mark.parametrize("client", [_ClosedClient, _UnfetchedClient])
async def test_connection_that_closes_is_a_scheduler_that_is_gone(
    client: type[_ClosedClient],
) -> None:
    connection = _Connection(CommClosedError("Stream is closed"), client)
    with pytest.raises(ClusterLost, match=r"scheduler .* is gone: start it again"):
        await connection.run(b"task")
    if isinstance(used := connection._client, _UnfetchedClient):
        assert used.future.released


async def test_watch_that_fails_in_an_unforeseen_way_ends_all_tasks() -> None:
    connection = _Connection(RuntimeError("no event loop"))
    counted: Callable[[int], Awaitable[None]] = lambda _: asyncio.sleep(0)  # noqa: E731
    async with asyncio.timeout(10):
        await connection.watch(counted)
    assert connection._lost is not None
    assert isinstance(connection._lost.result(), ClusterLost)
