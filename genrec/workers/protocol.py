"""Frames of JSON and raw bytes between the pool and a worker.

A worker decodes hostile files, so its replies are untrusted. Nothing is unpickled, every size has a
limit, and every field of an `Analysis` is checked.
"""

from __future__ import annotations

import json
import math
import reprlib
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrec import errors
from genrec.description_codec import description_of, description_row
from genrec.errors import GenrecError, InputRefused
from genrec.types import (
    PREVIEW_BANDS,
    PREVIEW_COLUMNS,
    Analysis,
    GenreScore,
    MusicDescription,
    Section,
    SoundExcerpt,
)

if TYPE_CHECKING:  # a worker starts faster without asyncio
    from asyncio import StreamReader

Head = dict[str, Any]

UNEXPECTED = "bug"
"""Code of an exception in a worker that is not a GenrecError."""

MAX_JSON_BYTES = 1 << 16
MAX_BLOB_BYTES = 1 << 20

_LENGTHS = struct.Struct("<II")  # of the JSON, of the blob
_MAX_DIMENSIONS = 4096
_MAX_LABELS = 1000
_MAX_TIMINGS = 32
_MAX_PARTS = 1024  # of the analysed stretches of a file
_MAX_NAME = 200  # characters of a label, a stage or a model id
_MAX_SENTENCE = 300
_UNIT_TOLERANCE = 1e-3  # of a length or a sum that should be 1, after float32 arithmetic
CLIP_CODES = (
    *("unreadable_audio", "unsupported_format", "silent_audio", "clip_too_short"),
    *("clip_too_long", "clip_too_large", "file_missing", InputRefused.code),
)
"""Codes of the errors that a worker may reply for a clip."""


class ProtocolError(Exception):
    """A frame violates the protocol. The message has field, value and expected value."""


def _wrong(field: str, value: object, expected: str) -> ProtocolError:
    return ProtocolError(f"{field}={printable(reprlib.repr(value))}: expected {expected}")


def pack(head: Head, blob: bytes = b"") -> bytes:
    """Return one frame."""
    text = json.dumps(head, allow_nan=False).encode()
    return _LENGTHS.pack(len(text), len(blob)) + text + blob


def check_job(head: Head, job: int) -> None:
    """Raise ProtocolError unless a frame belongs to ``job``."""
    if head.get("job") != job:
        raise _wrong("job", head.get("job"), str(job))


async def receive(reader: StreamReader) -> tuple[Head, bytes]:
    """Read one frame in the parent and return its JSON head and its bytes.

    Raises
    ------
    ProtocolError
        The frame exceeds the size limits, or is not a JSON object.
    asyncio.IncompleteReadError, ConnectionError
        The worker has exited.
    """
    text_length, blob_length = _lengths(await reader.readexactly(_LENGTHS.size))
    text = await reader.readexactly(text_length)
    return _parse(text), await reader.readexactly(blob_length)


def unpack_frames(data: bytes, most: int) -> list[tuple[Head, bytes]]:
    """Return the frames in bytes that came as a whole, such as the reply of a cluster's worker.

    Raises
    ------
    ProtocolError
        A frame exceeds the size limits, is not a JSON object or is cut, or there are more than
        ``most`` of them.
    """
    frames: list[tuple[Head, bytes]] = []
    at = 0
    while at < len(data):
        if len(frames) == most:
            raise _wrong("frames", f"more than {most}", f"0..{most}")
        if len(data) < at + _LENGTHS.size:
            raise _wrong("frame.bytes", len(data) - at, f"{_LENGTHS.size} or more")
        text_length, blob_length = _lengths(data[at : at + _LENGTHS.size])
        text = at + _LENGTHS.size
        blob, end = text + text_length, text + text_length + blob_length
        if len(data) < end:
            raise _wrong("frame.bytes", len(data) - at, f"{end - at}")
        frames.append((_parse(data[text:blob]), data[blob:end]))
        at = end
    return frames


