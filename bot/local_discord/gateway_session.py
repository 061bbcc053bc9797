"""A bot's gateway session, and one of its websocket connections."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from aiohttp import web

    from bot.local_discord.api_types import Json

try:
    import zstandard as _zstandard
except ImportError:  # optional: without it discord.py requests zlib-stream
    zstandard: ModuleType | None = None
else:
    zstandard = _zstandard

KEPT_EVENTS = 1_000


class GatewaySession:
    """A session since Identify: survives its connection and keeps sent events for a resume."""

    def __init__(self, intents: int, shard: list[int]) -> None:
        self.id = secrets.token_hex(16)
        self.intents = intents
        self.shard = shard
        self.seq = 0
        self.sent: deque[Json] = deque(maxlen=KEPT_EVENTS)
        self.connection: GatewayConnection | None = None


class GatewayConnection:
    """One websocket with a queue of payloads, so `send` keeps their order and never blocks."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, compress: str) -> None:
        self.socket = socket
        self.transport = request.transport
        self.compress = compress
        self.session: GatewaySession | None = None
        self.heartbeats = 0
        self._queue: asyncio.Queue[Json] = asyncio.Queue()
        self._zlib = zlib.compressobj()
        if compress == "zstd-stream" and zstandard is not None:
            self._zstd = zstandard.ZstdCompressor().compressobj()

    def send(self, payload: Json) -> None:
        """Queue a payload."""
        self._queue.put_nowait(payload)

    async def pump(self) -> None:
        """Send queued payloads until cancelled or closed."""
        while not self.socket.closed:
            raw = json.dumps(await self._queue.get()).encode()
            try:
                if self.compress == "zlib-stream":  # each message ends in 00 00 ff ff
                    packed = self._zlib.compress(raw) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(packed)
                elif self.compress == "zstd-stream" and zstandard is not None:
                    packed = self._zstd.compress(raw)
                    packed += self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
                    await self.socket.send_bytes(packed)
                else:
                    await self.socket.send_str(raw.decode())
            except (ConnectionError, RuntimeError):
                return
