"""Injected faults of the REST API: rate limits, bans, errors, resets and lost responses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aiohttp import web

from bot.local_discord.api_types import Json, json_response

CLOUDFLARE_PAGE = "<!DOCTYPE html><title>Access denied | Cloudflare</title><h1>Error 1015</h1>"


@dataclass
class Fault:
    """A fault for the next ``times`` matching calls, before or instead of their handler."""

    method: str
    """GET, POST, ... or * for any."""
    path: str
    """A regular expression that is searched in the path below /api/v10."""
    times: int = 1
    status: int | None = None
    body: Json | str | None = None
    """The response body; a string is sent as HTML."""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    late_s: float = 0.0
    drop: bool = False
    """Abort the connection instead of sending a response."""
    applied: bool = False
    """The call takes effect first, and only its response is lost."""

    def response(self) -> web.Response:
        """Return the response that replaces the real one."""
        status = self.status or 500
        if isinstance(self.body, str):
            return web.Response(
                status=status, text=self.body, content_type="text/html", headers=self.headers
            )
        body = self.body or {"message": f"{status}: injected", "code": 0}
        return json_response(body, status, self.headers)


class Faults:
    """The faults that tests registered."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Register a fault and return it."""
        self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the registered fault for this call, or None, and count the use."""
        for fault in self.waiting:
            if fault.times and fault.method in (method, "*") and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def rate_limited(
        self,
        method: str,
        path: str,
        retry_after_s: float = 0.5,
        *,
        times: int = 1,
        via: bool = True,
        is_global: bool = False,
    ) -> Fault:
        """Inject 429; without ``via``, discord.py treats it as a Cloudflare ban and raises."""
        headers = {
            "Retry-After": str(max(1, round(retry_after_s))),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Scope": "global" if is_global else "user",
        }
        if via:
            headers["Via"] = "1.1 google"
        if is_global:
            headers["X-RateLimit-Global"] = "true"
        body: Json = {
            "message": "You are being rate limited.",
            "retry_after": round(retry_after_s, 3),
            "global": is_global,
        }
        return self.add(Fault(method, path, times, 429, body, headers))

    def cloudflare_ban(self, method: str, path: str, *, times: int = 1) -> Fault:
        """Inject 429 with an HTML page, as Cloudflare does for a banned address."""
        return self.add(Fault(method, path, times, 429, CLOUDFLARE_PAGE, {"Retry-After": "1"}))

    def server_error(self, method: str, path: str, status: int = 502, *, times: int = 1) -> Fault:
        """Inject a 5xx status; the call has no effect."""
        return self.add(Fault(method, path, times, status))

    def reset(self, method: str, path: str, *, times: int = 1, applied: bool = False) -> Fault:
        """Inject an aborted connection, before the call or, with ``applied``, after it."""
        return self.add(Fault(method, path, times, drop=True, applied=applied))

    def lost_response(self, method: str, path: str, status: int = 502, *, times: int = 1) -> Fault:
        """Inject an error status after the call took effect; a retry calls it again."""
        return self.add(Fault(method, path, times, status, applied=True))

    def delay(self, method: str, path: str, seconds: float, *, times: int = 1) -> Fault:
        """Inject a delay of ``seconds`` before the correct response."""
        return self.add(Fault(method, path, times, delay_s=seconds))

    def late_response(self, method: str, path: str, seconds: float, *, times: int = 1) -> Fault:
        """Apply the call at once, but delay the response."""
        return self.add(Fault(method, path, times, late_s=seconds))
