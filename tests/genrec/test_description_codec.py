"""Rows of numbers of a music description: what is read is checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec.description_codec import (
    BLOB_BYTES,
    FIELDS,
    description_matrix,
    description_of,
    description_row,
    pack_description,
    unpack_description,
)
from genrec.types import SURE_KEY, SURE_TEMPO, MusicDescription

DESCRIPTION = MusicDescription(
    bpm=122.0,
    bpm_confidence=0.75,
    key=21,
    key_confidence=0.5,
    loudness_lufs=-14.5,
    dynamics_lu=6.0,
    brightness_hz=1850.0,
    bass=0.25,
    onsets_per_s=3.5,
)


def test_a_description_survives_packing() -> None:
    assert unpack_description(pack_description(DESCRIPTION)) == DESCRIPTION
    assert description_of(description_row(DESCRIPTION)) == DESCRIPTION


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e9, 1e9])
def test_a_number_out_of_bounds_is_refused_by_name(field: str, value: float) -> None:
    row = description_row(DESCRIPTION)
    row[FIELDS.index(field)] = value
    with pytest.raises(ValueError, match=field):
        description_of(row)


@pytest.mark.parametrize("row", [[], [0.0] * (len(FIELDS) - 1), ["1"] * len(FIELDS)])
def test_another_row_is_refused(row: list[object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        description_of(row)


def test_a_row_whose_key_is_no_whole_number_counts_as_damaged() -> None:
    row = description_row(DESCRIPTION)
    row[FIELDS.index("key")] = 3.5
    blob = np.array(row, "<f4").tobytes()
    found = description_matrix([blob, pack_description(DESCRIPTION)])
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_a_key_between_two_keys_is_refused() -> None:
    row = description_row(DESCRIPTION)
    row[FIELDS.index("key")] = 3.5
    with pytest.raises(ValueError, match=r"key=3\.5"):
        description_of(row)


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 36"):
        unpack_description(pack_description(DESCRIPTION)[:-1])


def test_matrix_has_nan_where_a_row_is_absent_or_damaged() -> None:
    damaged = np.full(len(FIELDS), 1e9, dtype="<f4").tobytes()
    rows = description_matrix([pack_description(DESCRIPTION), None, b"x", damaged])
    assert rows.shape == (4, len(FIELDS))
    assert rows[0].tolist() == pytest.approx(description_row(DESCRIPTION))
    assert np.isnan(rows[1:]).all()
    assert description_matrix([]).shape == (0, len(FIELDS))
    assert len(damaged) == BLOB_BYTES


def test_only_confident_values_are_sure() -> None:
    assert DESCRIPTION.sure_bpm == 122.0
    assert DESCRIPTION.sure_key is None
    assert replace(DESCRIPTION, bpm_confidence=SURE_TEMPO - 0.01).sure_bpm is None
    assert replace(DESCRIPTION, key_confidence=SURE_KEY).sure_key == 21
