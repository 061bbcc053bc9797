"""Windows cover the spectrogram, and images have the documented channels and scaling."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.images import ImageConfig, images, tta_variants, windows
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.filterbank import mel_basis
from tests.synth import music

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)


@pytest.mark.parametrize("columns", [1, 50, 127, 128, 129, 192, 387, 1000])
def test_windows_cover_every_column_with_bounded_hop(columns: int) -> None:
    S_db = np.arange(columns, dtype=np.float32)[np.newaxis].repeat(4, axis=0)
    S_windows = windows(S_db, ImageConfig())
    assert S_windows.shape[1:] == (4, 128)
    assert set(np.unique(S_windows)) == set(range(columns))
    starts = S_windows[:, 0, 0]
    assert starts[0] == 0
    assert np.all(np.diff(starts) <= ImageConfig().hop_columns)


def test_windows_of_zero_columns_return_the_whole_spectrogram() -> None:
    S_db = np.zeros((128, 387), dtype=np.float32)
    assert windows(S_db, ImageConfig(columns=0)).shape == (1, 128, 387)


def test_tta_variants_rotate_in_time_and_shift_by_a_band() -> None:
    S_db = np.arange(12, dtype=np.float32).reshape(3, 4)  # a third of four columns is one
    higher, lower = tta_variants(S_db)
    assert higher.tolist() == [[1, 2, 3, 0], [1, 2, 3, 0], [5, 6, 7, 4]]
    assert lower.tolist() == [[6, 7, 4, 5], [10, 11, 8, 9], [10, 11, 8, 9]]


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
