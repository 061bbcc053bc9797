"""The served tracks as a file that is mapped into memory: searchable at once, and never trusted.

SQLite keeps the tracks; this is a copy to start from, and deleting it costs one slow start. In it:
a head (magic, length and sha256 of what follows), a description in JSON, then each column where a
page begins. The matrix comes last, with a hole behind it in which tracks are added: the mapping is
private, so what is written there stays in memory.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import REMOVED, CatalogueRows, LabelColumn
from db.index.growable import GrowableIndex, spare

_MAGIC = b"genrec tracks 1\n"
_HEAD = struct.Struct("<16sQ32s")
_PAGE = 4096
_ROWS_AT_ONCE = 8192
# Little-endian on disk whatever the machine, as the vectors in the database are.
_COLUMNS = {"ids": "<i8", "artists": "<i4", "genres": "<i4", "scopes": "<i4", "matrix": "<f4"}
_WORDS = ("artists", "genres", "scopes")


def snapshot_path(database: str) -> Path:
    """Return where the snapshot of a database lies: one name, so that only the newest is kept."""
    path = Path(database)
    return path.with_name(path.name + "-tracks")


def write_snapshot(path: Path, rows: CatalogueRows, token: str) -> None:
    """Write the rows to a file that is complete as soon as it has its name; raises OSError.

    ``token`` is what the database will know this file by.
    """
    _sweep(path)
    number, draft = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            _write(file, rows, token)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def read_snapshot(path: Path, *, model_id: str, token: str) -> GrowableIndex | None:
    """Map a snapshot into memory; nothing where there is none, or it is damaged or another's.

    All of it is read, to see whether it is what was written; that also makes the first search fast.
    """
    try:
        with path.open("rb") as file:
            described, length = _description(file)
            if (described["model_id"], described["token"]) != (model_id, token):
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return _held(mapped, described, length)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _sweep(path: Path) -> None:
    """Remove drafts that a killed process left; one still being written then fails harmlessly."""
    for draft in path.parent.glob(f"{path.name}.*.part"):
        draft.unlink(missing_ok=True)


def _write(file: BinaryIO, rows: CatalogueRows, token: str) -> None:
    live = np.flatnonzero(rows.ids != REMOVED)
    count, dimension = len(live), rows.matrix.shape[1]
    small = {"ids": rows.ids[live]} | {name: getattr(rows, name).codes[live] for name in _WORDS}
    described: dict[str, Any] = {
        "model_id": rows.model_id,
        "revision": rows.revision,
        "dimension": dimension,
        "count": count,
        "token": token,
        "names": {name: getattr(rows, name).names for name in _WORDS},
        "digests": {name: _digest(column[:, np.newaxis]) for name, column in small.items()},
        # Known at the end; of the same length, so that the columns do not move.
        "digest": "0" * 64,
    }
    places = _places(len(_packed(described)), count, dimension)
    for name, column in small.items():
        file.seek(places[name])
        file.write(column.astype(_COLUMNS[name], copy=False).tobytes())
    file.seek(places["matrix"])
    sums = np.zeros(dimension, dtype=np.uint32)
    for start in range(0, count, _ROWS_AT_ONCE):
        part = rows.matrix[live[start : start + _ROWS_AT_ONCE]].astype("<f4", copy=False)
        sums += _sums(part)
        file.write(part.tobytes())
    file.truncate(places["matrix"] + 4 * dimension * spare(count))
    described["digest"] = hashlib.sha256(sums.tobytes()).hexdigest()
    packed = _packed(described)
    file.seek(0)
    file.write(_HEAD.pack(_MAGIC, len(packed), hashlib.sha256(packed).digest()) + packed)


def _description(file: BinaryIO) -> tuple[dict[str, Any], int]:
    magic, length, digest = _HEAD.unpack(file.read(_HEAD.size))
    if magic != _MAGIC or length > os.fstat(file.fileno()).st_size:
        raise ValueError("not a snapshot")
    packed = file.read(length)
    if hashlib.sha256(packed).digest() != digest:
        raise ValueError("a damaged description")
    return json.loads(packed), length


def _held(mapped: mmap.mmap, described: dict[str, Any], length: int) -> GrowableIndex:
    count, dimension = described["count"], described["dimension"]
    places = _places(length, count, dimension)
    small: dict[str, NDArray[Any]] = {}
    for name, kind in list(_COLUMNS.items())[:-1]:
        column = np.frombuffer(mapped, kind, count=count, offset=places[name])
        if _digest(column[:, np.newaxis]) != described["digests"][name]:
            raise ValueError("a damaged column")
        small[name] = column.astype(kind[1:])  # a copy: the mapping is for the matrix
    room = np.frombuffer(mapped, "<f4", count=spare(count) * dimension, offset=places["matrix"])
    room = room.reshape(-1, dimension).astype(np.float32, copy=False)
    if hashlib.sha256(_sums(room[:count]).tobytes()).hexdigest() != described["digest"]:
        raise ValueError("a damaged matrix")
    matrix = room[:count]
    matrix.flags.writeable = False
    labels = {name: LabelColumn(small[name], tuple(described["names"][name])) for name in _WORDS}
    rows = CatalogueRows(
        revision=described["revision"],
        model_id=described["model_id"],
        ids=small["ids"],
        matrix=matrix,
        **labels,
    )
    return GrowableIndex(rows, room)


def _packed(described: dict[str, Any]) -> bytes:
    return json.dumps(described, ensure_ascii=True, separators=(",", ":")).encode()


def _places(length: int, count: int, dimension: int) -> dict[str, int]:
    """Return where each column begins."""
    places, end = {}, _HEAD.size + length
    for name, kind in _COLUMNS.items():
        places[name] = -(-end // _PAGE) * _PAGE
        end = places[name] + np.dtype(kind).itemsize * count * (
            dimension if name == "matrix" else 1
        )
    return places


def _digest(column: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()


def _sums(matrix: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return the sum of the bits of each dimension.

    It sees every number that changed, unless another in the same dimension changed by as much, and
    is as fast as memory, where a hash of a million tracks takes seconds.
    """
    sums: NDArray[np.uint32] = matrix.view(np.uint32).sum(axis=0, dtype=np.uint32)
    return sums
