"""Log-mel spectrograms equal librosa's, and the noise floor adds power."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.spectrogram import SpectrogramConfig, add_noise_floor, log_mel
from genrec.training.filterbank import mel_basis
from tests.synth import music, tone

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)


@pytest.mark.parametrize("hop_length", [512, 1708])
@pytest.mark.parametrize("seconds", [1.0, 7.3])
def test_log_mel_equals_librosa(seconds: float, hop_length: int) -> None:
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
    # Near -top_db the float32 rounding of both implementations is larger.
    np.testing.assert_allclose(S_db, expected, atol=1e-3)


def test_log_mel_is_independent_of_gain() -> None:
    y = music(1, 3.0, CONFIG.sr)
    np.testing.assert_allclose(
        log_mel(y, CONFIG, BASIS), log_mel(y * 0.1, CONFIG, BASIS), atol=1e-3
    )


def test_log_mel_of_a_tone_peaks_in_its_band() -> None:
    librosa = pytest.importorskip("librosa")
    S_db = log_mel(tone(2.0, CONFIG.sr, 1000.0), CONFIG, BASIS)
    centres = librosa.mel_frequencies(n_mels=130, fmax=CONFIG.fmax)[1:-1]
    assert abs(centres[S_db.mean(axis=1).argmax()] - 1000) < 40


def test_noise_floor_is_added_as_power() -> None:
    floored = add_noise_floor(np.array([[-np.inf, -80.0, -60.0, 0.0]], dtype=np.float32), -60.0)
    np.testing.assert_allclose(floored, [[-60.0, -59.957, -56.99, 0.0]], atol=1e-3)
    assert floored.dtype == np.float32
