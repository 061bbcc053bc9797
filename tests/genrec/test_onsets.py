"""Onset strength and the starts of windows."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.onsets import SPREAD_S, onset_strength, strongest_onset, window_starts

STEP_S = 1 / 360


def test_onset_strength_peaks_at_a_rise() -> None:
    levels_db = np.full(720, -40.0, dtype=np.float32)
    levels_db[300:] = -10
    strength = onset_strength(levels_db, STEP_S)
    assert strength.shape == levels_db.shape
    assert abs(int(np.argmax(strength)) - 300) <= 20
    assert 20 < strength.max() <= 30


def test_a_fall_is_no_onset() -> None:
    levels_db = np.linspace(0, -40, 500, dtype=np.float32)
    assert onset_strength(levels_db, STEP_S).max() == pytest.approx(0, abs=1e-3)


def test_levels_far_below_the_maximum_do_not_count() -> None:
    levels_db = np.full(720, -90.0, dtype=np.float32)
    levels_db[:100] = 0
    changed = levels_db.copy()
    changed[400:] = -70  # a codec fills what was empty
    np.testing.assert_array_equal(
        onset_strength(levels_db, STEP_S), onset_strength(changed, STEP_S)
    )


def test_onset_strength_of_a_few_blocks_is_zero() -> None:
    assert onset_strength(np.zeros(3, dtype=np.float32), STEP_S).tolist() == [0, 0, 0]


def test_window_starts_are_the_strongest_block_of_each_share() -> None:
    strength = np.array([0, 3, 1, 0, 0, 2, 9, 9], dtype=np.float32)
    assert window_starts(strength, 6, 2).tolist() == [1, 5]


@pytest.mark.parametrize(("choices", "count"), [(1, 6), (3, 6), (6, 6), (100, 6)])
def test_window_starts_are_within_the_choices(choices: int, count: int) -> None:
    starts = window_starts(np.zeros(200, dtype=np.float32), choices, count)
    assert len(starts) == min(choices, count)
    assert starts[0] == 0
    assert starts[-1] < choices


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.75])
def test_strongest_onset_lies_between_blocks(shift: float) -> None:
    at = np.arange(720) - 300 - shift
    found = strongest_onset((20 * np.exp(-0.5 * (at / 10) ** 2)).astype(np.float32))
    assert found == pytest.approx(300 + shift, abs=0.05)


@pytest.mark.parametrize("strength", [[1, 0, 0], [0, 0, 1], [0, 0, 0], [5]])
def test_strongest_onset_at_an_end_is_a_block(strength: list[int]) -> None:
    assert strongest_onset(np.array(strength, dtype=np.float32)) == int(np.argmax(strength))


def test_onset_strength_of_columns_is_the_rise_to_the_next() -> None:
    levels_db = np.array([0, -10, -4, -4, -20], dtype=np.float32)
    assert onset_strength(levels_db, SPREAD_S).tolist() == [0, 6, 0, 0, 0]
