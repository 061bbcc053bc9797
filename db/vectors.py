"""Codec between arrays and BLOBs: unit vectors, fingerprints and previews."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.errors import CatalogueError
from genrec.types import PREVIEW_BANDS, PREVIEW_COLUMNS

# Little-endian on every machine, so that a database can be moved.
_FLOAT = np.dtype("<f4")
_SHAPE = struct.Struct("<HH")
_UNIT_TOLERANCE = 1e-3


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Encode a unit vector, float32 (d,), as 4 d bytes; refuse another shape or length."""
    if vector.ndim != 1 or vector.size == 0:
        raise CatalogueError(
            f"The embedding has the shape {vector.shape} instead of (d,): analyse the track again."
        )
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(length - 1.0) <= _UNIT_TOLERANCE:  # also true of NaN
        raise CatalogueError(
            f"The embedding has length {length:.6g} instead of 1: analyse the track again."
        )
    return vector.astype(_FLOAT).tobytes()


def unpack_vector(blob: bytes) -> NDArray[np.float32]:
    """Decode the BLOB of ``pack_vector``."""
    return unpack_matrix([blob], len(blob) // _FLOAT.itemsize).reshape(-1)


def unpack_matrix(blobs: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Decode n BLOBs into one contiguous, read-only matrix, float32 (n, dimension)."""
    joined = b"".join(blobs)
    width = dimension * _FLOAT.itemsize
    if len(joined) != len(blobs) * width or any(len(blob) != width for blob in blobs):
        raise CatalogueError(
            f"A stored embedding does not have the {dimension} dimensions of its generation:"
            " index the music again."
        )
    matrix = np.frombuffer(joined, _FLOAT).reshape(len(blobs), dimension)
    return matrix.astype(np.float32, copy=False)


def sound_vectors(
    blobs: Sequence[bytes], dimension: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Decode the undamaged BLOBs into one matrix like ``unpack_matrix``.

    The second value is bool (n,), False for each BLOB that is damaged: of another size, or with a
    norm other than 1, which includes numbers that are not finite.
    """
    width = dimension * _FLOAT.itemsize
    sound = np.fromiter((len(blob) == width for blob in blobs), bool, count=len(blobs))
    if not sound.all():
        blobs = [blob for blob, good in zip(blobs, sound, strict=True) if good]
    matrix = unpack_matrix(blobs, dimension)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", matrix, matrix)
        unit = np.abs(squares - 1) <= 2 * _UNIT_TOLERANCE  # False for NaN and infinity
    if unit.all():
        return matrix, sound
    sound[np.flatnonzero(sound)[~unit]] = False
    matrix = matrix[unit]
    matrix.flags.writeable = False
    return matrix, sound


def is_sound_vector(blob: bytes, dimension: int) -> bool:
    """Return whether a BLOB holds a unit vector of this dimension."""
    return bool(sound_vectors([blob], dimension)[1][0])


def pack_fingerprint(fingerprint: NDArray[np.int8]) -> bytes:
    """Encode a fingerprint, int8 (bands, columns), after its shape."""
    if fingerprint.ndim != 2 or fingerprint.dtype != np.int8:
        raise CatalogueError(
            f"The fingerprint is {fingerprint.dtype} of shape {fingerprint.shape} instead of int8"
            " (bands, columns): analyse the track again."
        )
    bands, columns = fingerprint.shape
    return _SHAPE.pack(bands, columns) + fingerprint.tobytes()


def unpack_fingerprint(blob: bytes) -> NDArray[np.int8]:
    """Decode the BLOB of ``pack_fingerprint``."""
    if len(blob) >= _SHAPE.size:
        bands, columns = _SHAPE.unpack_from(blob)
        if len(blob) == _SHAPE.size + bands * columns:
            flat = np.frombuffer(blob, np.int8, offset=_SHAPE.size)
            return flat.reshape(bands, columns)
    raise CatalogueError("A stored fingerprint is damaged: index the music again.")


def pack_preview(preview: NDArray[np.uint8]) -> bytes:
    """Encode a preview, uint8 (bands, columns), deflated after its shape."""
    if preview.dtype != np.uint8 or not _fits(preview.shape):
        raise CatalogueError(
            f"The preview is {preview.dtype} of shape {preview.shape} instead of uint8 of at most"
            f" ({PREVIEW_BANDS}, {PREVIEW_COLUMNS}): analyse the clip again."
        )
    return _SHAPE.pack(*preview.shape) + zlib.compress(preview.tobytes())


def unpack_preview(blob: bytes) -> NDArray[np.uint8]:
    """Decode the BLOB of ``pack_preview``."""
    if len(blob) >= _SHAPE.size and _fits(shape := _SHAPE.unpack_from(blob)):
        size = shape[0] * shape[1]
        try:
            flat = zlib.decompressobj().decompress(blob[_SHAPE.size :], size + 1)
        except zlib.error:
            flat = b""
        if len(flat) == size:
            return np.frombuffer(flat, np.uint8).reshape(shape)
    raise CatalogueError("A stored preview is damaged: restore the database from a backup.")


def _fits(shape: tuple[int, ...]) -> bool:
    if len(shape) != 2:
        return False
    return 1 <= shape[0] <= PREVIEW_BANDS and 1 <= shape[1] <= PREVIEW_COLUMNS
