"""Encode the tasks of a cluster: orders of files as JSON, facts of files as frames.

A worker of the cluster may run on another machine, so its reply is checked like that of a worker
process: no pickled object, and each field with its limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from db.details import TrackDetails
from db.ingest.cue import CueSong
from db.ingest.file_facts import FileFacts, FileOrder
from db.ingest.scan import FileStamp
from db.quality import FileQuality
from db.tags import LONGEST_NAME, Tags, clean
from genrec.errors import (
    AnalysisTimeout,
    GenrecError,
    ModelMismatch,
    PoolClosed,
    PresetError,
    WorkerCrashed,
    WorkerUnavailable,
)
from genrec.types import Section
from genrec.workers import protocol
from genrec.workers.protocol import Head, ProtocolError

_FILE_CODES = (
    *protocol.CLIP_CODES, AnalysisTimeout.code, WorkerCrashed.code, GenrecError.code,
)  # fmt: skip
_TASK_CODES = (PresetError.code, ModelMismatch.code, WorkerUnavailable.code, PoolClosed.code)
_CONTENT = re.compile(r"(?:[0-9a-f]{64}(?:#t=[0-9.]{1,10}(?:,[0-9.]{1,10})?)?)?")
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTask:
    """The orders of one task, with the music folder, the preset's genres and the model.

    ``known`` are contents that need no analysis.
    """

    folder: Path
    labels: tuple[str, ...]
    model_id: str
    orders: tuple[FileOrder, ...]
    known: frozenset[str] = frozenset()


def pack_task(task: FileTask) -> bytes:
    """Return a task as JSON."""
    return json.dumps(
        {
            "folder": str(task.folder),
            "labels": task.labels,
            "model_id": task.model_id,
            "orders": [_order_row(order) for order in task.orders],
            "known": sorted(task.known),
        }
    ).encode()


def unpack_task(data: bytes) -> FileTask:
    """Return the task that `pack_task` packed."""
    row = json.loads(data)
    return FileTask(
        folder=Path(row["folder"]),
        labels=tuple(row["labels"]),
        model_id=row["model_id"],
        orders=tuple(_order(each) for each in row["orders"]),
        known=frozenset(row["known"]),
    )


def _order_row(order: FileOrder) -> dict[str, Any]:
    song = order.song
    return {
        "path": order.path,
        "content": order.content,
        "stamp": None if order.stamp is None else astuple(order.stamp),
        "song": None if song is None else asdict(song),
    }


def _order(row: dict[str, Any]) -> FileOrder:
    song = row["song"]
    return FileOrder(
        path=row["path"],
        content=row["content"],
        stamp=None if row["stamp"] is None else FileStamp(*row["stamp"]),
        song=None if song is None else CueSong(**song | {"section": Section(**song["section"])}),
    )


def pack_facts(facts: Sequence[FileFacts]) -> bytes:
    """Return the facts of a task's files, in the order of the task."""
    return b"".join(frame for each in facts for frame in _frames(each))


def pack_task_error(error: GenrecError) -> bytes:
    """Return the reply of a task that no file of it makes fail."""
    return protocol.pack_error(0, error.code, str(error))


def _frames(facts: FileFacts) -> list[bytes]:
    quality = facts.quality
    head: Head = {
        "stamp": astuple(facts.stamp),
        "content": facts.content,
        "tags": None if facts.tags is None else asdict(facts.tags),
        "quality": [quality.lossless, quality.bit_rate],
        "lasting": facts.lasting,
        "analyzed": facts.analysis is not None,
    }
    frames = [protocol.pack(head)]
    if facts.error is not None:
        frames.append(protocol.pack_error(0, facts.error.code, str(facts.error)))
    elif facts.analysis is not None:
        frames.append(protocol.pack_analysis(0, facts.analysis))
    return frames


