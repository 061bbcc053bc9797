"""HTTP endpoints /healthz, /readyz and /metrics, on loopback unless another address is set."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

from aiohttp import web

from bot.config import LOOPBACK
from bot.metrics import Metrics

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve_health(
    *,
    port: int,
    metrics: Metrics,
    ready: Callable[[], str],
    host: IPv4Address | IPv6Address = LOOPBACK,
) -> AsyncIterator[str]:
    """Serve the endpoints for the length of the block, and yield their address.

    ``ready`` returns why the bot is not ready, "" if it is. If the address cannot be used, the bot
    runs without endpoints and the address is "".
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(text=f"{missing or 'ready'}\n", status=503 if missing else 200)

    async def metrics_text(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics_text),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, str(host), port)
        try:
            await site.start()
        except OSError as error:
            log.warning(
                "health endpoints off: %s: %s; set GENREC_HTTP_HOST or GENREC_HTTP_PORT to another",
                _address(str(host), port),
                error.strerror,
            )
            yield ""
            return
        address = _address(*runner.addresses[0][:2])
        if not host.is_loopback:
            log.info("health endpoints on a network: %s", address)
        yield address
    finally:
        await runner.cleanup()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
