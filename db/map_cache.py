"""Files beside the database that keep the places of a map, so that a restart computes nothing.

A file is a cache: deleting it costs one computation. It holds ids, places and checksums, and no
names. One that is damaged, or of another model or other scopes, is ignored.
"""

from __future__ import annotations

import glob
import hashlib
import json
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.files import atomic_write, remove_leftovers

_VERSION = 1
_MAX_FILES = 16  # the oldest are removed
_MAX_TRACKS = 10_000_000
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_HASH_FACTOR = 0x9E3779B1  # odd (Knuth 1998, multiplicative hashing)


@dataclass(frozen=True, slots=True, eq=False)
class StoredMap:
    """Places of the tracks of some scopes.

    ``ids`` is int64 (n,), ``positions`` float32 (n, 2), and ``checksums`` uint32 (n,) of the
    embeddings that they were computed from. ``laid_out`` is bool (n,), False for a track that was
    placed later, and ``size`` the number of tracks that the layout was computed of.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.float32]
    checksums: NDArray[np.uint32]
    laid_out: NDArray[np.bool_]
    size: int


def checksums(matrix: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return a checksum of each row, uint32 (n,), which tells a track that was analysed again."""
    bits = np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
    factors = np.arange(1, 2 * bits.shape[1], 2, dtype=np.uint32) * np.uint32(_HASH_FACTOR)
    return np.asarray((bits * factors).sum(axis=1, dtype=np.uint32))


def map_path(database: Path | str, model_id: str, scopes: Collection[str]) -> Path:
    """Return the path of the file for the scopes, beside the database."""
    path = Path(database)
    digest = hashlib.sha256(_key(model_id, scopes).encode()).hexdigest()
    return path.with_name(f"{path.name}-map-{digest[:16]}.npz")


def write_map(path: Path, stored: StoredMap, model_id: str, scopes: Collection[str]) -> None:
    """Write the file in one step and remove the oldest of many; raises OSError."""
    remove_leftovers(path)
    with atomic_write(path, private=True) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            version=np.array(_VERSION),
            key=np.array(_key(model_id, scopes)),
            size=np.array(stored.size),
            ids=stored.ids,
            positions=stored.positions,
            checksums=stored.checksums,
            laid_out=stored.laid_out,
        )
    prefix = path.name.rpartition("-")[0]
    files = sorted(path.parent.glob(f"{prefix}-*.npz"), key=lambda each: each.stat().st_mtime)
    for old in files[:-_MAX_FILES]:
        old.unlink(missing_ok=True)


def read_map(path: Path, model_id: str, scopes: Collection[str]) -> StoredMap | None:
    """Return the places in a file; None if it is absent, damaged or of other scopes."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if int(file["version"]) != _VERSION or str(file["key"]) != _key(model_id, scopes):
                return None
            stored = StoredMap(
                file["ids"], file["positions"], file["checksums"], file["laid_out"],
                int(file["size"]),
            )  # fmt: skip
    except _DAMAGED:
        return None
    return stored if _is_sound(stored) else None


def remove_maps(database: Path | str, scope: str) -> None:
    """Delete the files beside a database that have tracks of a scope, and damaged ones."""
    path = Path(database)
    for file in path.parent.glob(f"{glob.escape(path.name)}-map-*.npz"):
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                scopes = json.loads(str(stored["key"]))[1:]
        except _DAMAGED:
            scopes = [scope]
        if scope in scopes:
            file.unlink(missing_ok=True)


def _is_sound(stored: StoredMap) -> bool:
    columns: tuple[NDArray[Any], ...] = (
        stored.ids, stored.positions, stored.checksums, stored.laid_out
    )  # fmt: skip
    count = len(stored.ids) if stored.ids.ndim == 1 else -1
    return (
        0 < count <= _MAX_TRACKS
        and stored.size > 0
        and [each.dtype.str for each in columns] == ["<i8", "<f4", "<u4", "|b1"]
        and stored.positions.shape == (count, 2)
        and stored.checksums.shape == stored.laid_out.shape == (count,)
        and bool(np.isfinite(stored.positions).all())
    )


def _key(model_id: str, scopes: Collection[str]) -> str:
    return json.dumps([model_id, *sorted(scopes)])
