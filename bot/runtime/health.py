"""HTTP endpoints /healthz, /readyz and /metrics, on loopback unless another address is set."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

from aiohttp import web

from bot.config import LOOPBACK
from bot.http_api.web_listener import base_address, listening
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
    async with AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(listening(app, host=host, port=port))
        except OSError as error:
            log.warning(
                "health endpoints off: %s: %s; set GENREC_HTTP_HOST or GENREC_HTTP_PORT to another",
                base_address(str(host), port),
                error.strerror,
            )
            yield ""
            return
        if not host.is_loopback:
            log.info("health endpoints on a network: %s", address)
        yield address
