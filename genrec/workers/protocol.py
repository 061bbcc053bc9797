"""What goes over the channel between the pool and a worker: frames of JSON and raw bytes.

A worker has decoded hostile files, so what it says is data to be judged: nothing of it is ever
unpickled, every size has a cap, and an `Analysis` is rebuilt only from numbers that make sense.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrec import errors
from genrec.errors import GenrecError, InputRefused
from genrec.types import PREVIEW_BANDS, PREVIEW_COLUMNS, Analysis, GenreScore

if TYPE_CHECKING:  # a worker starts without it
    from asyncio import StreamReader

Head = dict[str, Any]

BUG = "bug"
"""The code under which a worker reports an exception that nobody foresaw."""

MAX_JSON_BYTES = 1 << 16
MAX_BLOB_BYTES = 1 << 20

_LENGTHS = struct.Struct("<II")  # of the JSON, of the blob
_MAX_DIMENSIONS = 4096
_MAX_LABELS = 1000
_MAX_NAME = 200  # characters of a label, a stage or a model id
_MAX_SENTENCE = 300
_UNIT_TOLERANCE = 1e-3  # of a length or a sum that should be 1, after float32 arithmetic
STATED_BY_WORKERS = (
    *("unreadable_audio", "unsupported_format", "silent_audio", "clip_too_short"),
    *("clip_too_long", "clip_too_large", "file_missing", InputRefused.code),
)


class BadFrame(Exception):
    """The other end of the channel said something that cannot be."""


def pack(head: Head, blob: bytes = b"") -> bytes:
    """Return one frame."""
    text = json.dumps(head, allow_nan=False).encode()
    return _LENGTHS.pack(len(text), len(blob)) + text + blob


async def receive(reader: StreamReader) -> tuple[Head, bytes]:
    """Read one frame in the parent.

    Raises
    ------
    BadFrame
        It is larger than any answer, or not JSON.
    asyncio.IncompleteReadError, ConnectionError
        The worker is gone.
    """
    text_length, blob_length = _lengths(await reader.readexactly(_LENGTHS.size))
    text = await reader.readexactly(text_length)
    return _parse(text), await reader.readexactly(blob_length)


def receive_clip(channel: socket.socket) -> tuple[Head, int] | None:
    """Read one request in the worker; None where the parent has hung up.

    Returns
    -------
    head, descriptor
        The request, and the clip that came with it, open for reading. To be closed by the caller.
    """
    start, descriptors, _, _ = socket.recv_fds(channel, _LENGTHS.size, 1)
    if len(start) < _LENGTHS.size or not descriptors:
        return None
    text_length, _ = _lengths(start)
    return _parse(channel.recv(text_length, socket.MSG_WAITALL)), descriptors[0]


def _lengths(start: bytes) -> tuple[int, int]:
    text_length, blob_length = _LENGTHS.unpack(start)
    if text_length > MAX_JSON_BYTES or blob_length > MAX_BLOB_BYTES:
        raise BadFrame(f"a frame of {text_length} + {blob_length} bytes")
    return text_length, blob_length


def _parse(text: bytes) -> Head:
    try:
        head = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(head, dict):
        raise BadFrame("not a JSON object")
    return head


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def pack_hello(model_id: str, measures: Sequence[Head]) -> bytes:
    """Return the frame with which a worker says that it is ready, and what it gave up."""
    return pack({"job": 0, "model_id": model_id, "measures": list(measures)})


def unpack_hello(head: Head) -> tuple[str, list[tuple[str, bool, str]]]:
    """Return a worker's model id, and each measure's name, whether it is in force, and its note.

    Raises
    ------
    BadFrame
        It is no greeting.
    """
    try:
        measures = [
            (printable(row["name"]), row["in_force"] is True, printable(row["note"]))
            for row in head["measures"]
        ]
    except (KeyError, TypeError) as error:
        raise BadFrame("a greeting without measures") from error
    return _name(head.get("model_id")), measures


def pack_analysis(job: int, analysis: Analysis) -> bytes:
    """Return the frame that answers ``job`` with ``analysis``."""
    embedding = np.ascontiguousarray(analysis.embedding, dtype="<f4")
    fingerprint = np.ascontiguousarray(analysis.fingerprint, dtype=np.int8)
    preview = analysis.preview
    head = {
        "job": job,
        "model_id": analysis.model_id,
        "scores": [[score.label, float(score.probability)] for score in analysis.scores],
        "dimensions": embedding.size,
        "fingerprint": list(fingerprint.shape),
        "preview": None if preview is None else list(preview.shape),
        "duration_s": float(analysis.duration_s),
        "analyzed_s": float(analysis.analyzed_s),
        "timings_ms": {name: float(ms) for name, ms in analysis.timings_ms.items()},
    }
    picture = b"" if preview is None else preview.tobytes()
    return pack(head, embedding.tobytes() + fingerprint.tobytes() + picture)


def unpack_analysis(head: Head, blob: bytes, *, model_id: str) -> Analysis:
    """Rebuild the analysis in a worker's answer.

    Parameters
    ----------
    head, blob
        The answer as `receive` read it.
    model_id
        What the worker said at its start.

    Raises
    ------
    BadFrame
        A number in it is missing, of the wrong kind, not finite or out of its range.
    """
    if head.get("model_id") != model_id:
        raise BadFrame("the answer of another model")
    dimensions = _size(head.get("dimensions"), _MAX_DIMENSIONS)
    bands, columns = _shape(head.get("fingerprint"), MAX_BLOB_BYTES, MAX_BLOB_BYTES)
    seen = (0, 0)
    if head.get("preview") is not None:
        seen = _shape(head["preview"], PREVIEW_BANDS, PREVIEW_COLUMNS)
    preview_at = 4 * dimensions + bands * columns
    if len(blob) != preview_at + seen[0] * seen[1]:
        raise BadFrame(f"{len(blob)} bytes for {dimensions} numbers, {bands} x {columns}, {seen}")
    fingerprint = np.frombuffer(blob[:preview_at], np.int8, offset=4 * dimensions)
    return Analysis(
        model_id=model_id,
        embedding=_unit(np.frombuffer(blob, "<f4", count=dimensions).astype(np.float32)),
        scores=_scores(head.get("scores")),
        fingerprint=fingerprint.reshape(bands, columns).copy(),
        duration_s=_number(head.get("duration_s")),
        analyzed_s=_number(head.get("analyzed_s")),
        timings_ms=_timings(head.get("timings_ms")),
        preview=np.frombuffer(blob[preview_at:], np.uint8).reshape(seen).copy()
        if seen[0]
        else None,
    )


def _shape(value: object, most_rows: int, most_columns: int) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2):
        raise BadFrame("a picture without its shape")
    return _size(value[0], most_rows), _size(value[1], most_columns)


def _size(value: object, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise BadFrame("a length that cannot be")
    return value


def _number(value: object, most: float = 1e9) -> float:
    if type(value) not in (int, float) or not 0 <= value <= most:  # type: ignore[operator]
        raise BadFrame("a number that cannot be")
    return float(value)  # type: ignore[arg-type]


def _name(value: object) -> str:
    if not (isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable()):
        raise BadFrame("a name that cannot be")
    return value


def _unit(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(embedding.astype(np.float64)))
    if not abs(length - 1) <= _UNIT_TOLERANCE:  # false for NaN as well
        raise BadFrame("an embedding that is not of length 1")
    return embedding


def _scores(value: object) -> tuple[GenreScore, ...]:
    if not (isinstance(value, list) and 1 <= len(value) <= _MAX_LABELS):
        raise BadFrame("no scores")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise BadFrame("scores that are no pairs")
    scores = tuple(GenreScore(_name(label), _number(share, 1.001)) for label, share in value)
    shares = [score.probability for score in scores]
    if not math.isclose(sum(shares), 1, abs_tol=_UNIT_TOLERANCE):
        raise BadFrame("scores that do not sum to 1")
    if shares != sorted(shares, reverse=True) or len({s.label for s in scores}) < len(scores):
        raise BadFrame("scores out of order")
    return scores


def _timings(value: object) -> Mapping[str, float]:
    if not (isinstance(value, dict) and len(value) <= 32):
        raise BadFrame("no timings")
    return {_name(stage): _number(ms) for stage, ms in value.items()}


def pack_error(job: int, code: str, message: str) -> bytes:
    """Return the frame that answers ``job`` with an error."""
    return pack({"job": job, "error": {"code": code, "message": message[:_MAX_SENTENCE]}})


def unpack_error(head: Head, *, codes: Sequence[str] = STATED_BY_WORKERS) -> GenrecError | None:
    """Rebuild the error in a worker's answer; None where it holds none.

    Raises
    ------
    BadFrame
        The error is malformed, or has a code that is not among ``codes``: by default those about
        the file, as a worker has no business with links, catalogues or the pool.
    """
    code, message = _error_fields(head)
    if code is None:
        return None
    if code not in codes:
        raise BadFrame(f"an error {code[:_MAX_NAME]!r}")
    return errors.by_code(code, message)


def bug(head: Head) -> str | None:
    """Return the message of an unforeseen exception in a worker's answer, None where there is none.

    Raises
    ------
    BadFrame
        The error is malformed.
    """
    code, message = _error_fields(head)
    return message if code == BUG else None


def _error_fields(head: Head) -> tuple[str | None, str]:
    fields = head.get("error")
    if fields is None:
        return None, ""
    if not isinstance(fields, dict):
        raise BadFrame("an error that is none")
    code, message = fields.get("code"), fields.get("message")
    if not (isinstance(code, str) and isinstance(message, str) and message):
        raise BadFrame("an error that is none")
    return code, printable(message)


def printable(text: str, most: int = _MAX_SENTENCE) -> str:
    """Return ``text`` on one line, without control characters, at most ``most`` long."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:most]
