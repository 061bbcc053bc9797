"""Windows cover the spectrogram, and images have the documented channels and scaling."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.images import (
    ImageConfig,
    images,
    is_short,
    window_choices,
    window_count,
    windows,
)
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.filterbank import mel_basis
from tests.synth import music

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)


@pytest.mark.parametrize("columns", [1, 50, 127, 128, 129, 192, 387, 1000])
def test_windows_begin_at_the_onsets_of_their_share(columns: int) -> None:
    rng = np.random.default_rng(columns)
    S_db = np.sort(rng.uniform(-60, -40, (4, columns)), axis=1)[:, ::-1].astype(np.float32)
    config = ImageConfig()
    choices = window_choices(columns, config)
    count = min(choices, window_count(columns, config))
    onsets = [
        int(a) for a in np.linspace(0, choices, count, endpoint=False) + 0.4 * choices / count
    ]
    S_db[:, [min(a + 1, columns - 1) for a in onsets]] = 0  # the rise is from a column to the next
    S_windows = windows(S_db, config)
    assert S_windows.shape == (count, 4, 128)
    if columns >= 192:
        expected = windows(S_db, config, np.array(onsets))
        np.testing.assert_array_equal(S_windows, expected)


def test_windows_of_a_short_spectrogram_wrap_around_its_end() -> None:
    S_db = np.arange(150, dtype=np.float32)[np.newaxis]
    S_windows = windows(S_db, ImageConfig(), np.array([0, 140]))
    assert S_windows[0, 0].tolist() == list(range(128))
    assert S_windows[1, 0].tolist() == [*range(140, 150), *range(118)]


@pytest.mark.parametrize(
    ("columns", "short", "choices", "count"),
    [(50, True, 50, 6), (191, True, 191, 6), (192, False, 65, 6), (1000, False, 873, 15)],
)
def test_window_count_and_choices(columns: int, short: bool, choices: int, count: int) -> None:
    config = ImageConfig()
    assert is_short(columns, config) is short
    assert window_choices(columns, config) == choices
    assert window_count(columns, config) == count


def test_windows_of_zero_columns_return_the_whole_spectrogram() -> None:
    S_db = np.zeros((128, 387), dtype=np.float32)
    assert windows(S_db, ImageConfig(columns=0)).shape == (1, 128, 387)


def test_haar_channels_hold_mean_and_change_over_time_and_frequency() -> None:
    S_windows = np.zeros((1, 128, 128), dtype=np.float32)
    S_windows[0, :, 1::2] = -20.0  # every second column is quieter
    config = ImageConfig(noise_db=0)
    x = images(S_windows, config, top_db=80)
    assert x.shape == (1, 64, 64, 3)
    np.testing.assert_allclose(x[..., 0], 0, atol=1e-6)  # centred
    np.testing.assert_allclose(x[..., 1], -1.0, atol=1e-6)  # 20 dB down over time is -1
    np.testing.assert_allclose(x[..., 2], 0, atol=1e-6)
    transposed = images(S_windows.transpose(0, 2, 1), config, top_db=80)
    np.testing.assert_allclose(transposed[..., 2], -1.0, atol=1e-6)


def test_picture_scaling_gives_three_copies_in_0_to_1() -> None:
    config = ImageConfig(
        columns=0, height=224, width=224, channels="copies", scaling="picture", noise_db=0
    )
    S_db = log_mel(music(2, 5.0, CONFIG.sr), CONFIG, BASIS)
    x = images(windows(S_db, config), config, top_db=80)
    assert x.shape == (1, 224, 224, 3)
    assert 0 <= x.min() <= 0.1
    assert 0.9 <= x.max() <= 1
    np.testing.assert_array_equal(x[..., 0], x[..., 2])


def test_noise_floor_reduces_the_change_by_emptied_quiet_bands() -> None:
    music_db = log_mel(music(2, 12.0, CONFIG.sr), CONFIG, BASIS)[np.newaxis, :, :128]
    emptied = np.where(music_db < -65, -80.0, music_db).astype(np.float32)
    assert (emptied != music_db).mean() > 0.05

    def change(noise_db: float) -> float:
        config = ImageConfig(noise_db=noise_db)
        x = [images(S_db, config, top_db=80) for S_db in (music_db, emptied)]
        return float(np.abs(x[0] - x[1]).mean())

    assert change(-60.0) < 0.4 * change(0.0)


def test_resize_keeps_a_ramp_linear() -> None:
    config = ImageConfig(
        columns=0, height=32, width=50, channels="copies", scaling="picture", noise_db=0
    )
    ramp = np.linspace(-80, 0, 100, dtype=np.float32)[np.newaxis, np.newaxis].repeat(16, axis=1)
    row = images(ramp, config, top_db=80)[0, 5, :, 0]
    np.testing.assert_allclose(np.diff(row), np.diff(row).mean(), atol=1e-4)


@pytest.mark.parametrize(("name", "value"), [("channels", "rgb"), ("scaling", "loud")])
def test_image_config_rejects_unknown_values(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=value):
        ImageConfig(**{name: value})
