"""Listen on an address for the length of a block, for the HTTP interface and health endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

from aiohttp import web
from aiohttp.typedefs import Handler

Address = IPv4Address | IPv6Address
QUIET_S = 20.0
"""Seconds in which a new connection sends the head of its first request."""
MOST_CONNECTIONS = 256
_CHECK_EVERY_S = 1.0


@asynccontextmanager
async def listening(
    app: web.Application,
    *,
    host: Address,
    port: int,
    cancel: bool = False,
    close_s: float = 2.0,
    quiet_s: float = QUIET_S,
) -> AsyncIterator[str]:
    """Serve an application for the length of the block, and yield its base address.

    With ``cancel`` a request is cancelled when its client disconnects. At the end running requests
    have ``close_s`` seconds. A connection is closed if it sends no request in ``quiet_s`` seconds,
    and so are those above `MOST_CONNECTIONS`: aiohttp has no limit of its own for either.

    Raises
    ------
    OSError
        The address cannot be used.
    """
    watch = _Connections(quiet_s)
    app.middlewares.insert(0, watch.mark)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=cancel, shutdown_timeout=close_s,
        keepalive_timeout=30.0, auto_decompress=False,
    )  # fmt: skip
    await runner.setup()
    try:
        await web.TCPSite(runner, str(host), port).start()
        watching = asyncio.create_task(watch.run(runner))
        try:
            yield base_address(*runner.addresses[0][:2])
        finally:
            watching.cancel()
    finally:
        await runner.cleanup()


class _Connections:
    """Closes connections that send no request, and those above the limit.

    Above it those without a request are closed first, then those that wait for their next one, the
    oldest first; a running request is never cut off.
    """

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._since: dict[object, float] = {}
        self._spoke: set[object] = set()
        self._running: set[object] = set()

    @web.middleware
    async def mark(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note that a connection has sent a request, and while the request runs."""
        connection = request.protocol
        self._spoke.add(connection)
        self._running.add(connection)
        try:
            return await handler(request)
        finally:
            self._running.discard(connection)

    async def run(self, runner: web.AppRunner) -> None:
        """Check the connections again and again."""
        while True:
            await asyncio.sleep(min(_CHECK_EVERY_S, self._quiet_s / 4))
            server = runner.server
            if server is None:
                continue
            now, present = time.monotonic(), server.connections
            self._since = {each: self._since.get(each, now) for each in present}
            self._spoke.intersection_update(present)
            idle = [each for each in present if each not in self._running]
            idle.sort(key=lambda each: (each in self._spoke, self._since[each]))
            late = [
                each for each in idle
                if each not in self._spoke and now - self._since[each] > self._quiet_s
            ]  # fmt: skip
            surplus = max(0, len(present) - MOST_CONNECTIONS)
            # Both are beginnings of the same order.
            for connection in max(late, idle[:surplus], key=len):
                connection.force_close()


def base_address(host: str, port: int) -> str:
    """Return the http address of a host and a port, with IPv6 in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
