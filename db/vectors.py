"""The only codec between arrays and BLOBs: unit vectors, fingerprints and previews."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.errors import CatalogueError
from genrec.types import PREVIEW_BANDS, PREVIEW_COLUMNS

# Little-endian on disk whatever the machine, so that a database can move.
_FLOAT = np.dtype("<f4")
_SHAPE = struct.Struct("<HH")
_UNIT_TOLERANCE = 1e-3


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Encode a unit vector (d,) as 4 d bytes; refuse one that no cosine can be taken of."""
    if vector.ndim != 1 or vector.size == 0:
        raise CatalogueError(
            f"An embedding must have one dimension, not the shape {vector.shape}; analyse the"
            " track again."
        )
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(length - 1.0) <= _UNIT_TOLERANCE:  # also true of NaN
        raise CatalogueError(
            f"An embedding must have length 1, not {length:.6g}; analyse the track again."
        )
    return vector.astype(_FLOAT).tobytes()


def unpack_vector(blob: bytes) -> NDArray[np.float32]:
    """Decode what ``pack_vector`` made."""
    return unpack_matrix([blob], len(blob) // _FLOAT.itemsize).reshape(-1)


def unpack_matrix(blobs: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Decode n BLOBs into one contiguous, read-only matrix (n, dimension)."""
    joined = b"".join(blobs)
    width = dimension * _FLOAT.itemsize
    if len(joined) != len(blobs) * width or any(len(blob) != width for blob in blobs):
        raise CatalogueError(
            f"An embedding in the catalogue does not have the {dimension} dimensions its"
            " generation names; index the music again."
        )
    matrix = np.frombuffer(joined, _FLOAT).reshape(len(blobs), dimension)
    return matrix.astype(np.float32, copy=False)


def pack_fingerprint(fingerprint: NDArray[np.int8]) -> bytes:
    """Encode a fingerprint (bands, columns), its shape first."""
    if fingerprint.ndim != 2 or fingerprint.dtype != np.int8:
        raise CatalogueError(
            "A fingerprint must be int8 with bands and columns, not"
            f" {fingerprint.dtype} of shape {fingerprint.shape}; analyse the track again."
        )
    bands, columns = fingerprint.shape
    return _SHAPE.pack(bands, columns) + fingerprint.tobytes()


def unpack_fingerprint(blob: bytes) -> NDArray[np.int8]:
    """Decode what ``pack_fingerprint`` made."""
    if len(blob) >= _SHAPE.size:
        bands, columns = _SHAPE.unpack_from(blob)
        if len(blob) == _SHAPE.size + bands * columns:
            flat = np.frombuffer(blob, np.int8, offset=_SHAPE.size)
            return flat.reshape(bands, columns)
    raise CatalogueError("A fingerprint in the catalogue is damaged; index the music again.")


def pack_preview(preview: NDArray[np.uint8]) -> bytes:
    """Encode a preview (bands, columns), its shape first, then deflated."""
    if preview.dtype != np.uint8 or not _fits(preview.shape):
        raise CatalogueError(
            f"A preview must be uint8 of at most {PREVIEW_BANDS} x {PREVIEW_COLUMNS}, not"
            f" {preview.dtype} of shape {preview.shape}; analyse the clip again."
        )
    return _SHAPE.pack(*preview.shape) + zlib.compress(preview.tobytes())


def unpack_preview(blob: bytes) -> NDArray[np.uint8]:
    """Decode what ``pack_preview`` made."""
    if len(blob) >= _SHAPE.size and _fits(shape := _SHAPE.unpack_from(blob)):
        size = shape[0] * shape[1]
        try:
            flat = zlib.decompressobj().decompress(blob[_SHAPE.size :], size + 1)
        except zlib.error:
            flat = b""
        if len(flat) == size:
            return np.frombuffer(flat, np.uint8).reshape(shape)
    raise CatalogueError("A kept preview is damaged; restore the database from a backup.")


def _fits(shape: tuple[int, ...]) -> bool:
    if len(shape) != 2:
        return False
    return 1 <= shape[0] <= PREVIEW_BANDS and 1 <= shape[1] <= PREVIEW_COLUMNS
