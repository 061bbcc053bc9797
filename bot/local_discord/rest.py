"""REST request handling: parsing, faults, authorization, routing, validation and a log."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from bot.local_discord.api_types import ApiError, Files, Json, json_response

if TYPE_CHECKING:
    from bot.local_discord.faults import Fault, Faults
    from bot.local_discord.server_context import ServerContext

KEPT_REQUESTS = 20_000


class BodySchema(Protocol):
    """Validator of request bodies and responses against Discord's description."""

    def request_errors(self, method: str, template: str, body: object) -> list[str]:
        """Return the errors of a request body."""

    def response_errors(self, method: str, template: str, body: object) -> list[str]:
        """Return the errors of a response body."""


@dataclass
class LoggedRequest:
    """One logged REST call."""

    method: str
    path: str
    at: float = field(default_factory=time.monotonic)
    status: int | str | None = None
    body: Any = None
    error: Json | None = None
    fault: Fault | None = None


@dataclass
class Call:
    """The arguments of a route handler."""

    context: ServerContext
    params: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Files


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True)
class Route:
    """An API path and its handler."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    bot_only: bool


class RouteTable:
    """The routes of one module."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def on(
        self, method: str, template: str, *, bot_only: bool = True
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that registers a handler; ``bot_only`` requires the bot's token."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))

        def register(handler: Handler) -> Handler:
            compiled = re.compile(f"^{pattern}$")
            self.routes.append(Route(method, template, compiled, handler, bot_only))
            return handler

        return register


class Rest:
    """Serves /api/v10."""

    def __init__(
        self,
        context: ServerContext,
        tables: Sequence[RouteTable],
        faults: Faults,
        schema: BodySchema | None,
    ) -> None:
        self._context = context
        self._routes = [route for table in tables for route in table.routes]
        self._faults = faults
        self._schema = schema
        self.requests: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one call, or inject the fault that a test registered for it."""
        path = "/" + request.match_info["tail"]
        entry = LoggedRequest(request.method, path, fault=self._faults.take(request.method, path))
        self.requests.append(entry)
        try:
            entry.body, files = await _read(request)
            if entry.fault is not None:
                return await self._faulty(request, entry, entry.fault, files)
            return await self._serve(request, entry, files)
        except ApiError as error:
            entry.status, entry.error = error.status, error.body
            return json_response(error.body, error.status)
        finally:
            self._context.state.touch()

    async def _faulty(
        self, request: web.Request, entry: LoggedRequest, fault: Fault, files: Files
    ) -> web.StreamResponse:
        await asyncio.sleep(fault.delay_s)
        if not fault.drop and fault.status is None:
            response = await self._serve(request, entry, files)
            await asyncio.sleep(fault.late_s)
            return response
        if fault.applied:
            await self._serve(request, entry, files)
        if fault.drop:
            entry.status = "reset"
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        entry.status = fault.status
        return fault.response()

    async def _serve(
        self, request: web.Request, entry: LoggedRequest, files: Files
    ) -> web.Response:
        found = self._find(entry.method, entry.path)
        if found is None:
            violation = f"{entry.method} {entry.path} is not implemented"
            self._context.state.violations.append(violation)
            raise ApiError(404, 0, f"404: Not Found ({violation})")
        route, params = found
        expected = f"Bot {self._context.token}"
        if route.bot_only and request.headers.get("Authorization") != expected:
            raise ApiError(401, 0, "401: Unauthorized")
        self._validate(route, entry.body)
        query = dict(request.query)
        result = await route.handler(Call(self._context, params, query, entry.body, files))
        entry.status = 204 if result is None else 200
        if self._schema is not None and result is not None:
            errors = self._schema.response_errors(route.method, route.template, result)
            self._context.state.violations += [
                f"local Discord's response to {route.method} {route.template}: {error}"
                for error in errors
            ]
        return web.Response(status=204) if result is None else json_response(result)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self._routes:
            match = route.pattern.match(path)
            if match and route.method == method:
                return route, match.groupdict()
        return None

    def _validate(self, route: Route, body: object) -> None:
        if self._schema is None or body is None:
            return
        errors = self._schema.request_errors(route.method, route.template, body)
        if errors:
            self._context.state.violations += [
                f"{route.method} {route.template}: {error}" for error in errors
            ]
            raise ApiError(400, 50035, "Invalid Form Body", {"_errors": errors})


async def _read(request: web.Request) -> tuple[Any, Files]:
    files: Files = {}
    if request.content_type == "multipart/form-data":
        body: Any = None
        form = await request.post()
        for name, value in form.items():
            if name == "payload_json":
                body = json.loads(str(value))
            elif isinstance(value, web.FileField):
                files[name] = (value.filename, value.file.read())
        return body, files
    raw = await request.read()
    if not raw or request.content_type != "application/json":
        return None, files
    try:
        return json.loads(raw), files
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None
