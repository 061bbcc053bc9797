"""Snapshot of the active tracks: a file that is memory-mapped at start and fully verified.

The snapshot is a cache of the database; deleting it costs one slow start. Layout: a head (magic,
length and SHA-256 of the description), the description as JSON, then each column at the start of a
page. The matrix is last and ends in a sparse hole, which is room for added tracks. The mapping is
private, so added tracks stay in memory.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import REMOVED, CatalogueRows, LabelColumn
from db.index.growable import GrowableIndex, with_room
from genrec.description_codec import FIELDS
from genrec.files import atomic_write, remove_leftovers

_MAGIC = b"genrec tracks 2\n"
_HEAD = struct.Struct("<16sQ32s")
_PAGE = 4096
_ROWS_AT_ONCE = 8192
# Little-endian on every machine, like the vectors in the database.
_COLUMNS = {
    "ids": "<i8", "artists": "<i4", "genres": "<i4", "scopes": "<i4", "descriptions": "<f4",
    "matrix": "<f4",
}  # fmt: skip
_LABEL_COLUMNS = ("artists", "genres", "scopes")


def snapshot_path(database: Path | str) -> Path:
    """Return the path of a database's snapshot; a new snapshot replaces the old one."""
    path = Path(database)
    return path.with_name(path.name + "-tracks")


def write_snapshot(path: Path, rows: CatalogueRows, token: str) -> None:
    """Write the rows to a snapshot file in one step; raises OSError.

    ``token`` identifies the file: the database stores it, and ``read_snapshot`` compares it.
    """
    remove_leftovers(path)
    with atomic_write(path, private=True) as temporary, temporary.open("wb") as file:
        _write(file, rows, token)


def read_snapshot(path: Path, *, model_id: str, token: str) -> GrowableIndex | None:
    """Map a snapshot into memory; None if it is absent, damaged, or of another model or token.

    The whole file is read to verify it, which also warms the page cache for the first search.
    """
    try:
        with path.open("rb") as file:
            described, length = _description(file)
            if (described["model_id"], described["token"]) != (model_id, token):
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return _index(mapped, described, length)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _write(file: BinaryIO, rows: CatalogueRows, token: str) -> None:
    live = np.flatnonzero(rows.ids != REMOVED)
    count, dimension = len(live), rows.matrix.shape[1]
    small: dict[str, NDArray[Any]] = {
        "ids": rows.ids[live],
        "descriptions": rows.descriptions[live],
        **{name: getattr(rows, name).codes[live] for name in _LABEL_COLUMNS},
    }
    described: dict[str, Any] = {
        "model_id": rows.model_id,
        "revision": rows.revision,
        "dimension": dimension,
        "count": count,
        "token": token,
        "damaged": sorted(rows.damaged),
        "names": {name: getattr(rows, name).names for name in _LABEL_COLUMNS},
        "digests": {name: _digest(column) for name, column in small.items()},
        # A placeholder of the final length, so that the offsets stay valid.
        "digest": "0" * 64,
    }
    offsets = _offsets(len(_packed(described)), count, dimension)
    for name, column in small.items():
        file.seek(offsets[name])
        file.write(column.astype(_COLUMNS[name], copy=False).tobytes())
    file.seek(offsets["matrix"])
    sums = np.zeros(dimension, dtype=np.uint32)
    for start in range(0, count, _ROWS_AT_ONCE):
        part = rows.matrix[live[start : start + _ROWS_AT_ONCE]].astype("<f4", copy=False)
        sums += _sums(part)
        file.write(part.tobytes())
    file.truncate(offsets["matrix"] + 4 * dimension * with_room(count))
    described["digest"] = hashlib.sha256(sums.tobytes()).hexdigest()
    packed = _packed(described)
    file.seek(0)
    file.write(_HEAD.pack(_MAGIC, len(packed), hashlib.sha256(packed).digest()) + packed)


def _description(file: BinaryIO) -> tuple[dict[str, Any], int]:
    magic, length, digest = _HEAD.unpack(file.read(_HEAD.size))
    if magic != _MAGIC or length > os.fstat(file.fileno()).st_size:
        raise ValueError("magic: not a snapshot")
    packed = file.read(length)
    if hashlib.sha256(packed).digest() != digest:
        raise ValueError("description: wrong SHA-256")
    return json.loads(packed), length


def _index(mapped: mmap.mmap, described: dict[str, Any], length: int) -> GrowableIndex:
    count, dimension = described["count"], described["dimension"]
    offsets = _offsets(length, count, dimension)
    small: dict[str, NDArray[Any]] = {}
    for name, kind in list(_COLUMNS.items())[:-1]:
        size = count * _width(name, dimension)
        column = np.frombuffer(mapped, kind, count=size, offset=offsets[name])
        if _digest(column) != described["digests"][name]:
            raise ValueError(f"{name}: wrong SHA-256")
        small[name] = column.astype(kind[1:])  # a copy: only the matrix stays mapped
    room = np.frombuffer(
        mapped, "<f4", count=with_room(count) * dimension, offset=offsets["matrix"]
    )
    room = room.reshape(-1, dimension).astype(np.float32, copy=False)
    if hashlib.sha256(_sums(room[:count]).tobytes()).hexdigest() != described["digest"]:
        raise ValueError("matrix: wrong checksum")
    matrix = room[:count]
    matrix.flags.writeable = False
    labels = {
        name: LabelColumn(small[name], tuple(described["names"][name])) for name in _LABEL_COLUMNS
    }
    rows = CatalogueRows(
        revision=described["revision"],
        model_id=described["model_id"],
        ids=small["ids"],
        descriptions=small["descriptions"].reshape(count, len(FIELDS)),
        matrix=matrix,
        damaged=frozenset(map(int, described.get("damaged", ()))),
        **labels,
    )
    return GrowableIndex(rows, room)


def _packed(described: dict[str, Any]) -> bytes:
    return json.dumps(described, ensure_ascii=True, separators=(",", ":")).encode()


def _offsets(length: int, count: int, dimension: int) -> dict[str, int]:
    """Return the byte offset of each column."""
    offsets, end = {}, _HEAD.size + length
    for name, kind in _COLUMNS.items():
        offsets[name] = -(-end // _PAGE) * _PAGE
        end = offsets[name] + np.dtype(kind).itemsize * count * _width(name, dimension)
    return offsets


def _width(name: str, dimension: int) -> int:
    """Return the numbers that each row of a column has."""
    return {"matrix": dimension, "descriptions": len(FIELDS)}.get(name, 1)


def _digest(column: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()


def _sums(matrix: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return the sum of the bit patterns of each dimension, modulo 2**32.

    The checksum misses a change only if another in the same dimension cancels it. It runs at memory
    bandwidth; a SHA-256 of a million tracks takes seconds.
    """
    sums: NDArray[np.uint32] = matrix.view(np.uint32).sum(axis=0, dtype=np.uint32)
    return sums
