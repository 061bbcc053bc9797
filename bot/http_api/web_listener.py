"""Listen on an address for the length of a block, for the HTTP interface and health endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

from aiohttp import web

Address = IPv4Address | IPv6Address


@asynccontextmanager
async def listening(
    app: web.Application, *, host: Address, port: int, cancel: bool = False, close_s: float = 2.0
) -> AsyncIterator[str]:
    """Serve an application for the length of the block, and yield its base address.

    With ``cancel`` a request is cancelled when its client disconnects. At the end running requests
    have ``close_s`` seconds.

    Raises
    ------
    OSError
        The address cannot be used.
    """
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=cancel, shutdown_timeout=close_s,
        keepalive_timeout=30.0,
    )  # fmt: skip
    await runner.setup()
    try:
        await web.TCPSite(runner, str(host), port).start()
        yield base_address(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


def base_address(host: str, port: int) -> str:
    """Return the http address of a host and a port, with IPv6 in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
