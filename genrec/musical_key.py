"""Key of a clip from its log-mel spectrogram: a score for each of 24 keys, and its probability.

Peaks of the spectrum are notes and partials. Their pitch classes are counted in registers, which
gives chroma vectors (Fujishima 1999; Gomez 2006, "Tonal description of polyphonic audio"). A
logistic model scores each key from the vectors turned to its tonic, so its weights are key profiles
(Krumhansl 1990) for each register, fitted on annotated excerpts. docs/music-description.md has its
figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]

MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
KEYS = 24  # major keys from C on, then minor keys
# Registers in Hz. A mel band of the default front end is 26 Hz wide below 1 kHz.
REGISTERS = ((90.0, 220.0), (200.0, 420.0), (380.0, 760.0), (700.0, 1400.0), (1300.0, 2600.0))

_MIDDLE_C_HZ = 261.6256
_MEAN_BANDS = 5  # a peak counts by how far it stands out from so many bands
_EPSILON = 1e-9
_WHOLE_S, _EVIDENCE_POWER = 30.0, 0.3


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """A key, 0..23 (see `key_name`), and the probability that it is right."""

    key: int
    confidence: float


def key_name(key: int) -> str:
    """Return the English name of a key, such as ``A minor``."""
    return f"{MAJOR_KEYS[key]} major" if key < 12 else f"{MINOR_KEYS[key - 12]} minor"


def chroma(S_db: Float, mel_hz: Float) -> Doubles:
    """Return chroma vectors of a log-mel spectrogram, by register and weight of the peaks.

    Parameters
    ----------
    S_db
        float32 (bands, columns) in dB relative to its maximum.
    mel_hz
        float32 (bands,), centre of each mel band.

    Returns
    -------
    float64 (4 * registers, 12): shares of the pitch classes from C on by the peaks' amplitude and
    by its root, then the roots of these shares; each row has mean 0
    """
    before, at, after = S_db[:-2], S_db[1:-1], S_db[2:]
    band, column = np.nonzero((at > before) & (at >= after))
    low, peak, high = before[band, column], at[band, column], after[band, column]
    curvature = np.minimum(low - 2 * peak + high, -1e-3)
    position = band + 1 + 0.5 * (low - high) / curvature
    hz = np.interp(position, np.arange(mel_hz.size), mel_hz)
    prominence = np.maximum(peak - _local_mean(S_db)[band + 1, column], 0)
    semitones = 12 * np.log2(np.maximum(hz, 1.0) / _MIDDLE_C_HZ)
    nearest = np.round(semitones)
    weight = prominence * np.cos(np.pi * (semitones - nearest)) ** 2
    pitch = nearest.astype(np.int64) % 12
    amplitude = 10 ** (peak / 20)
    rows = []
    for lowest, highest in REGISTERS:
        inside = (hz > lowest) & (hz < highest)
        rows += [
            np.bincount(pitch[inside], (weight * strength)[inside], 12)
            for strength in (amplitude, np.sqrt(amplitude))
        ]
    counts = np.stack(rows)
    shares = counts / (counts.sum(axis=1, keepdims=True) + _EPSILON)
    both = np.concatenate([shares, np.sqrt(shares)])
    return np.asarray(both - both.mean(axis=1, keepdims=True))


def _local_mean(S_db: Float) -> Float:
    """Return the mean over `_MEAN_BANDS` bands around each band; the edge bands are repeated."""
    half = _MEAN_BANDS // 2
    padded = np.pad(S_db, ((half + 1, half), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float32)
    return np.asarray((sums[_MEAN_BANDS:] - sums[:-_MEAN_BANDS]) / _MEAN_BANDS, dtype=np.float32)


def key_features(vectors: Doubles, seconds: float) -> Doubles:
    """Return chroma vectors turned to each tonic, float64 (12, vectors * 12).

    They are smaller for clips under 30 s, which hold fewer chords: 0.67 times at 8 s. So a key
    has less confidence there.
    """
    evidence = min(seconds / _WHOLE_S, 1.0) ** _EVIDENCE_POWER
    turned = np.stack([np.roll(vectors, -tonic, axis=1).ravel() for tonic in range(12)])
    return np.asarray(evidence * turned)


def estimate_key(features: Doubles, weights: Float, bias: Float) -> KeyEstimate:
    """Return the most probable key.

    Parameters
    ----------
    features
        float64 (12, d), from `key_features`.
    weights
        float32 (2, d): the profile of major keys and that of minor keys.
    bias
        float32 (2,), log odds.
    """
    scores = (features @ weights.T + bias).T.ravel().astype(np.float64)
    p = np.exp(scores - scores.max())
    p /= p.sum()
    best = int(np.argmax(p))
    return KeyEstimate(best, float(p[best]))
