"""Keys of made chord progressions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.music_description import DescriptionModel
from genrec.musical_key import MAJOR_KEYS, chroma, key_features, key_name
from genrec.preset import Preset
from genrec.sound_measures import mel_edges
from genrec.spectrogram import log_mel

SR = 22050
Float = NDArray[np.float32]
# Semitones above the tonic: I IV V I, and i iv V i.
MAJOR = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
MINOR = ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))


def chords(tonic: int, progression: tuple[tuple[int, ...], ...], repeats: int = 5) -> Float:
    """Return a progression of chords with bass, each a second, of tones with six partials."""
    t = np.arange(SR) / SR
    envelope = np.exp(-t / 0.5)
    parts = []
    for _ in range(repeats):
        for chord in progression:
            y = np.zeros(SR)
            for note in (chord[0] - 24, *chord, chord[0] + 12):
                hz = 261.6256 * 2 ** ((tonic + note) / 12)
                for partial in range(1, 7):
                    y += np.sin(2 * np.pi * hz * partial * t) / partial**1.5
            parts.append(0.05 * y * envelope)
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize(("mode", "progression"), [(0, MAJOR), (1, MINOR)])
def test_cadences_have_their_keys(
    mode: int,
    progression: tuple[tuple[int, ...], ...],
    preset: Preset,
    description_model: DescriptionModel,
) -> None:
    right = 0
    for tonic in range(12):
        S_db = log_mel(chords(tonic, progression, 2), preset.spectrogram, preset.mel_basis)
        right += description_model.key(S_db).key == 12 * mode + tonic
    assert right >= 10


def test_chroma_of_a_tone_is_its_pitch_class(preset: Preset) -> None:
    y = np.sin(2 * np.pi * 440 * np.arange(5 * SR) / SR).astype(np.float32)
    S_db = log_mel(y, preset.spectrogram, preset.mel_basis)
    vectors = chroma(S_db, mel_edges()[1:-1].astype(np.float32))
    assert MAJOR_KEYS[int(vectors[4].argmax())] == "A"
    assert np.allclose(vectors.mean(axis=1), 0)


def test_key_features_turn_with_the_tonic() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 12))
    turned = key_features(np.roll(vectors, 3, axis=1), 30.0)
    assert np.allclose(turned[3], key_features(vectors, 30.0)[0])


def test_a_shorter_clip_has_smaller_features() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 12))
    ratio = key_features(vectors, 8.0) / key_features(vectors, 30.0)
    assert np.allclose(ratio, (8 / 30) ** 0.3)
    assert np.allclose(key_features(vectors, 60.0), key_features(vectors, 30.0))


def test_noise_has_less_confidence_than_a_cadence(
    preset: Preset, description_model: DescriptionModel
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * SR).astype(np.float32)
    of_noise, of_chords = (
        description_model.key(log_mel(y, preset.spectrogram, preset.mel_basis)).confidence
        for y in (noise, chords(0, MAJOR))
    )
    assert of_noise < of_chords


def test_key_names_are_english() -> None:
    assert [key_name(key) for key in (0, 9, 13, 21)] == [
        "C major",
        "A major",
        "C# minor",
        "A minor",
    ]