def unpack_facts(data: bytes, task: FileTask) -> list[FileFacts]:
    """Check the reply to a task and return the facts of its files.

    Raises
    ------
    ProtocolError
        The reply is malformed.
    GenrecError
        The error of the whole task.
    """
    frames = protocol.unpack_frames(data, 2 * len(task.orders))
    if len(frames) == 1 and "stamp" not in frames[0][0]:
        raise protocol.unpack_error(frames[0][0], codes=_TASK_CODES) or _wrong("error", None)
    left = iter(frames)
    try:
        facts = [_facts(order, next(left)[0], left, task) for order in task.orders]
    except StopIteration:
        raise _wrong("frames", len(frames)) from None
    if next(left, None) is not None:
        raise _wrong("frames", len(frames))
    return facts


def _facts(
    order: FileOrder, head: Head, left: Iterator[tuple[Head, bytes]], task: FileTask
) -> FileFacts:
    content = head.get("content")
    if not (isinstance(content, str) and _CONTENT.fullmatch(content)):
        raise _wrong("content", content)
    stamp, lasting, tags = _stamp(head.get("stamp")), head.get("lasting"), head.get("tags")
    if not isinstance(lasting, bool):
        raise _wrong("lasting", lasting)
    if tags is None:
        error = protocol.unpack_error(next(left)[0], codes=_FILE_CODES)
        if error is None:
            raise _wrong("error", None)
        return FileFacts(
            path=order.path, stamp=stamp, content=content, error=error, lasting=lasting
        )
    analyzed = head.get("analyzed") is True
    if not analyzed and content not in task.known:
        raise _wrong("content", content)
    return FileFacts(
        path=order.path,
        stamp=stamp,
        content=content,
        tags=_tags(tags),
        analysis=protocol.unpack_analysis(*next(left), model_id=task.model_id)
        if analyzed
        else None,
        quality=_quality(head.get("quality")),
    )


def _stamp(value: object) -> FileStamp:
    if not (isinstance(value, list) and len(value) == 2):
        raise _wrong("stamp", value)
    size, mtime_ns = value
    _check_integer("stamp.size", size)
    if type(mtime_ns) is not int or abs(mtime_ns) > _MAX_INTEGER:
        raise _wrong("stamp.mtime_ns", mtime_ns)
    return FileStamp(size, mtime_ns)


def _quality(value: object) -> FileQuality:
    if not (isinstance(value, list) and len(value) == 2):
        raise _wrong("quality", value)
    lossless, bit_rate = value
    if lossless is not None and not isinstance(lossless, bool):
        raise _wrong("quality.lossless", lossless)
    if bit_rate is not None:
        _check_integer("quality.bit_rate", bit_rate)
    return FileQuality(lossless, bit_rate)


def _tags(value: object) -> Tags:
    """Check tags by reading them once more: what `db.tags` makes, it does not change."""
    if not (isinstance(value, dict) and value.keys() == {"title", "artist", "genre", "details"}):
        raise _wrong("tags", value)
    title, artist, genre = value["title"], value["artist"], value["genre"]
    for text in (title, artist, genre):
        if not isinstance(text, str) or clean(text, LONGEST_NAME) != text:
            raise _wrong("tags", text)
    if not (title and artist):
        raise _wrong("tags", [title, artist])
    return Tags(title, artist, genre, _details(value["details"]))


def _details(value: object) -> TrackDetails:
    try:
        details = TrackDetails(**value)  # type: ignore[arg-type]
        year = str(details.year) if details.year else ""
        again = TrackDetails.of(asdict(details) | {"year": year, "album": clean(details.album)})
    except (TypeError, AttributeError) as error:
        raise _wrong("tags.details", value) from error
    if again != details:
        raise _wrong("tags.details", value)
    return details


def _check_integer(field: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= _MAX_INTEGER:
        raise _wrong(field, value)


def _wrong(field: str, value: object) -> ProtocolError:
    return ProtocolError(
        f"{field}={protocol.printable(repr(value)[:100])}: expected what genrec's worker sends"
    )
