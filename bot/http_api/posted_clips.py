"""Clips and fields in the body of a request: JSON, a form with files, or the bytes of one clip."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import MultipartReader

from bot.http_api.problems import HttpProblem
from bot.http_api.question_bodies import MOST_SEEDS, payload_of
from bot.sources import ClipReceiver, Sources
from bot.sources.media import clean_name
from genrec.errors import ClipTooLarge
from genrec.types import Clip

SEED_ROLES = ("clip", "less")
OWNER = "http"  # of the share of the disk
MAX_JSON_BYTES = 64 << 10
MAX_FIELDS = 64
_MAX_FIELD_BYTES = 4096
_CHUNK = 64 << 10
# What aiohttp raises for bodies that break HTTP or end early, and for forms that are none.
_BROKEN = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
_MALFORMED = (AssertionError, LookupError, RuntimeError, ValueError, *_BROKEN)
_BINARY = ("application/octet-stream", "application/ogg")
_CLIP_NAMES = ("title", "artist")  # of the only clip of a request


@dataclass(slots=True)
class PostedQuestion:
    """Payload of a question, and its clips, each with its role: the name of its field."""

    payload: dict[str, Any] = field(default_factory=dict)
    clips: list[tuple[str, Clip]] = field(default_factory=list)


@asynccontextmanager
async def posted_question(
    request: web.Request, sources: Sources, *, roles: Sequence[str] = SEED_ROLES
) -> AsyncIterator[PostedQuestion]:
    """Read the body of a request; its clips last as long as the ``async with``.

    ``roles`` are the fields of a form that are clips; bytes without a form have the first.

    Raises
    ------
    HttpProblem
        The body is malformed (400), too large (413) or of another type (415).
    GenrecError
        A clip is refused.
    """
    kind = request.content_type if "Content-Type" in request.headers else ""
    if kind == "application/json":
        with _cut_off():
            question = PostedQuestion(await _json_of(request, sources.policy.stall_s))
        yield question
        return
    if kind != "multipart/form-data" and not kind.startswith(("audio/", "video/", *_BINARY)):
        raise HttpProblem(
            415,
            "content_type",
            f"The Content-Type is {kind[:60] or 'missing'!r}: send application/json,"
            f" multipart/form-data with a file {roles[0]!r}, or the bytes of a clip as audio/mpeg"
            " or application/octet-stream.",
        )
    size = request.content_length or 0
    if size > sources.receivable:
        raise ClipTooLarge(
            f"The body has {size / (1 << 20):.0f} MB, and at most"
            f" {sources.receivable / (1 << 20):.0f} MB are accepted. Send smaller files."
        )
    async with sources.receiving(size, owner=OWNER) as receiver:
        try:
            async with asyncio.timeout(sources.policy.download_s):
                with _cut_off():
                    if kind == "multipart/form-data":
                        question = await _form_of(request, receiver, sources.policy.stall_s, roles)
                    else:
                        question = await _bytes_of(
                            request, receiver, sources.policy.stall_s, roles[0]
                        )
        except TimeoutError:
            raise HttpProblem(
                408, "slow", "The body arrives too slowly. Send a smaller file."
            ) from None
        yield question


@contextmanager
def _cut_off() -> Iterator[None]:
    """Raise HttpProblem for a body that breaks HTTP itself, such as chunks without their size."""
    try:
        yield
    except _BROKEN as error:
        raise HttpProblem(
            400, "body", "The body is malformed or was cut off: send it again."
        ) from error


async def _json_of(request: web.Request, stall_s: float) -> dict[str, Any]:
    body = b""
    try:
        while chunk := await asyncio.wait_for(request.content.readany(), stall_s):
            body += chunk
            if len(body) > MAX_JSON_BYTES:
                raise HttpProblem(
                    413,
                    "too_large",
                    f"The JSON has more than {MAX_JSON_BYTES} bytes: send fewer values.",
                )
    except TimeoutError:
        raise HttpProblem(408, "slow", "The body arrives too slowly. Send it again.") from None
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpProblem(400, "json", "The body is no JSON: check commas and quotes.") from None
    if not isinstance(payload, dict):
        raise HttpProblem(400, "json", 'The body is no JSON object: send one such as {"track": 1}.')
    return payload


async def _bytes_of(
    request: web.Request, receiver: ClipReceiver, stall_s: float, role: str
) -> PostedQuestion:
    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await asyncio.wait_for(request.content.readany(), stall_s):
            yield chunk

    fields = list(request.query.items())
    names = {name: value for name, value in fields if name in _CLIP_NAMES}
    payload = payload_of((name, value) for name, value in fields if name not in _CLIP_NAMES)
    return PostedQuestion(payload, [(role, await receiver.receive(chunks(), **names))])


async def _form_of(
    request: web.Request, receiver: ClipReceiver, stall_s: float, roles: Sequence[str]
) -> PostedQuestion:
    fields: list[tuple[str, str]] = []
    clips: list[tuple[str, Clip]] = []
    try:
        reader = await request.multipart()
        count = 0
        while (part := await asyncio.wait_for(reader.next(), stall_s)) is not None:
            count += 1
            if count > MAX_FIELDS or isinstance(part, MultipartReader):
                raise HttpProblem(
                    400, "form", f"The form is nested or has more than {MAX_FIELDS} fields."
                )
            if part.filename is None:
                fields.append((part.name or "", await _text_of(part, stall_s)))
            else:
                if len(clips) >= MOST_SEEDS:
                    raise HttpProblem(
                        422, "wrong_value", f"There are more than {MOST_SEEDS} clips: send fewer."
                    )
                clips.append(await _clip_of(part, receiver, stall_s, roles))
    except _MALFORMED as error:
        raise HttpProblem(
            400, "form", "The form is malformed or was cut off: send it again."
        ) from error
    names = {name: value for name, value in fields if name in _CLIP_NAMES}
    if names and len(clips) == 1:
        role, clip = clips[0]
        named = replace(
            clip,
            title=clean_name(names.get("title")) or clip.title,
            artist=clean_name(names.get("artist")),
        )
        clips = [(role, named)]
    return PostedQuestion(payload_of(f for f in fields if f[0] not in _CLIP_NAMES), clips)


async def _clip_of(
    part: BodyPartReader, receiver: ClipReceiver, stall_s: float, roles: Sequence[str]
) -> tuple[str, Clip]:
    role = part.name or ""
    if role not in roles:
        named = " or ".join(map(repr, roles))
        raise HttpProblem(
            422, "wrong_value", f"{role[:40]!r}: a file is no value of it; name the file {named}."
        )

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await asyncio.wait_for(part.read_chunk(_CHUNK), stall_s):
            yield chunk

    clip = await receiver.receive(chunks(), file_name=part.filename or "")
    return role, clip


async def _text_of(part: BodyPartReader, stall_s: float) -> str:
    text = b""
    while chunk := await asyncio.wait_for(part.read_chunk(_MAX_FIELD_BYTES), stall_s):
        text += chunk
        if len(text) > _MAX_FIELD_BYTES:
            raise HttpProblem(
                413, "too_large", f"A field has more than {_MAX_FIELD_BYTES} bytes: shorten it."
            )
    return text.decode("utf-8", "replace")
