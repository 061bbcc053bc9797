"""Tests of the BLOB codec: exact both ways, and only unit vectors are accepted."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from db.vectors import (
    pack_fingerprint,
    pack_preview,
    pack_vector,
    unpack_fingerprint,
    unpack_matrix,
    unpack_preview,
    unpack_vector,
)
from genrec.errors import CatalogueError
from tests.db.fakes import fingerprint, preview, unit


def test_unpacked_vector_equals_the_original() -> None:
    vector = unit(1, 128)
    blob = pack_vector(vector)
    assert len(blob) == 512
    assert blob[:4] == np.float32(vector[0]).astype("<f4").tobytes()
    assert np.array_equal(unpack_vector(blob), vector)


def test_strided_vector_is_packed_by_its_values() -> None:
    wide = np.repeat(unit(1), 2)
    assert pack_vector(wide[::2]) == pack_vector(unit(1))


def test_matrix_is_contiguous_float32_and_read_only() -> None:
    matrix = unpack_matrix([pack_vector(unit(seed)) for seed in range(5)], 8)
    assert matrix.shape == (5, 8)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert not matrix.flags.writeable
    assert np.array_equal(matrix[3], unit(3))


def test_no_blobs_make_an_empty_matrix() -> None:
    assert unpack_matrix([], 8).shape == (0, 8)


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(8),
        np.full(8, np.nan),
        np.full(8, np.inf),
        unit(1) * 1.01,
        np.zeros(0),
        unit(1).reshape(2, 4),
    ],
    ids=["zero", "nan", "inf", "long", "empty", "matrix"],
)
def test_other_array_than_a_unit_vector_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(CatalogueError, match="analyse the track again"):
        pack_vector(vector.astype(np.float32))


def test_blobs_of_unequal_length_are_refused() -> None:
    blob = pack_vector(unit(1))
    with pytest.raises(CatalogueError, match="8 dimensions"):
        unpack_matrix([blob[:16], blob + blob[:16]], 8)


def test_unpacked_fingerarrayequals_the_original() -> None:
    array = fingerprint(1)
    assert np.array_equal(unpack_fingerprint(pack_fingerprint(array[:, ::2])), array[:, ::2])


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x02\x00\x02\x00abc"])
def test_damaged_fingerarrayis_refused(blob: bytes) -> None:
    with pytest.raises(CatalogueError, match="damaged"):
        unpack_fingerprint(blob)


def test_other_array_than_a_fingerarrayis_refused() -> None:
    with pytest.raises(CatalogueError, match="int8"):
        pack_fingerprint(np.zeros((2, 2), dtype=np.int16))  # type: ignore[arg-type]


def test_unpacked_preview_equals_the_original_and_is_small() -> None:
    shown = preview(1)
    unpacked = unpack_preview(pack_preview(shown[:, ::2]))
    assert unpacked.dtype == np.uint8
    assert np.array_equal(unpacked, shown[:, ::2])
    assert len(pack_preview(np.zeros((64, 200), dtype=np.uint8))) < 100


def _deflated(bands: int, columns: int, size: int) -> bytes:
    return struct.pack("<HH", bands, columns) + zlib.compress(bytes(size))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x02\x00\x02\x00none",
        pack_preview(preview(1))[:-9],
        _deflated(4, 5, 19),
        _deflated(4, 5, 21),
        _deflated(0, 5, 0),
        _deflated(64, 201, 64 * 201),
        _deflated(4, 5, 10_000_000),
    ],
    ids=["empty", "not deflated", "cut", "short", "long", "no bands", "too wide", "zip bomb"],
)
def test_damaged_preview_is_refused(blob: bytes) -> None:
    with pytest.raises(CatalogueError, match="damaged"):
        unpack_preview(blob)


@pytest.mark.parametrize(
    "shown",
    [np.zeros((4, 5)), np.zeros(4, np.uint8), np.zeros((65, 5), np.uint8)],
    ids=["floats", "a row", "too high"],
)
def test_other_array_than_a_preview_is_refused(shown: np.ndarray) -> None:
    with pytest.raises(CatalogueError, match="uint8"):
        pack_preview(shown)
