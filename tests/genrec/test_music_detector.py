"""The music detector calls music music, and speech, noise and signals not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.listening import listen
from genrec.music_detector import MUSIC_BELOW, PREFIX, MusicDetector
from genrec.music_features import BANDS, feature_names, music_features
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.detector.synthetic_sounds import SOUNDS
from genrec.training.filterbank import mel_basis
from tests.synth import STYLES, music

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)
SR = CONFIG.sr
SHIPPED = Path(__file__).parents[2] / "models" / "music_detector.npz"


@pytest.fixture(scope="module")
def detector() -> MusicDetector:
    return MusicDetector.load(SHIPPED)


def spectrogram(y: np.ndarray) -> np.ndarray:
    """Return the spectrogram of the sounding parts of samples."""
    y = np.asarray(y / (2 * np.abs(y).max()), dtype=np.float32)
    return log_mel(listen(y, SR).y, CONFIG, BASIS)


def babble(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return speech-like sound: a voice that glides through random syllables of two formants."""
    n = round(seconds * SR)
    t = np.arange(n) / SR
    syllables = max(2, round(seconds * 4.5))
    at = np.linspace(0, syllables, n)

    def glide(low: float, high: float) -> np.ndarray:
        return np.interp(at, np.arange(syllables + 1), rng.uniform(low, high, syllables + 1))

    pitch, first, second = glide(90, 160), glide(300, 800), glide(900, 2300)
    phase = 2 * np.pi * np.cumsum(pitch) / SR
    y = np.zeros(n)
    for k in range(1, 30):
        gain = sum(np.exp(-(((k * pitch - f) / 130) ** 2)) for f in (first, second))
        y += (gain + 0.02) / np.sqrt(k) * np.sin(k * phase)
    loud = np.clip(np.sin(np.pi * (at % 1)) * glide(-0.2, 1.5), 0, 1)
    hiss = rng.standard_normal(n) * np.clip(glide(-2, 1), 0, 1) * 0.3
    return y * loud + hiss * (1 - loud) + 0.001 * np.sin(2 * np.pi * 50 * t)


def small() -> dict[str, np.ndarray]:
    """Return arrays of a detector with one network of two units."""
    d = len(feature_names())
    fields = {
        "mean": np.zeros(d),
        "scale": np.ones(d),
        "hidden": np.zeros((1, d, 2)),
        "hidden_bias": np.zeros((1, 2)),
        "output": np.ones((1, 2)),
        "output_bias": np.zeros(1),
    }
    return {PREFIX + name: np.asarray(value, np.float32) for name, value in fields.items()}


@pytest.mark.parametrize("seed", range(len(STYLES)))
def test_synthetic_music_is_music(detector: MusicDetector, seed: int) -> None:
    y = music(seed, 12.0, SR)
    assert detector.probability(spectrogram(y)) >= MUSIC_BELOW


@pytest.mark.parametrize("kind", ["noise", "hum", "rain", "wind", "static"])
def test_most_noises_are_no_music(detector: MusicDetector, kind: str) -> None:
    found = []
    for seed in range(8):
        rng = np.random.default_rng((99, seed))
        y = SOUNDS[kind](10 * SR, SR, rng)
        found.append(detector.probability(spectrogram(y)))
    assert np.mean(np.array(found) < MUSIC_BELOW) >= 0.75


def test_speech_like_sound_is_no_music(detector: MusicDetector) -> None:
    rng = np.random.default_rng(5)
    found = [detector.probability(spectrogram(babble(12.0, rng))) for _ in range(6)]
    assert np.mean(np.array(found) < MUSIC_BELOW) >= 0.8


@pytest.mark.shared
def test_recorded_excerpts_are_music_and_speech_is_not(
    detector: MusicDetector, shared: Path
) -> None:
    excerpts = sorted((shared / "gtzan" / "audio").glob("*.flac"))[::6]
    found = [detector.probability(spectrogram(decode(p, sr=SR).y)) for p in excerpts]
    assert min(found) >= MUSIC_BELOW
    speech = decode(shared / "field" / "speech.ogg", sr=SR).y
    assert detector.probability(spectrogram(speech)) < MUSIC_BELOW


@pytest.mark.parametrize("columns", [1, 5, 40, 387])
def test_features_of_any_length_are_finite(columns: int) -> None:
    S_db = np.random.default_rng(0).uniform(-80, 0, (BANDS, columns)).astype(np.float32)
    found = music_features(S_db)
    assert found.shape == (len(feature_names()),)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("value", [0.0, -80.0])
def test_features_of_a_constant_spectrogram_are_finite(value: float) -> None:
    assert np.isfinite(music_features(np.full((BANDS, 60), value, np.float32))).all()


@pytest.mark.parametrize("shape", [(64, 20), (BANDS, 0), (BANDS,)])
def test_features_of_another_shape_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="S_db: shape"):
        music_features(np.zeros(shape, np.float32))


def test_feature_names_are_unique() -> None:
    names = feature_names()
    assert len(set(names)) == len(names)


def test_arrays_give_the_same_detector(detector: MusicDetector) -> None:
    S_db = np.random.default_rng(1).uniform(-80, 0, (BANDS, 90)).astype(np.float32)
    copy = MusicDetector.from_arrays(detector.arrays())
    assert copy.probability(S_db) == pytest.approx(detector.probability(S_db), abs=1e-6)


def test_output_bias_decides_for_zero_weights() -> None:
    arrays = small()
    S_db = np.zeros((BANDS, 30), np.float32)
    assert MusicDetector.from_arrays(arrays).probability(S_db) == pytest.approx(0.5)
    arrays[PREFIX + "output_bias"] += 3
    assert MusicDetector.from_arrays(arrays).probability(S_db) == pytest.approx(0.9526, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", np.zeros(3)),
        ("scale", np.zeros(len(feature_names()))),
        ("hidden", np.zeros((2, 2))),
        ("hidden", np.zeros((65, len(feature_names()), 2))),
        ("output", np.full((1, 2), np.nan)),
        ("output_bias", np.zeros(2)),
    ],
)
def test_invalid_arrays_are_an_error(name: str, value: np.ndarray) -> None:
    arrays = small() | {PREFIX + name: value}
    with pytest.raises(ValueError, match=r"mean|scale|hidden|output"):
        MusicDetector.from_arrays(arrays)


def test_features_of_another_version_are_an_error() -> None:
    arrays = small()
    for name in ("mean", "scale"):
        arrays[PREFIX + name] = arrays[PREFIX + name][:-1]
    arrays[PREFIX + "hidden"] = arrays[PREFIX + "hidden"][:, :-1]
    with pytest.raises(ValueError, match="features: shape"):
        MusicDetector.from_arrays(arrays).probability(np.zeros((BANDS, 30), np.float32))
