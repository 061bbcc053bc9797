"""TLS in front of a PostgreSQL server that has none: the wheel of the tests is built without it.

It answers PostgreSQL's SSLRequest, encrypts, and relays all else to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# https://www.postgresql.org/docs/current/protocol-message-formats.html
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class TlsFront:
    """A front of a server on loopback; it takes encrypted connections alone."""

    def __init__(self, server_port: int, context: ssl.SSLContext) -> None:
        self.port = 0
        self.encrypted = 0
        self.plain = 0
        self._server_port = server_port
        self._context = context

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        async with await asyncio.start_server(self._connection, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                if await reader.readexactly(8) != _SSL_REQUEST:
                    self.plain += 1
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
                self.encrypted += 1
                there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
                await asyncio.gather(_relay(reader, back), _relay(there, writer))
            finally:
                writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def tls_front(server_port: int, context: ssl.SSLContext) -> Iterator[TlsFront]:
    """Run a front in a thread of its own for the block."""
    front, ready = TlsFront(server_port, context), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(front._serve(ready, stop)))
    thread.start()
    try:
        assert ready.wait(20)
        yield front
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
