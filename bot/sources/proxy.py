"""HTTP proxy that lets yt-dlp reach the public addresses of one site only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, NamedTuple, Self

from yarl import URL

from bot.sources.resolver import Resolve, Streams, open_checked
from genrec.errors import LinkRefused

if TYPE_CHECKING:
    from types import TracebackType

    from bot.sources.policy import SourcePolicy
    from bot.sources.sites import Site

_log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_MAX_HEAD_BYTES = 32 * 1024
_HEAD_S = 10.0
_MAX_CONNECTIONS = 64  # at a time
_MAX_REQUESTS = 2000  # of one fetch, far more than a track has fragments
_HOP_BY_HOP = (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive")


class _Request(NamedTuple):
    """A proxy request: its target, and the head to forward (empty for CONNECT)."""

    host: str
    port: int
    forwarded_head: bytes


class _BadRequestError(Exception):
    """An invalid proxy request; the argument is the status code and reason of the reply."""


class FilteringProxy:
    """Proxy for CONNECT and plain HTTP that checks each host and address, and counts bytes.

    One proxy serves one fetch of ``site``. It listens nowhere: `connect` makes a connection, and
    so does each byte that the yt-dlp process writes to ``channel``. ``refused`` is the first error
    of a host or address; ``over_budget`` is True after too many bytes.
    """

    def __init__(self, site: Site, *, policy: SourcePolicy, resolve: Resolve, budget: int) -> None:
        self.refused: LinkRefused | None = None
        self.over_budget = False
        self.received = 0
        self._site, self._policy, self._resolve, self._budget = site, policy, resolve, budget
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._channel, self._process_end = socket.socketpair()

    async def __aenter__(self) -> Self:
        self._channel.setblocking(False)
        self._process_end.setblocking(True)  # independent of socket.setdefaulttimeout
        asyncio.get_running_loop().add_reader(self._channel, self._read_channel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._channel.fileno() >= 0:
            self._close_channel()
        self._process_end.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def channel(self) -> int:
        """The descriptor that the yt-dlp process requests connections on."""
        return self._process_end.fileno()

    def connect(self) -> socket.socket:
        """Return the client's end of a new connection."""
        client, server = socket.socketpair()
        server.setblocking(False)
        task = asyncio.create_task(self._serve(server))
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled():  # before it started
                server.close()

        task.add_done_callback(done)
        return client

    def _read_channel(self) -> None:
        """Send a connection for each byte on the channel, or a bare byte if too many are open."""
        try:
            requests = self._channel.recv(_MAX_CONNECTIONS)
            self._requests += len(requests)
            if not requests or self._requests > _MAX_REQUESTS:
                self._close_channel()
                return
            for _ in requests:
                if len(self._tasks) >= _MAX_CONNECTIONS:
                    self._channel.send(b"-")
                    continue
                with self.connect() as client:
                    socket.send_fds(self._channel, [b"+"], [client.fileno()])
        except OSError:  # the process is gone, or requests without receiving
            self._close_channel()

    def _close_channel(self) -> None:
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_MAX_HEAD_BYTES)
        try:
            await self._handle(reader, writer)
        except asyncio.CancelledError:  # the fetch has ended, and this connection with it
            pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            request = _parse(head)
            self._check_host(request.host)
            upstream = await open_checked(
                request.host, request.port, policy=self._policy, resolve=self._resolve
            )
        except _BadRequestError as error:
            await _send_status(writer, str(error))
        except LinkRefused as error:
            self.refused = self.refused or error
            await _send_status(writer, "403 Refused by genrec")
        except OSError:
            await _send_status(writer, "502 Bad Gateway")
        else:
            await self._relay((reader, writer), upstream, request.forwarded_head)

    def _check_host(self, host: str) -> None:
        """Raise LinkRefused for a host that is not the site's, before its name is looked up."""
        if self._site.reaches(host):
            return
        _log.info("page host refused: site=%s host=%s", self._site.name, host[:253])
        raise LinkRefused(
            f"That page leads to {host[:100]}, which is not a known host of {self._site.title}."
            " Send another link, or upload the file."
        )

    async def _relay(self, client: Streams, upstream: Streams, forwarded_head: bytes) -> None:
        try:
            if forwarded_head:
                upstream[1].write(forwarded_head)
            else:
                client[1].write(b"HTTP/1.1 200 Connected\r\n\r\n")
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(client[0], upstream[1]))
                both.create_task(self._copy_counted(upstream[0], client[1]))
        except* OSError:  # either side closed, which is how such connections end
            pass
        finally:
            upstream[1].close()

    async def _copy_counted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            self.received += len(chunk)
            if self.received > self._budget:
                self.over_budget = True
                raise ConnectionAbortedError
            writer.write(chunk)
            await writer.drain()
        raise ConnectionResetError  # the origin has closed, so end the other direction too


def _parse(head: bytes) -> _Request:
    """Return the request of a head, or raise _BadRequestError."""
    first, *lines = head[:-4].split(b"\r\n")
    fields = [line.partition(b":") for line in lines]
    try:
        method, target, _ = first.decode("ascii").split(" ")
        url = URL(f"//{target}" if method == "CONNECT" else target)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise _BadRequestError("400 Bad Request") from error
    if host is None or port is None or (method != "CONNECT" and url.scheme != "http"):
        raise _BadRequestError("400 Bad Request")
    if method == "CONNECT":
        return _Request(host, port, b"")
    headers = [
        line for line, (k, _, _) in zip(lines, fields, strict=True) if k.lower() not in _HOP_BY_HOP
    ]
    path = target.partition("://")[2].partition("/")[2]
    forwarded_head = [
        f"{method} /{path} HTTP/1.1".encode("ascii"),
        *headers,
        b"Connection: close",
    ]
    return _Request(host, port, b"\r\n".join(forwarded_head) + b"\r\n\r\n")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):  # already closed
        writer.write_eof()


async def _send_status(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
