"""Previews are means of the spectrogram, and the parent checks those of a worker."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from genrec.spectrogram import preview
from genrec.types import Analysis, GenreScore
from genrec.workers import protocol


def test_preview_of_thirty_seconds_is_means_over_two_bands_and_two_columns() -> None:
    S_db = np.random.default_rng(1).uniform(-80, 0, (128, 400)).astype(np.float32)
    small = preview(S_db, 80.0)
    means = S_db.reshape(64, 2, 200, 2).mean(axis=(1, 3))
    assert small.dtype == np.uint8
    assert np.abs(small - 255 * (means / 80 + 1)).max() < 0.51


def test_preview_of_a_small_spectrogram_keeps_its_size() -> None:
    S_db = np.array([[-80, -60, -40], [-20, 0, -80]], np.float32)
    assert preview(S_db, 80.0).tolist() == [[0, 64, 128], [191, 255, 0]]
    assert preview(S_db, 40.0).tolist() == [[0, 0, 0], [128, 255, 0]]


@pytest.mark.parametrize("columns", [1, 13, 199, 200, 201, 243, 388, 4000])
@pytest.mark.parametrize("n_mels", [1, 40, 64, 96, 128])
def test_preview_of_any_size_keeps_the_level(n_mels: int, columns: int) -> None:
    small = preview(np.full((n_mels, columns), -20, np.float32), 80.0)
    assert small.shape == (min(n_mels, 64), min(columns, 200))
    assert (small == 191).all()


def test_preview_splits_a_column_between_two_cells() -> None:
    S_db = np.full((1, 300), -80, np.float32)
    S_db[0, 1] = 0  # half in the first of 200 cells, half in the second
    assert preview(S_db, 80.0)[0, :4].tolist() == [85, 85, 0, 0]


def analysis(preview: np.ndarray | None) -> Analysis:
    unit = np.array([0.6, 0.8], np.float32)
    scores = (GenreScore("jazz", 1.0),)
    return Analysis("m@1", unit, scores, np.zeros((3, 4), np.int8), 30.0, 30.0, preview=preview)


def unpacked(packed: bytes, **changes: Any) -> Analysis:
    """Return the analysis that the parent reads from a frame with changed fields in its head."""
    text_length, _ = struct.unpack_from("<II", packed)
    head = json.loads(packed[8 : 8 + text_length]) | changes
    return protocol.unpack_analysis(head, packed[8 + text_length :], model_id="m@1")


@pytest.mark.parametrize("shape", [(64, 200), (1, 1), (64, 7)])
def test_a_preview_arrives_as_it_was_unpacked(shape: tuple[int, int]) -> None:
    small = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    result = unpacked(protocol.pack_analysis(1, analysis(small[:, ::-1])))
    assert result.preview is not None
    assert result.preview.dtype == np.uint8
    assert result.preview.flags.writeable  # a copy, which does not reference the whole frame
    assert np.array_equal(result.preview, small[:, ::-1])
    assert np.array_equal(result.fingerprint, np.zeros((3, 4)))


def test_unpacked_preview_is_none_without_one() -> None:
    assert unpacked(protocol.pack_analysis(1, analysis(None))).preview is None


@pytest.mark.parametrize(
    "shape",
    [
        [8, 0], [0, 8], [0, 0], [-4, -4], [4, 5], [65, 1], [1, 201], [16], [4, 4, 1], [],
        [4.0, 4], ["4", 4], [True, 16], 16, "16", {"4": 4}, False, None,
    ],
    ids=repr,
)  # fmt: skip
def test_wrong_shape_of_a_preview_is_rejected(shape: object) -> None:
    packed = protocol.pack_analysis(1, analysis(np.zeros((4, 4), np.uint8)))
    assert unpacked(packed).preview is not None
    with pytest.raises(protocol.ProtocolError):
        unpacked(packed, preview=shape)


def test_missing_bytes_of_a_preview_are_rejected() -> None:
    with pytest.raises(protocol.ProtocolError):
        unpacked(protocol.pack_analysis(1, analysis(None)), preview=[4, 4])
