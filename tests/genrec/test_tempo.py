"""Tempo of made rhythms, and of what has none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.music_description import COLUMN_S, DescriptionModel
from genrec.preset import Preset
from genrec.spectrogram import log_mel
from genrec.tempo import CANDIDATES, MIN_COLUMNS, onset_curves, tempo_features

SR = 22050
Float = NDArray[np.float32]


def drums(bpm: float, seconds: float = 20.0) -> Float:
    """Return a bass drum on beats one and three, a snare on two and four, hats between."""
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1e-3, round(seconds * SR))
    t = np.arange(round(0.12 * SR)) / SR
    decay = np.exp(-t / 0.03)
    kick, noise = np.sin(2 * np.pi * 60 * t) * decay, rng.normal(0, 1, t.size)
    for half in range(int(2 * seconds * bpm / 60)):
        at = round(half * 30 / bpm * SR)
        sound = (kick, 0.1 * noise * decay**4, 0.5 * noise * decay, 0.1 * noise * decay**4)
        hit = sound[half % 4][: y.size - at]
        y[at : at + hit.size] += hit
    return (0.3 * y).astype(np.float32)


@pytest.mark.parametrize("bpm", [75, 100, 128, 150])
def test_drums_have_their_tempo_or_an_octave_of_it(
    bpm: float, preset: Preset, description_model: DescriptionModel
) -> None:
    S_db = log_mel(drums(bpm), preset.spectrogram, preset.mel_basis)
    found = description_model.tempo(S_db).bpm
    nearest = min(abs(found / (octave * bpm) - 1) for octave in (0.5, 1, 2))
    assert nearest < 0.02, found


def test_a_faster_copy_has_a_higher_tempo(
    preset: Preset, description_model: DescriptionModel
) -> None:
    found = [
        description_model.tempo(log_mel(drums(bpm), preset.spectrogram, preset.mel_basis)).bpm
        for bpm in (100.0, 110.0)
    ]
    assert found[1] / found[0] == pytest.approx(1.1, rel=0.02)


def test_noise_has_less_confidence_than_drums(
    preset: Preset, description_model: DescriptionModel
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * SR).astype(np.float32)
    clips = (noise, drums(120))
    spectrograms = [log_mel(y, preset.spectrogram, preset.mel_basis) for y in clips]
    of_noise, of_drums = (description_model.tempo(S_db).confidence for S_db in spectrograms)
    assert of_noise < 0.5 < of_drums


def test_a_short_clip_has_no_tempo(description_model: DescriptionModel) -> None:
    S_db = np.zeros((128, MIN_COLUMNS - 1), dtype=np.float32)
    assert description_model.tempo(S_db).confidence == 0


def test_features_of_silence_are_finite() -> None:
    features = tempo_features(np.full((128, MIN_COLUMNS), -80, np.float32), COLUMN_S)
    assert features.shape[0] == CANDIDATES.size
    assert np.isfinite(features).all()


def test_onset_curves_peak_at_onsets(preset: Preset) -> None:
    S_db = log_mel(drums(60, 10), preset.spectrogram, preset.mel_basis)
    bass = onset_curves(S_db, COLUMN_S)[0]
    beats = np.round(np.arange(2, 10, 2) / COLUMN_S).astype(int) - 1  # the bass drum
    assert min(bass[at - 1 : at + 2].max() for at in beats) > np.quantile(bass, 0.9)
