"""Who may talk to the local Discord: nobody but this machine, and no other web site through it."""

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
    """Refuse a request whose Host is not ours: a rebound name would carry another one."""
    if request.host not in request.app[allowed_hosts]:
        raise web.HTTPMisdirectedRequest(text="Open the page at the address genrec printed.")
    return await handler(request)


def same_origin(request: web.Request) -> bool:
    """Tell whether a browser says that the request comes from our own page."""
    origin = request.headers.get("Origin", "")
    return origin == f"http://{request.host}"
