"""Attachments: stored in memory, served at signed URLs, slow or broken on request."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mimetypes
import secrets
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from bot.local_discord.api_types import Json, snowflake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LIFETIME_S = 24 * 3600
KEPT_UPLOADS = 1_000
KEPT_BYTES = 512 << 20
# Only these are shown inline; other types (HTML, SVG) could run scripts of this origin.
SHOWN_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")


@dataclass
class Upload:
    """A file that a person attaches; the fields after ``content_type`` inject faults."""

    filename: str
    data: bytes = b""
    content_type: str | None = None
    """None is guessed from the file name as Discord does; "" is left out of the attachment."""
    size: int | None = None
    """The declared size in bytes, if it differs from the real one."""
    stream: Callable[[], AsyncIterator[bytes]] | None = None
    """Makes the response body, instead of ``data``."""
    truncate_at: int | None = None
    """Number of bytes after which the connection is aborted."""
    status: int = 200
    location: str | None = None
    """The target if ``status`` is a redirect."""

    @property
    def kind(self) -> str:
        """The content type, given or guessed from the file name as Discord does."""
        guess = self.content_type or mimetypes.guess_type(self.filename)[0]
        return guess or "application/octet-stream"


async def endless(chunk_bytes: int = 65_536) -> AsyncIterator[bytes]:
    """Yield zeros without end."""
    while True:
        yield bytes(chunk_bytes)
        await asyncio.sleep(0)


async def drip(interval_s: float = 0.2) -> AsyncIterator[bytes]:
    """Yield one byte at a time without end."""
    while True:
        yield b"\0"
        await asyncio.sleep(interval_s)


def png_size(data: bytes) -> tuple[int | None, int | None]:
    """Return width and height of a PNG in pixels, or (None, None) for other data."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return int(width), int(height)
    return None, None


class Cdn:
    """Stores uploads and serves them at signed URLs, like Discord's CDN."""

    def __init__(self) -> None:
        self.base = ""
        self.hits: deque[Json] = deque(maxlen=KEPT_UPLOADS)
        self._uploads: dict[str, Upload] = {}
        self._bytes = 0
        self._key = secrets.token_bytes(16)

    def attach(
        self,
        channel_id: str,
        upload: Upload,
        *,
        ephemeral: bool = False,
        description: str | None = None,
    ) -> Json:
        """Store an upload and return its attachment object."""
        name = PurePath(upload.filename.replace("\\", "/")).name or "file"
        id_ = snowflake()
        key = f"attachments/{channel_id}/{id_}/{quote(name)}"
        self._uploads[key] = upload
        self._bytes += len(upload.data)
        while len(self._uploads) > 1 and (
            len(self._uploads) > KEPT_UPLOADS or self._bytes > KEPT_BYTES
        ):
            oldest = self._uploads.pop(next(iter(self._uploads)))
            self._bytes -= len(oldest.data)
        url = f"{self.base}/{key}?{self._signature(key, int(time.time()) + LIFETIME_S)}"
        attachment: Json = {
            "id": id_,
            "filename": name,
            "size": len(upload.data) if upload.size is None else upload.size,
            "url": url,
            "proxy_url": url,
        }
        if upload.content_type != "":
            attachment["content_type"] = upload.kind
        width, height = png_size(upload.data)
        if width:
            attachment |= {"width": width, "height": height}
        if ephemeral:
            attachment["ephemeral"] = True
        if description:
            attachment["description"] = description
        return attachment

    def read(self, url: str) -> bytes:
        """Return the bytes of the attachment at ``url``."""
        return self._uploads[url.removeprefix(self.base + "/").partition("?")[0]].data

    def _signature(self, key: str, expires: int) -> str:
        digest = hmac.new(self._key, f"{key} {expires:x}".encode(), hashlib.sha256).hexdigest()
        return f"ex={expires:x}&hm={digest}"

    def _find(self, request: web.Request) -> Upload | None:
        key = quote(request.match_info["key"])
        try:
            expires = int(request.query.get("ex", ""), 16)
        except ValueError:
            return None
        expected = self._signature(key, expires)
        given = f"ex={expires:x}&hm={request.query.get('hm', '')}"
        if expires < time.time() or not hmac.compare_digest(expected.encode(), given.encode()):
            return None
        return self._uploads.get(key)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Return the response to a download, with the fault that its upload defines."""
        upload = self._find(request)
        hit: Json = {"path": request.path, "sent": 0, "finished": False}
        self.hits.append(hit)
        if upload is None:
            return web.Response(status=404, text="This content is no longer available.")
        if upload.status != 200:
            headers = {"Location": upload.location} if upload.location else {}
            return web.Response(status=upload.status, headers=headers)
        return await self._send(request, upload, hit)

    async def _send(self, request: web.Request, upload: Upload, hit: Json) -> web.StreamResponse:
        if upload.stream is None and upload.truncate_at is None:
            return self._complete_response(request, upload, hit)
        response = web.StreamResponse(headers=_headers(upload))
        if upload.stream is None:
            response.content_length = len(upload.data)
        await response.prepare(request)
        if upload.stream is not None:
            async for chunk in upload.stream():
                await response.write(chunk)
                hit["sent"] += len(chunk)
            await response.write_eof()
            hit["finished"] = True
        else:
            await response.write(upload.data[: upload.truncate_at])
            hit["sent"] = upload.truncate_at
            if request.transport is not None:
                request.transport.abort()
        return response

    @staticmethod
    def _complete_response(request: web.Request, upload: Upload, hit: Json) -> web.Response:
        """Return the whole file, or the range that a media player requests."""
        headers = _headers(upload) | {"Accept-Ranges": "bytes"}
        size = len(upload.data)
        try:
            start, stop, _ = request.http_range.indices(size)
        except ValueError:
            start = stop = 0
        hit |= {"sent": stop - start, "finished": True}
        if "Range" not in request.headers:
            return web.Response(body=upload.data, headers=headers)
        if start >= stop:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return web.Response(status=206, body=upload.data[start:stop], headers=headers)


def _headers(upload: Upload) -> dict[str, str]:
    inline = upload.kind.startswith(SHOWN_INLINE)
    return {
        "Content-Type": upload.kind,
        "Content-Disposition": "inline" if inline else "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
