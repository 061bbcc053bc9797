"""Loudness, brightness, bass and density against other implementations and made sounds."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from genrec import sound_measures as measures
from genrec.music_description import COLUMN_S
from genrec.preset import Preset
from genrec.spectrogram import log_mel
from tests.synth import music, tone

SR = 22050
EDGES = measures.mel_edges()
Float = NDArray[np.float32]


def spectrogram(y: Float, preset: Preset) -> Float:
    return log_mel(y, preset.spectrogram, preset.mel_basis)


def test_mel_edges_equal_librosas() -> None:
    expected = librosa.mel_frequencies(n_mels=130, fmin=0, fmax=11025)
    np.testing.assert_allclose(EDGES, expected, rtol=1e-6)


def loudness_of_samples(y: Float) -> float:
    """Return the integrated loudness of ITU-R BS.1770-4, with its filters on samples at 48 kHz."""
    y48 = librosa.resample(y, orig_sr=SR, target_sr=48_000)
    for above, below in measures._K_FILTERS:
        y48 = lfilter(above, below, y48)
    starts = np.arange(0, y48.size - 19_200 + 1, 4_800)
    blocks = np.array([np.mean(y48[start : start + 19_200] ** 2) for start in starts])
    blocks = blocks[-0.691 + 10 * np.log10(blocks) > -70]
    gate = -0.691 + 10 * np.log10(blocks.mean()) - 10
    return float(-0.691 + 10 * np.log10(blocks[-0.691 + 10 * np.log10(blocks) > gate].mean()))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_loudness_is_that_of_the_standard(seed: int, gain: float, preset: Preset) -> None:
    y = np.float32(gain) * music(seed, 10.0, SR)
    power = measures.power_of_bands(spectrogram(y, preset), EDGES)
    lufs, _ = measures.loudness(power, EDGES, float(np.mean(y**2)), COLUMN_S)
    assert lufs == pytest.approx(loudness_of_samples(y), abs=0.5)


def test_a_full_scale_tone_has_minus_three_lufs(preset: Preset) -> None:
    y = tone(10.0, SR, frequency=997.0, level=1.0)
    power = measures.power_of_bands(spectrogram(y, preset), EDGES)
    lufs, dynamics = measures.loudness(power, EDGES, float(np.mean(y**2)), COLUMN_S)
    assert lufs == pytest.approx(-3.01, abs=0.3)
    assert dynamics < 0.5


def test_dynamics_are_the_distance_of_loud_from_quiet(preset: Preset) -> None:
    y = np.concatenate([tone(5.0, SR), 0.1 * tone(5.0, SR)]).astype(np.float32)
    power = measures.power_of_bands(spectrogram(y, preset), EDGES)
    _, dynamics = measures.loudness(power, EDGES, float(np.mean(y**2)), COLUMN_S)
    assert dynamics == pytest.approx(20, abs=1)


def test_silence_has_the_lowest_loudness() -> None:
    power = np.full((128, 50), 1e-8)
    assert measures.loudness(power, EDGES, 0.0, COLUMN_S) == (measures.SILENT_LUFS, 0.0)


@pytest.mark.parametrize("colour", [0.0, 0.5])
def test_brightness_of_noise_is_near_librosas_centroid(colour: float, preset: Preset) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 0.1, 10 * SR))
    hz = np.fft.rfftfreq(10 * SR, 1 / SR)
    y = np.fft.irfft(spectrum / np.maximum(hz, 20) ** colour).astype(np.float32)
    expected = np.median(librosa.feature.spectral_centroid(y=y, sr=SR))
    assert measures.brightness(spectrogram(y, preset), EDGES) == pytest.approx(expected, rel=0.05)


def test_a_higher_tone_is_brighter_and_has_less_bass(preset: Preset) -> None:
    low, high = (spectrogram(tone(3.0, SR, frequency=hz), preset) for hz in (80.0, 3000.0))
    assert measures.brightness(low, EDGES) < 500
    assert measures.brightness(high, EDGES) > 2500
    shares = [measures.bass_share(measures.power_of_bands(S, EDGES), EDGES) for S in (low, high)]
    assert shares[0] > 0.9
    assert shares[1] < 0.01


def test_onsets_are_counted(preset: Preset) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1e-4, 20 * SR)
    burst = rng.normal(0, 0.3, 1000) * np.exp(-np.arange(1000) / 300)
    for at in range(SR // 2, y.size - 1000, SR // 2):
        y[at : at + 1000] += burst
    density = measures.onset_density(spectrogram(y.astype(np.float32), preset), COLUMN_S)
    assert density == pytest.approx(2, abs=0.15)


def test_a_steady_tone_has_no_onsets(preset: Preset) -> None:
    assert measures.onset_density(spectrogram(tone(10.0, SR), preset), COLUMN_S) < 0.3