def receive_clip(channel: socket.socket) -> tuple[Head, int] | None:
    """Read one frame with a clip in the worker.

    Returns
    -------
    head, descriptor
        The head of the frame, and the clip, open for reading. The caller closes it. None if the
        parent has closed the channel.
    """
    start, descriptors, _, _ = socket.recv_fds(channel, _LENGTHS.size, 1)
    if len(start) < _LENGTHS.size or not descriptors:
        return None
    text_length, _ = _lengths(start)
    return _parse(channel.recv(text_length, socket.MSG_WAITALL)), descriptors[0]


def pack_clip(
    job: int, timeout_s: float, name: str, section: Section | None, excerpt_s: float | None = None
) -> bytes:
    """Return the frame that goes with a clip's descriptor.

    It requests an analysis, or with ``excerpt_s`` an excerpt of at most so many seconds.
    """
    head: Head = {"job": job, "timeout_s": timeout_s, "name": name}
    if excerpt_s is not None:
        head["excerpt_s"] = excerpt_s
    if section is not None:
        head["section"] = [section.start_s, section.end_s]
    return pack(head)


def unpack_section(head: Head) -> Section | None:
    """Return the section of a clip in a frame of the parent, or None for the whole clip."""
    section = head.get("section")
    return None if section is None else Section(*section)


def pack_excerpt(job: int, excerpt: SoundExcerpt) -> bytes:
    """Return the frame with the excerpt of ``job``."""
    return pack({"job": job, "seconds": float(excerpt.seconds)}, excerpt.mp3)


def unpack_excerpt(head: Head, blob: bytes, *, excerpt_s: float) -> SoundExcerpt:
    """Check a worker's reply and return its excerpt.

    Parameters
    ----------
    head, blob
        The frame from `receive`.
    excerpt_s
        The longest length that was requested, in seconds.

    Raises
    ------
    ProtocolError
        The length is out of range, or the bytes do not begin with a frame of MP3.
    """
    seconds = _number("seconds", head.get("seconds"), excerpt_s + _UNIT_TOLERANCE)
    # Eleven bits of synchronisation, then version and layer: MPEG 1 to 2.5, layer 3.
    if len(blob) < 4 or blob[0] != 0xFF or blob[1] & 0xE6 != 0xE2:
        raise _wrong("mp3", blob[:4], "a frame of MPEG audio, layer 3")
    return SoundExcerpt(bytes(blob), seconds)


def _lengths(start: bytes) -> tuple[int, int]:
    text_length, blob_length = _LENGTHS.unpack(start)
    if text_length > MAX_JSON_BYTES:
        raise _wrong("frame.json_bytes", text_length, f"0..{MAX_JSON_BYTES}")
    if blob_length > MAX_BLOB_BYTES:
        raise _wrong("frame.blob_bytes", blob_length, f"0..{MAX_BLOB_BYTES}")
    return text_length, blob_length


def _parse(text: bytes) -> Head:
    try:
        head = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"frame.json: {error}") from error
    if not isinstance(head, dict):
        raise _wrong("frame.json", head, "an object")
    return head


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def pack_ready(
    model_id: str, runtime: str, measures: Sequence[Head], warnings: Sequence[str]
) -> bytes:
    """Return the frame of a worker that has loaded its preset.

    It has the sandbox's measures, and the warnings that genrec logged meanwhile.
    """
    ready = {"model_id": model_id, "runtime": runtime, "measures": list(measures)}
    return pack({"job": 0, "warnings": list(warnings)} | ready)


def unpack_ready(head: Head) -> tuple[str, str, list[tuple[str, bool, str]], list[str]]:
    """Return a worker's model id, its runtime, its measures and its warnings.

    A measure is its name, its state and its note.

    Raises
    ------
    ProtocolError
        A field is missing or wrong.
    """
    try:
        measures = [
            (printable(row["name"]), row["in_force"] is True, printable(row["note"]))
            for row in head["measures"]
        ]
    except (KeyError, TypeError) as error:
        raise _wrong("measures", head.get("measures"), "[name, in_force, note] rows") from error
    model_id, runtime = (_name(name, head.get(name)) for name in ("model_id", "runtime"))
    warnings = head.get("warnings")
    if not isinstance(warnings, list) or not all(isinstance(each, str) for each in warnings):
        raise _wrong("warnings", warnings, "texts")
    return model_id, runtime, measures, [printable(each) for each in warnings]


