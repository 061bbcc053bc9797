"""Routes of the HTTP interface under /v1."""

from __future__ import annotations

from aiohttp import web

from bot.http_api.gate import Gate
from bot.http_api.services import ApiServices


class V1:
    """Handlers of the routes under /v1."""

    def __init__(self, services: ApiServices, *, version: str) -> None:
        self._services = services
        self._version = version

    def application(self, gate: Gate) -> web.Application:
        """Return the application of the routes, each behind the token."""
        app = web.Application(middlewares=[gate.middleware()])
        app.add_routes([web.get("", self.root)])
        return app

    async def root(self, _: web.Request) -> web.Response:
        """Return version, model and scopes."""
        services = self._services
        return web.json_response(
            {
                "version": self._version,
                "model_id": services.preset.model_id,
                "genres": list(services.preset.labels),
                "scopes": list(services.scopes),
            }
        )
