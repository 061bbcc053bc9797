"""Music descriptions as rows of numbers: for frames, database rows, exports and arrays.

Whatever is read may be damaged or forged, so every number is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_range
from genrec.types import MusicDescription

FIELDS = tuple(field.name for field in fields(MusicDescription))
# Of each field: smallest and largest value.
BOUNDS = {
    "bpm": (0.0, 400.0),
    "bpm_confidence": (0.0, 1.0),
    "key": (0, 23),
    "key_confidence": (0.0, 1.0),
    "loudness_lufs": (-70.0, 60.0),  # decoded samples may be 40 dB over full scale
    "dynamics_lu": (0.0, 200.0),
    "brightness_hz": (0.0, 50_000.0),
    "bass": (0.0, 1.0),
    "onsets_per_s": (0.0, 50.0),
}
_KEY = FIELDS.index("key")
_FLOAT = np.dtype("<f4")  # little-endian on every machine
BLOB_BYTES = len(FIELDS) * _FLOAT.itemsize


def description_row(description: MusicDescription) -> list[float]:
    """Return the numbers of a description in the order of `FIELDS`."""
    return [float(value) for value in astuple(description)]


def description_of(row: Sequence[object]) -> MusicDescription:
    """Return the description of a row of numbers.

    Raises
    ------
    ValueError
        The row has another length, or a number is not finite or out of its bounds.
    """
    if len(row) != len(FIELDS):
        raise ValueError(f"description: {len(row)} numbers, expected {len(FIELDS)}")
    for name, value in zip(FIELDS, row, strict=True):
        check_range(name, value, *BOUNDS[name])
    values = [float(value) for value in row]  # type: ignore[arg-type]
    key = values[_KEY]
    if not key.is_integer():
        raise ValueError(f"key={key}: expected a whole number")
    return description_of_checked(values)


def description_of_checked(row: Sequence[float]) -> MusicDescription:
    """Return the description of a row of `description_matrix`, whose numbers were checked."""
    values = dict(zip(FIELDS, row, strict=True))
    return MusicDescription(key=int(values.pop("key")), **values)


def pack_description(description: MusicDescription) -> bytes:
    """Encode a description as 36 bytes."""
    return np.array(description_row(description), dtype=_FLOAT).tobytes()


def unpack_description(blob: bytes) -> MusicDescription:
    """Decode the bytes of `pack_description`; raise ValueError for others."""
    if len(blob) != BLOB_BYTES:
        raise ValueError(f"description: {len(blob)} bytes, expected {BLOB_BYTES}")
    return description_of(np.frombuffer(blob, _FLOAT).astype(np.float64).tolist())


def description_matrix(blobs: Sequence[bytes | None]) -> NDArray[np.float32]:
    """Return descriptions as float32 (n, 9); a row of NaN for one that is absent or damaged."""
    absent = np.full(len(FIELDS), np.nan, dtype=_FLOAT).tobytes()
    joined = b"".join(b if b is not None and len(b) == BLOB_BYTES else absent for b in blobs)
    rows = np.frombuffer(joined, _FLOAT).reshape(len(blobs), len(FIELDS)).astype(np.float32)
    low, high = np.array([BOUNDS[name] for name in FIELDS], dtype=np.float32).T
    with np.errstate(invalid="ignore"):
        damaged = ~((rows >= low) & (rows <= high)).all(axis=1) | (rows[:, _KEY] % 1 != 0)
    rows[damaged] = np.nan
    return rows
