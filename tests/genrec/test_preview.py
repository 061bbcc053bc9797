"""The preview: a coarse picture that keeps what there was to see, and travels judged."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from genrec.spectrogram import preview
from genrec.types import Analysis, GenreScore
from genrec.workers import protocol


def test_thirty_seconds_become_means_over_two_bands_and_two_columns() -> None:
    S_db = np.random.default_rng(1).uniform(-80, 0, (128, 400)).astype(np.float32)
    shown = preview(S_db, 80.0)
    means = S_db.reshape(64, 2, 200, 2).mean(axis=(1, 3))
    assert shown.dtype == np.uint8
    assert np.abs(shown - 255 * (means / 80 + 1)).max() < 0.51


def test_what_is_small_is_kept_as_it_is() -> None:
    S_db = np.array([[-80, -60, -40], [-20, 0, -80]], np.float32)
    assert preview(S_db, 80.0).tolist() == [[0, 64, 128], [191, 255, 0]]
    assert preview(S_db, 40.0).tolist() == [[0, 0, 0], [128, 255, 0]]


@pytest.mark.parametrize("columns", [1, 13, 199, 200, 201, 243, 388, 4000])
@pytest.mark.parametrize("n_mels", [1, 40, 64, 96, 128])
def test_any_size_fits_and_keeps_its_level(n_mels: int, columns: int) -> None:
    shown = preview(np.full((n_mels, columns), -20, np.float32), 80.0)
    assert shown.shape == (min(n_mels, 64), min(columns, 200))
    assert (shown == 191).all()


def test_cut_columns_are_shared_out() -> None:
    S_db = np.full((1, 300), -80, np.float32)
    S_db[0, 1] = 0  # lies half in the first of 200 stretches and half in the second
    assert preview(S_db, 80.0)[0, :4].tolist() == [85, 85, 0, 0]


def analysis(shown: np.ndarray | None) -> Analysis:
    unit = np.array([0.6, 0.8], np.float32)
    scores = (GenreScore("jazz", 1.0),)
    return Analysis("m@1", unit, scores, np.zeros((3, 4), np.int8), 30.0, 30.0, preview=shown)


def sent(packed: bytes, **lies: Any) -> Analysis:
    """Return what the parent makes of a frame, with some of its head changed."""
    text_length, _ = struct.unpack_from("<II", packed)
    head = json.loads(packed[8 : 8 + text_length]) | lies
    return protocol.unpack_analysis(head, packed[8 + text_length :], model_id="m@1")


@pytest.mark.parametrize("shape", [(64, 200), (1, 1), (64, 7)])
def test_a_preview_arrives_as_it_was_sent(shape: tuple[int, int]) -> None:
    shown = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    got = sent(protocol.pack_analysis(1, analysis(shown[:, ::-1])))
    assert got.preview is not None
    assert got.preview.dtype == np.uint8
    assert got.preview.flags.writeable  # a copy: it does not keep the whole frame alive
    assert np.array_equal(got.preview, shown[:, ::-1])
    assert np.array_equal(got.fingerprint, np.zeros((3, 4)))


def test_no_preview_arrives_as_none() -> None:
    assert sent(protocol.pack_analysis(1, analysis(None))).preview is None


@pytest.mark.parametrize(
    "shape",
    [
        [8, 0], [0, 8], [0, 0], [-4, -4], [4, 5], [65, 1], [1, 201], [16], [4, 4, 1], [],
        [4.0, 4], ["4", 4], [True, 16], 16, "16", {"4": 4}, False, None,
    ],
    ids=repr,
)  # fmt: skip
def test_a_lie_about_the_preview_is_refused(shape: object) -> None:
    packed = protocol.pack_analysis(1, analysis(np.zeros((4, 4), np.uint8)))
    assert sent(packed).preview is not None
    with pytest.raises(protocol.BadFrame):
        sent(packed, preview=shape)


def test_a_preview_that_did_not_come_is_refused() -> None:
    with pytest.raises(protocol.BadFrame):
        sent(protocol.pack_analysis(1, analysis(None)), preview=[4, 4])
