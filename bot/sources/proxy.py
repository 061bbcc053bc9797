"""HTTP proxy on loopback that lets yt-dlp reach public addresses only."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import secrets
from typing import TYPE_CHECKING, NamedTuple, Self

from yarl import URL

from bot.sources.resolver import Resolve, Streams, open_checked
from genrec.errors import LinkRefused

if TYPE_CHECKING:
    from types import TracebackType

    from bot.sources.policy import SourcePolicy

_CHUNK = 64 * 1024
_MAX_HEAD_BYTES = 32 * 1024
_HEAD_S = 10.0
_MAX_CONNECTIONS = 64
_HOP_BY_HOP = (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive")


class _Request(NamedTuple):
    """A proxy request: its target, and the head to forward (empty for CONNECT)."""

    host: str
    port: int
    forwarded_head: bytes


class _BadRequestError(Exception):
    """An invalid proxy request; the argument is the status code and reason of the reply."""


class FilteringProxy:
    """Proxy for CONNECT and plain HTTP that checks each address at connect time and counts bytes.

    One proxy serves one fetch. Its password is new each time, so other users of the machine cannot
    use it. ``refused`` is the first address error; ``over_budget`` is True after too many bytes.
    """

    def __init__(self, *, policy: SourcePolicy, resolve: Resolve, budget: int) -> None:
        self.refused: LinkRefused | None = None
        self.over_budget = False
        self.received = 0
        self._policy, self._resolve, self._budget = policy, resolve, budget
        self._secret = secrets.token_urlsafe(24)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """Return the port that the proxy listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Return the proxy's URL with its password; keep it out of logs and command lines."""
        return f"http://genrec:{self._secret}@127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= _MAX_CONNECTIONS:
                await self._handle(reader, writer)
        except asyncio.CancelledError:  # the fetch has ended, and this connection with it
            pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            request = self._parse(head)
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

    def _parse(self, head: bytes) -> _Request:
        first, *lines = head[:-4].split(b"\r\n")
        fields = [line.partition(b":") for line in lines]
        given = next((v.strip() for k, _, v in fields if k.lower() == _HOP_BY_HOP[0]), b"")
        wanted = b"Basic " + base64.b64encode(f"genrec:{self._secret}".encode())
        if not hmac.compare_digest(given, wanted):
            raise _BadRequestError(
                '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="genrec"'
            )
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
            line
            for line, (k, _, _) in zip(lines, fields, strict=True)
            if k.lower() not in _HOP_BY_HOP
        ]
        path = target.partition("://")[2].partition("/")[2]
        forwarded_head = [
            f"{method} /{path} HTTP/1.1".encode("ascii"),
            *headers,
            b"Connection: close",
        ]
        return _Request(host, port, b"\r\n".join(forwarded_head) + b"\r\n\r\n")

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


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):  # already closed
        writer.write_eof()


async def _send_status(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
