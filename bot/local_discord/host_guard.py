"""Protect the local Discord from other hosts and other web sites (Host and Origin checks)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

allowed_hosts: web.AppKey[set[str]] = web.AppKey("allowed_hosts", set)


@web.middleware
async def check_host(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Return 421 for a request with another Host header, which DNS rebinding sends."""
    if request.host not in request.app[allowed_hosts]:
        raise web.HTTPMisdirectedRequest(text="Open the page at the address that genrec printed.")
    return await handler(request)


def same_origin(request: web.Request) -> bool:
    """Return True if the request's Origin header is the origin of the chat page."""
    origin = request.headers.get("Origin", "")
    return origin == f"http://{request.host}"
