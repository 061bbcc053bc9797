"""The common words of the wire: JSON objects, ids, errors and answers as Discord sends them."""

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
    """Make an id that carries the time, as discord.py derives ages and expiry from it."""
    milliseconds = int(time.time() * 1000) - DISCORD_EPOCH_MS
    return str(milliseconds << 22 | (next(_increment) & 0x3FFFFF))


def timestamp() -> str:
    """Give the present as Discord writes it."""
    return datetime.now(UTC).isoformat()


class ApiError(Exception):
    """A refusal with Discord's status, code and sentence."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if errors:
            self.body["errors"] = errors


def invalid_body(field: str, sentence: str) -> ApiError:
    """Refuse a body, naming the field at fault as Discord does."""
    details = {field: {"_errors": [{"code": "INVALID", "message": sentence}]}}
    return ApiError(400, 50035, "Invalid Form Body", details)


def json_response(
    data: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with JSON whose content type has no charset: discord.py parses no other."""
    return web.Response(
        body=json.dumps(data).encode(),
        status=status,
        headers={**(headers or {}), "Content-Type": "application/json"},
    )
