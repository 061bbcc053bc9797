"""Shared parts of Discord's API: JSON types, snowflakes, timestamps, errors, JSON responses."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
Files = dict[str, tuple[str, bytes]]
"""Multipart field name to (file name, bytes)."""

DISCORD_EPOCH_MS = 1_420_070_400_000
_increment = itertools.count()


def snowflake() -> str:
    """Return a new id; discord.py reads its creation time from the high bits."""
    milliseconds = int(time.time() * 1000) - DISCORD_EPOCH_MS
    return str(milliseconds << 22 | (next(_increment) & 0x3FFFFF))


def timestamp() -> str:
    """Return the current time in Discord's format (ISO 8601, UTC)."""
    return datetime.now(UTC).isoformat()


class ApiError(Exception):
    """An error response with Discord's HTTP status, error code and message."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if errors:
            self.body["errors"] = errors


def invalid_body(field: str, message: str) -> ApiError:
    """Return Discord's 400 error for an invalid field of a request body."""
    details = {field: {"_errors": [{"code": "INVALID", "message": message}]}}
    return ApiError(400, 50035, "Invalid Form Body", details)


def json_response(
    data: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return a JSON response without a charset, since discord.py parses no other."""
    return web.Response(
        body=json.dumps(data).encode(),
        status=status,
        headers={**(headers or {}), "Content-Type": "application/json"},
    )
