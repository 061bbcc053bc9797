"""The front end is librosa's, and images keep what they should."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.spectrogram import (
    ImageConfig,
    SpectrogramConfig,
    add_noise_floor,
    images,
    log_mel,
    tta_variants,
    windows,
)
from genrec.training.filterbank import mel_basis
from tests.synth import music, tone

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)


@pytest.mark.parametrize("hop_length", [512, 1708])
@pytest.mark.parametrize("seconds", [1.0, 7.3])
def test_equals_librosa_to_a_ten_thousandth_of_a_db(seconds: float, hop_length: int) -> None:
    librosa = pytest.importorskip("librosa")
    y = music(3, seconds, CONFIG.sr)
    config = SpectrogramConfig(hop_length=hop_length)
    S = librosa.feature.melspectrogram(
        y=y, sr=config.sr, n_fft=config.n_fft, hop_length=hop_length, n_mels=config.n_mels
    )
    expected = librosa.power_to_db(S, ref=np.max, top_db=config.top_db)
    S_db = log_mel(y, config, BASIS)
    assert S_db.shape == expected.shape
    assert S_db.dtype == np.float32
    loud = expected > -70
    np.testing.assert_allclose(S_db[loud], expected[loud], atol=1e-4)
    # Next to the floor the rounding of float32 shows, librosa's as well as ours.
    np.testing.assert_allclose(S_db, expected, atol=1e-3)


def test_gain_changes_nothing() -> None:
    y = music(1, 3.0, CONFIG.sr)
    np.testing.assert_allclose(
        log_mel(y, CONFIG, BASIS), log_mel(y * 0.1, CONFIG, BASIS), atol=1e-3
    )


def test_a_tone_stands_in_its_band() -> None:
    librosa = pytest.importorskip("librosa")
    S_db = log_mel(tone(2.0, CONFIG.sr, 1000.0), CONFIG, BASIS)
    centres = librosa.mel_frequencies(n_mels=130, fmax=CONFIG.fmax)[1:-1]
    assert abs(centres[S_db.mean(axis=1).argmax()] - 1000) < 40


@pytest.mark.parametrize("columns", [1, 50, 127, 128, 129, 192, 387, 1000])
def test_windows_cover_the_excerpt_evenly(columns: int) -> None:
    S_db = np.arange(columns, dtype=np.float32)[np.newaxis].repeat(4, axis=0)
    patches = windows(S_db, ImageConfig())
    assert patches.shape[1:] == (4, 128)
    assert set(np.unique(patches)) == set(range(columns))
    starts = patches[:, 0, 0]
    assert starts[0] == 0
    assert np.all(np.diff(starts) <= ImageConfig().hop_columns)


def test_a_whole_excerpt_is_one_window() -> None:
    S_db = np.zeros((128, 387), dtype=np.float32)
    assert windows(S_db, ImageConfig(columns=0)).shape == (1, 128, 387)


def test_variants_begin_later_a_band_higher_and_lower() -> None:
    S_db = np.arange(12, dtype=np.float32).reshape(3, 4)  # a third of four columns is one
    higher, lower = tta_variants(S_db)
    assert higher.tolist() == [[1, 2, 3, 0], [1, 2, 3, 0], [5, 6, 7, 4]]
    assert lower.tolist() == [[6, 7, 4, 5], [10, 11, 8, 9], [10, 11, 8, 9]]


def test_haar_keeps_the_mean_and_sees_change_in_time_and_frequency() -> None:
    patch = np.zeros((1, 128, 128), dtype=np.float32)
    patch[0, :, 1::2] = -20.0  # every second column is quieter
    config = ImageConfig(noise_db=0)
    x = images(patch, config, top_db=80)
    assert x.shape == (1, 64, 64, 3)
    np.testing.assert_allclose(x[..., 0], 0, atol=1e-6)  # centred
    np.testing.assert_allclose(x[..., 1], -1.0, atol=1e-6)  # 20 dB down over time is -1
    np.testing.assert_allclose(x[..., 2], 0, atol=1e-6)
    turned = images(patch.transpose(0, 2, 1), config, top_db=80)
    np.testing.assert_allclose(turned[..., 2], -1.0, atol=1e-6)


def test_the_papers_picture_is_three_copies_in_0_to_1() -> None:
    config = ImageConfig(
        columns=0, height=224, width=224, channels="copies", scaling="picture", noise_db=0
    )
    S_db = log_mel(music(2, 5.0, CONFIG.sr), CONFIG, BASIS)
    x = images(windows(S_db, config), config, top_db=80)
    assert x.shape == (1, 224, 224, 3)
    assert 0 <= x.min() <= 0.1
    assert 0.9 <= x.max() <= 1
    np.testing.assert_array_equal(x[..., 0], x[..., 2])


def test_noise_is_added_as_power() -> None:
    heard = add_noise_floor(np.array([[-np.inf, -80.0, -60.0, 0.0]], dtype=np.float32), -60.0)
    np.testing.assert_allclose(heard, [[-60.0, -59.957, -56.99, 0.0]], atol=1e-3)
    assert heard.dtype == np.float32


def test_what_a_codec_does_far_below_the_music_changes_an_image_little() -> None:
    music_db = log_mel(music(2, 12.0, CONFIG.sr), CONFIG, BASIS)[np.newaxis, :, :128]
    emptied = np.where(music_db < -65, -80.0, music_db).astype(np.float32)
    assert (emptied != music_db).mean() > 0.05

    def change(noise_db: float) -> float:
        config = ImageConfig(noise_db=noise_db)
        seen = [images(patches, config, top_db=80) for patches in (music_db, emptied)]
        return float(np.abs(seen[0] - seen[1]).mean())

    assert change(-60.0) < 0.4 * change(0.0)


def test_resizing_keeps_a_ramp_a_ramp() -> None:
    config = ImageConfig(
        columns=0, height=32, width=50, channels="copies", scaling="picture", noise_db=0
    )
    ramp = np.linspace(-80, 0, 100, dtype=np.float32)[np.newaxis, np.newaxis].repeat(16, axis=1)
    row = images(ramp, config, top_db=80)[0, 5, :, 0]
    np.testing.assert_allclose(np.diff(row), np.diff(row).mean(), atol=1e-4)


@pytest.mark.parametrize(("name", "value"), [("channels", "rgb"), ("scaling", "loud")])
def test_a_wrong_word_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=value):
        ImageConfig(**{name: value})
