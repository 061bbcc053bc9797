"""Augmentation keeps a valid spectrogram and depends on the seed only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.augment import (
    NONE,
    Augmentation,
    augment_pair,
    augment_window,
    mixup,
    random_crop,
)
from genrec.training.filterbank import band_centres, mel_basis
from tests.synth import music

CONFIG = SpectrogramConfig()
BANDS_HZ = band_centres(CONFIG)
ALWAYS = Augmentation(
    short=1, stretch=1, pitch=1, band_limit=1, low_cut=1, noise=1, masks=2, floor=1, coding=1
)
S_DB = log_mel(music(0, 20, CONFIG.sr), CONFIG, mel_basis(CONFIG))


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("how", [Augmentation(), NONE, ALWAYS], ids=["usual", "none", "always"])
@pytest.mark.parametrize("total", [3, 31, 128, 129, 258])
def test_random_crop_has_the_width_and_range_of_its_input(how: Augmentation, total: int) -> None:
    S_db = S_DB[:, :total]
    for seed in range(20):
        window = random_crop(S_db, 128, how, generator(seed))
        assert window.shape == (128, 128)
        assert window.dtype == np.float32
        assert window.min() >= S_db.min() - 1e-4
        assert window.max() <= S_db.max() + 1e-4


def test_random_crop_without_augmentation_is_a_slice() -> None:
    numbered = np.arange(258, dtype=np.float32)[np.newaxis].repeat(128, axis=0)
    starts = set()
    for seed in range(50):
        window = random_crop(numbered, 128, NONE, generator(seed))
        assert np.array_equal(np.diff(window[0]), np.ones(127))
        starts.add(float(window[0, 0]))
    assert len(starts) > 20


def test_random_crop_of_zero_columns_is_the_whole_excerpt() -> None:
    assert np.array_equal(random_crop(S_DB, 0, Augmentation(), generator(0)), S_DB)


def test_short_crop_repeats() -> None:
    numbered = np.arange(258, dtype=np.float32)[np.newaxis]
    window = random_crop(numbered, 128, replace(NONE, short=1), generator(3))[0]
    period = int(np.flatnonzero(window == window[0])[1])
    assert 128 // 6 <= period < 128
    assert np.array_equal(window, window[np.arange(128) % period])


def test_stretch_changes_the_tempo_by_at_most_15_percent() -> None:
    numbered = np.arange(258, dtype=np.float32)[np.newaxis]
    steps = set()
    for seed in range(20):
        window = random_crop(numbered, 128, replace(NONE, stretch=1), generator(seed))[0]
        rises = np.diff(window)
        step = float(np.median(rises))
        assert 0.84 <= step <= 1.16
        steps.add(round(step, 3))
    assert len(steps) > 10


@pytest.mark.parametrize("how", [Augmentation(), ALWAYS], ids=["usual", "always"])
def test_augment_window_returns_a_valid_spectrogram(how: Augmentation) -> None:
    window = random_crop(S_DB, 128, NONE, generator(0))
    before = window.copy()
    for seed in range(30):
        augmented = augment_window(window, BANDS_HZ, 80.0, how, generator(seed))
        assert augmented.shape == window.shape
        assert augmented.dtype == np.float32
        assert np.isfinite(augmented).all()
        assert augmented.max() == 0.0
        assert augmented.min() >= -80.0
        assert not np.array_equal(augmented, window)
    assert np.array_equal(window, before)  # the input is not modified


def test_augment_window_with_none_only_shifts_the_maximum_to_zero() -> None:
    window = np.maximum(S_DB[:, :128] - 5, -80)
    augmented = augment_window(window, BANDS_HZ, 80.0, NONE, generator(0))
    np.testing.assert_allclose(augmented, window - window.max(), atol=1e-5)


def test_fully_masked_window_is_returned_unchanged() -> None:
    window = S_DB[:, :8]
    everything = replace(NONE, masks=400, mask_size=8)
    assert np.array_equal(augment_window(window, BANDS_HZ, 80.0, everything, generator(0)), window)


def test_band_limit_and_low_cut_empty_the_outer_bands() -> None:
    window = np.zeros((128, 40), dtype=np.float32)
    cutoffs = set()
    for seed in range(20):
        limited = augment_window(
            window, BANDS_HZ, 80.0, replace(NONE, band_limit=1), generator(seed)
        )
        empty = (limited == -80.0).all(axis=1)
        assert empty[BANDS_HZ > 10500].all()
        assert not empty[BANDS_HZ < 3400].any()
        assert np.array_equal(np.sort(empty), empty)  # contiguous above one frequency
        assert (limited[~empty] == 0).all()
        cutoffs.add(int(empty.argmax()))
        cut = augment_window(window, BANDS_HZ, 80.0, replace(NONE, low_cut=1), generator(seed))
        empty = (cut == -80.0).all(axis=1)
        assert empty[BANDS_HZ < 80].all()
        assert not empty[BANDS_HZ > 350].any()
    assert len(cutoffs) > 5


def test_noise_fills_silent_cells() -> None:
    window = np.full((128, 40), -80, dtype=np.float32)
    window[60] = 0
    noisy = augment_window(window, BANDS_HZ, 80.0, replace(NONE, noise=1), generator(1))
    assert np.median(noisy) > -75
    assert abs(float(np.median(noisy[60]))) < 2


def test_noise_floor_raises_quiet_cells_only() -> None:
    window = np.full((128, 40), -80, dtype=np.float32)
    window[60] = 0
    lifted = augment_window(window, BANDS_HZ, 80.0, replace(NONE, floor=1), generator(1))
    assert -75.1 <= float(lifted[0, 0]) <= -40
    assert np.ptp(lifted[:60]) == 0
    np.testing.assert_allclose(lifted[60], 0, atol=1e-3)


def test_loudest_noise_floor_is_the_setting() -> None:
    window = np.full((128, 40), -80, dtype=np.float32)
    window[60] = 0
    how = replace(NONE, floor=1, floor_db=-15)
    levels = [
        float(augment_window(window, BANDS_HZ, 80.0, how, generator(seed))[0, 0])
        for seed in range(40)
    ]
    assert -76 <= min(levels) < -60
    assert -20 < max(levels) <= -14


def test_pair_has_the_window_with_and_without_its_degradation() -> None:
    window = random_crop(S_DB, 128, NONE, generator(0))
    damage = replace(ALWAYS, pitch=0, tilt_db=0)
    degraded, clean = augment_pair(window, BANDS_HZ, 80.0, damage, generator(3))
    np.testing.assert_allclose(clean, window - window.max(), atol=1e-4)
    assert np.abs(degraded - clean).mean() > 1
    degraded, tilted = augment_pair(window, BANDS_HZ, 80.0, ALWAYS, generator(3))
    assert np.abs(tilted - clean).mean() > 0.1
    again = augment_window(window, BANDS_HZ, 80.0, ALWAYS, generator(3))
    assert np.array_equal(degraded, again)


def test_coding_empties_cells_far_below_the_column_maximum() -> None:
    window = np.linspace(-80, 0, 128, dtype=np.float32)[:, None].repeat(40, axis=1)
    coded = augment_window(window, BANDS_HZ, 80.0, replace(NONE, coding=1), generator(1))
    filled = coded[:, 0] > -80
    assert filled[window[:, 0] > -25].all()
    assert not filled[window[:, 0] < -60].any()
    assert np.array_equal(coded[filled], window[filled])


def test_augmentation_depends_on_the_seed() -> None:
    def make(seed: int) -> np.ndarray:
        rng = generator(seed)
        return augment_window(random_crop(S_DB, 128, ALWAYS, rng), BANDS_HZ, 80.0, ALWAYS, rng)

    assert np.array_equal(make(7), make(7))
    assert not np.array_equal(make(7), make(8))


def test_mixup_blends_images_and_targets_equally() -> None:
    y = np.eye(4, dtype=np.float32)
    x = y[:, None, None, :].repeat(2, axis=1).repeat(3, axis=2)  # an image equals its target
    mixed_x, mixed_y = mixup(x, y, Augmentation(mixup_alpha=1.0), generator(0))
    assert mixed_x.shape == x.shape
    assert mixed_x.dtype == mixed_y.dtype == np.float32
    np.testing.assert_allclose(mixed_y.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed_x[:, 0, 0], mixed_y, atol=1e-6)
    assert (mixed_y[np.arange(4), np.arange(4)] >= 0.5).all()  # an image stays mostly itself
    assert (np.sort(mixed_y, axis=1)[:, -2] > 0).any()


def test_mixup_with_alpha_zero_returns_its_input() -> None:
    x, y = np.ones((2, 1, 1, 3), dtype=np.float32), np.eye(2, dtype=np.float32)
    mixed_x, mixed_y = mixup(x, y, NONE, generator(0))
    assert mixed_x is x
    assert mixed_y is y