def pack_analysis(job: int, analysis: Analysis) -> bytes:
    """Return the frame with the analysis of ``job``."""
    embedding = np.ascontiguousarray(analysis.embedding, dtype="<f4")
    fingerprint = np.ascontiguousarray(analysis.fingerprint, dtype=np.int8)
    preview, described = analysis.preview, analysis.description
    head = {
        "job": job,
        "model_id": analysis.model_id,
        "scores": [[score.label, float(score.probability)] for score in analysis.scores],
        "dimensions": embedding.size,
        "fingerprint": list(fingerprint.shape),
        "preview": None if preview is None else list(preview.shape),
        "duration_s": float(analysis.duration_s),
        "analyzed_s": float(analysis.analyzed_s),
        "music": float(analysis.music),
        "description": None if described is None else description_row(described),
        "timings_ms": {name: float(ms) for name, ms in analysis.timings_ms.items()},
        "parts": [[float(start), float(end)] for start, end in analysis.parts],
    }
    preview_bytes = b"" if preview is None else preview.tobytes()
    return pack(head, embedding.tobytes() + fingerprint.tobytes() + preview_bytes)


def unpack_analysis(head: Head, blob: bytes, *, model_id: str) -> Analysis:
    """Check a worker's reply and return its analysis.

    Parameters
    ----------
    head, blob
        The frame from `receive`.
    model_id
        The model id in the worker's ready frame.

    Raises
    ------
    ProtocolError
        A field is missing, of the wrong type, not finite or out of range.
    """
    if head.get("model_id") != model_id:
        raise _wrong("model_id", head.get("model_id"), repr(model_id))
    dimensions = _size("dimensions", head.get("dimensions"), _MAX_DIMENSIONS)
    bands, columns = _shape("fingerprint", head.get("fingerprint"), MAX_BLOB_BYTES, MAX_BLOB_BYTES)
    preview_shape = (0, 0)
    if head.get("preview") is not None:
        preview_shape = _shape("preview", head["preview"], PREVIEW_BANDS, PREVIEW_COLUMNS)
    preview_at = 4 * dimensions + bands * columns
    expected = preview_at + preview_shape[0] * preview_shape[1]
    if len(blob) != expected:
        raise _wrong("blob_bytes", len(blob), str(expected))
    fingerprint = np.frombuffer(blob[:preview_at], np.int8, offset=4 * dimensions)
    preview = None
    if preview_shape[0]:
        preview = np.frombuffer(blob[preview_at:], np.uint8).reshape(preview_shape).copy()
    return Analysis(
        model_id=model_id,
        embedding=_unit(np.frombuffer(blob, "<f4", count=dimensions).astype(np.float32)),
        scores=_scores(head.get("scores")),
        fingerprint=fingerprint.reshape(bands, columns).copy(),
        duration_s=_number("duration_s", head.get("duration_s")),
        analyzed_s=_number("analyzed_s", head.get("analyzed_s")),
        timings_ms=_timings(head.get("timings_ms")),
        preview=preview,
        music=_number("music", head.get("music"), 1),
        description=_description(head.get("description")),
        parts=_parts(head.get("parts")),
    )


def _parts(value: object) -> tuple[tuple[float, float], ...]:
    """Check (start, end) pairs in seconds, in order, at most `_MAX_PARTS` of them."""
    expected = f"at most {_MAX_PARTS} pairs of rising numbers"
    if not isinstance(value, list) or len(value) > _MAX_PARTS:
        raise _wrong("parts", value, expected)
    parts: list[tuple[float, float]] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise _wrong("parts", value, expected)
        start, end = (_number("parts", number) for number in pair)
        if not (parts[-1][1] if parts else 0.0) <= start < end:
            raise _wrong("parts", value, expected)
        parts.append((start, end))
    return tuple(parts)


def _description(value: object) -> MusicDescription | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise _wrong("description", value, "a list of numbers, or null")
    try:
        return description_of(value)
    except ValueError as error:
        raise ProtocolError(f"description: {printable(str(error))}") from error


