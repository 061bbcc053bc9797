"""Gate of the HTTP interface: each request is counted, checked and timed before its route."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.http_api.problems import HttpProblem, problem_of, problem_of_http, too_many, unhandled
from bot.http_api.request_rates import RequestRates, client_of
from bot.http_api.web_listener import Address
from bot.logs import new_request_id, request_id
from bot.metrics import Metrics
from genrec.errors import Busy, GenrecError

log = logging.getLogger(__name__)

WRONG_LOGINS = 10  # of one client in a minute; a secret has at least 16 characters
_LOCAL_NAMES = ("127.0.0.1", "[::1]", "localhost")
_DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """Rules of the gate.

    Without a ``token`` any program of this machine may ask, so pages of web sites are kept out by
    the Host and Origin headers. With one a page has no use of either: it does not know the token.
    """

    host: Address
    token: str | None = None
    per_minute: int = 60
    limit_s: float = 150.0
    at_once: int = 64


class Gate:
    """Middlewares of the HTTP server: the outer ones for all, `bearer` for /v1 alone."""

    def __init__(
        self,
        rules: GateRules,
        *,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules, self._metrics = rules, metrics
        host = str(rules.host)
        self._hosts = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host}
        self._rates = RequestRates(rules.per_minute, clock=clock)
        self._running = 0
        # Wrong secrets of each client, for all protocols together.
        self._wrong_logins = RequestRates(WRONG_LOGINS, clock=clock)

    def application(self, parts: Iterable[tuple[str, web.Application]]) -> web.Application:
        """Return the server's application: each part under its prefix, behind this gate."""
        app = web.Application(middlewares=[self._reported, self._guarded])
        for prefix, part in parts:
            app.add_subapp(prefix, part)
        return app

    def middleware(self) -> Middleware:
        """Return the middleware that lets only requests with the token through."""
        return self._bearer

    @web.middleware
    async def _reported(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count and time a request, and answer its errors with problem details."""
        started, status = time.monotonic(), _DISCONNECTED
        token = request_id.set(new_request_id())
        try:
            response = await self._answered(request, handler)
            status = str(response.status)
            return response
        finally:
            request_id.reset(token)
            self._metrics.http_request(_route(request), status, time.monotonic() - started)

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except HttpProblem as problem:
            return problem.response()
        except GenrecError as error:
            refusal = problem_of(error)
            if refusal.status >= 500:
                log.warning("http request not answered: %s: %s", error.code, error)
            return refusal.response()
        except web.HTTPException as error:
            return problem_of_http(error, request).response()
        except Exception:
            log.exception("unhandled error in an http request")
            return unhandled(request_id.get()).response()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign pages, too many requests and those that take too long."""
        if self._rules.token is None:
            self._check_page(request)
        _check_coding(request)
        client = client_of(request.remote)
        if self._rules.token is not None and self._has_token(request):
            # Requests of strangers behind the same proxy do not count for those with the token.
            client += " with token"
        wait_s = self._rates.count(client)
        if wait_s:
            raise too_many(
                wait_s,
                f"More than {self._rules.per_minute} requests in a minute came from this address."
                " Wait as long as the Retry-After header says.",
            )
        with self._counted():
            limit = asyncio.timeout(self._rules.limit_s)
            try:
                async with limit:
                    return await handler(request)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise Busy(
                    f"The request took longer than {self._rules.limit_s:g} s. Try again later."
                ) from None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._running >= self._rules.at_once:
            raise Busy(
                f"{self._running} requests are running, which is the limit. Try again in a minute."
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _check_page(self, request: web.Request) -> None:
        """Raise HttpProblem if another host's page sends the request (DNS rebinding, or a form)."""
        if _host_name(request.host) not in self._hosts:
            raise HttpProblem(
                421,
                "host",
                f"The Host header names {request.host[:100]!r}: use the address that genrec"
                " printed, or set GENREC_HTTP_API_TOKEN.",
            )
        origin = request.headers.get("Origin")
        own = [f"{scheme}://{request.host.lower()}" for scheme in ("http", "https")]
        foreign = origin is not None and origin.lower() not in own
        if foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            raise HttpProblem(
                403,
                "origin",
                "A page of another site sent this request, which is refused: ask from a program.",
            )

    @web.middleware
    async def _bearer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request without the token; compare it in constant time."""
        if not self._has_token(request):
            self.count_wrong_login(request)
            raise HttpProblem(
                401,
                "token",
                "The token is missing or wrong: send the header"
                " 'Authorization: Bearer TOKEN' with GENREC_HTTP_API_TOKEN.",
                headers={"WWW-Authenticate": 'Bearer realm="genrec"'},
            )
        return await handler(request)

    def _has_token(self, request: web.Request) -> bool:
        """Return whether a request has the token, or none is set."""
        if self._rules.token is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and same_secret(given.strip(), self._rules.token)

    def count_wrong_login(self, request: web.Request) -> None:
        """Count a wrong secret; raise HttpProblem (429) after too many of one client.

        A right secret is never counted: behind a proxy all clients have its address, and a
        stranger's wrong secrets must not keep the others out.
        """
        wait_s = self._wrong_logins.count(client_of(request.remote))
        if wait_s:
            raise too_many(
                wait_s,
                f"More than {WRONG_LOGINS} wrong secrets in a minute came from this address. Wait"
                " as long as the Retry-After header says.",
            )


def _check_coding(request: web.Request) -> None:
    """Raise HttpProblem for a compressed body: clips are compressed as it is."""
    coding = request.headers.get("Content-Encoding", "identity")
    if request.body_exists and coding.strip().lower() not in ("", "identity"):
        raise HttpProblem(
            415,
            "content_encoding",
            f"The Content-Encoding is {coding[:40]!r}: send the body uncompressed.",
        )


def same_secret(given: str, expected: str) -> bool:
    """Return whether two secrets are equal, in a time that says nothing of either."""
    digests = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, expected))
    return hmac.compare_digest(*digests)


def _host_name(host: str) -> str:
    """Return the host of a Host header without the port, in lower case."""
    name = host.lower()
    return name if name.endswith("]") else name.rpartition(":")[0] or name


def _route(request: web.Request) -> str:
    """Return the route's pattern, so that no path of a client becomes a label."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