def _shape(field: str, value: object, max_rows: int, max_columns: int) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2):
        raise _wrong(field, value, "[rows, columns]")
    return _size(f"{field}[0]", value[0], max_rows), _size(f"{field}[1]", value[1], max_columns)


def _size(field: str, value: object, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise _wrong(field, value, f"1..{most}")
    return value


def _number(field: str, value: object, most: float = 1e9) -> float:
    if type(value) not in (int, float) or not 0 <= value <= most:  # type: ignore[operator]
        raise _wrong(field, value, f"0..{most:g}".replace("e+0", "e"))
    return float(value)  # type: ignore[arg-type]


def _name(field: str, value: object) -> str:
    if not (isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable()):
        raise _wrong(field, value, f"1..{_MAX_NAME} printable characters")
    return value


def _unit(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(embedding).all():
        raise _wrong("embedding", "NaN or infinity", "finite numbers")
    length = float(np.linalg.norm(embedding.astype(np.float64)))
    if abs(length - 1) > _UNIT_TOLERANCE:
        raise _wrong("embedding.length", length, "1")
    return embedding


def _scores(value: object) -> tuple[GenreScore, ...]:
    if not (isinstance(value, list) and 1 <= len(value) <= _MAX_LABELS):
        raise _wrong("scores", value, f"1..{_MAX_LABELS} pairs")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise _wrong("scores", value, "[label, probability] pairs")
    scores = tuple(
        GenreScore(_name("scores.label", label), _number("scores.probability", share, 1.001))
        for label, share in value
    )
    probabilities = [score.probability for score in scores]
    total = sum(probabilities)
    if not math.isclose(total, 1, abs_tol=_UNIT_TOLERANCE):
        raise _wrong("scores.sum", total, "1")
    if probabilities != sorted(probabilities, reverse=True):
        raise _wrong("scores", value, "the most probable first")
    if len({score.label for score in scores}) < len(scores):
        raise _wrong("scores", value, "each label once")
    return scores


def _timings(value: object) -> Mapping[str, float]:
    if not (isinstance(value, dict) and len(value) <= _MAX_TIMINGS):
        raise _wrong("timings_ms", value, f"an object of 0..{_MAX_TIMINGS} stages")
    return {
        _name("timings_ms", stage): _number(f"timings_ms.{stage}", ms)
        for stage, ms in value.items()
    }


def pack_error(job: int, code: str, message: str) -> bytes:
    """Return the frame with the error of ``job``."""
    return pack({"job": job, "error": {"code": code, "message": message[:_MAX_SENTENCE]}})


def unpack_error(head: Head, *, codes: Sequence[str] = CLIP_CODES) -> GenrecError | None:
    """Return the error in a worker's reply, or None.

    Raises
    ------
    ProtocolError
        The error is malformed, or its code is not in ``codes``. By default those are the codes of
        refused clips, because a worker must not report errors of links, catalogues or the pool.
    """
    code, message = _error_fields(head)
    if code is None:
        return None
    if code not in codes:
        raise _wrong("error.code", code, f"one of {', '.join(codes)}")
    return errors.by_code(code, message)


def unexpected_error(head: Head) -> str | None:
    """Return the message of an unexpected exception in a worker's reply, or None.

    Raises
    ------
    ProtocolError
        The error is malformed.
    """
    code, message = _error_fields(head)
    return message if code == UNEXPECTED else None


def _error_fields(head: Head) -> tuple[str | None, str]:
    fields = head.get("error")
    if fields is None:
        return None, ""
    if not isinstance(fields, dict):
        raise _wrong("error", fields, "an object of code and message")
    code, message = fields.get("code"), fields.get("message")
    if not isinstance(code, str):
        raise _wrong("error.code", code, "text")
    if not (isinstance(message, str) and message):
        raise _wrong("error.message", message, "text")
    return code, printable(message)


def printable(text: str, most: int = _MAX_SENTENCE) -> str:
    """Return ``text`` on one line, without control characters, of at most ``most`` characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:most]
