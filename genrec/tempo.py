"""Tempo of a clip from its log-mel spectrogram: a score for each candidate, and its probability.

The curves of rising energy in bands of the spectrogram have peaks at beats. Their Fourier transform
and their autocorrelation are read at each candidate tempo and at simple ratios of it (Peeters 2007,
"Template-based estimation of time-varying tempo"; Ellis 2007, "Beat tracking by dynamic
programming"). A logistic model weighs the readings and a prior over tempi.
docs/music-description.md has its figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]

TOLERANCE = 0.04  # a tempo is right within this share of it, as in the literature
# Candidates in beats a minute, 1 % apart.
CANDIDATES: Doubles = np.exp(np.arange(np.log(28.0), np.log(260.0), 0.01))
BANDS = ((0, 8), (8, 40), (40, 90), (90, 128), (0, 128))  # of mel bands: bass, ..., all
RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0)
MIN_COLUMNS = 40  # 3 s

_FLOOR_DB = -60.0
_MEAN_S = 1.0  # a curve's mean over this time is subtracted
_FINE = 8  # points of the autocorrelation per column
_LONGEST_LAG = 0.4  # share of the clip up to which its autocorrelation is read
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class TempoEstimate:
    """A tempo in beats a minute, and the probability that it is right within 4 %."""

    bpm: float
    confidence: float


def tempo_features(S_db: Float, column_s: float) -> Float:
    """Return the readings of each candidate tempo.

    Parameters
    ----------
    S_db
        float32 (128, columns) in dB relative to its maximum; at least `MIN_COLUMNS` columns.
    column_s
        Seconds from one column to the next.

    Returns
    -------
    float32 (candidates, 2 * ratios * bands): for each ratio the Fourier transform of each band,
    then its autocorrelation; 0 where a curve has no such period
    """
    curves = onset_curves(S_db, column_s)
    bands, columns = curves.shape
    hz = (CANDIDATES / 60)[:, np.newaxis] * np.array(RATIOS)
    size = 1 << int(np.ceil(np.log2(8 * columns)))
    spectrum = np.abs(np.fft.rfft(curves * np.hanning(columns), size, axis=1)) / np.sqrt(columns)
    step_hz = 1 / (column_s * size)
    lags_s = column_s / _FINE
    acf = _autocorrelation(curves)
    longest = _LONGEST_LAG * (acf.shape[1] - 1) * lags_s
    at_hz, at_lag = hz / step_hz, 1 / hz / lags_s
    readable = at_hz <= spectrum.shape[1] - 1
    periodic = 1 / hz <= longest
    grid, lags = np.arange(spectrum.shape[1]), np.arange(acf.shape[1])
    readings = np.empty((CANDIDATES.size, 2, len(RATIOS), bands), dtype=np.float32)
    for band in range(bands):
        readings[:, 0, :, band] = np.interp(at_hz, grid, spectrum[band]) * readable
        readings[:, 1, :, band] = np.interp(at_lag, lags, acf[band]) * periodic
    return readings.reshape(CANDIDATES.size, -1)


def onset_curves(S_db: Float, column_s: float) -> Doubles:
    """Return one curve for each group of bands: how far its level rises, as deviations.

    The half-wave rectified difference of columns (spectral flux, Bello et al. 2005), less its mean
    over a second, with deviation 1.

    Returns
    -------
    float64 (bands, columns - 1)
    """
    rises = np.maximum(np.diff(np.maximum(S_db, _FLOOR_DB), axis=1), 0)
    curves = np.stack([rises[low:high].mean(axis=0) for low, high in BANDS]).astype(np.float64)
    width = max(3, round(_MEAN_S / column_s) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(curves, ((0, 0), (width // 2, width // 2)), mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
    curves -= views @ (kernel / kernel.sum())
    return np.asarray(curves / (curves.std(axis=1, keepdims=True) + _EPSILON))


def _autocorrelation(curves: Doubles) -> Doubles:
    """Return the autocorrelation of each curve, `_FINE` points a column, 1 at lag 0."""
    columns = curves.shape[1]
    size = 1 << int(np.ceil(np.log2(2 * columns)))
    power = np.abs(np.fft.rfft(curves, size, axis=1)) ** 2
    padded = np.pad(power, ((0, 0), (0, (_FINE - 1) * size // 2)))
    acf = np.fft.irfft(padded, size * _FINE, axis=1)[:, : columns * _FINE]
    overlap = np.maximum(1 - np.arange(acf.shape[1]) / acf.shape[1], 0.1)
    return np.asarray(acf / (acf[:, :1] + _EPSILON) / overlap)


def estimate_tempo(features: Float, weights: Float, prior: Float) -> TempoEstimate:
    """Return the most probable tempo.

    Its probability is the sum over the candidates within the tolerance, and the tempo is their
    mean on a logarithmic scale.

    Parameters
    ----------
    features
        float32 (candidates, d), from `tempo_features`.
    weights
        float32 (d,).
    prior
        float32 (candidates,), log odds.
    """
    scores = (features @ weights + prior).astype(np.float64)
    p = np.exp(scores - scores.max())
    p /= p.sum()
    near = np.abs(CANDIDATES - CANDIDATES[:, np.newaxis]) <= TOLERANCE * CANDIDATES[:, np.newaxis]
    mass = near @ p
    best = int(np.argmax(mass))
    weight = p * near[best]
    bpm = np.exp((weight * np.log(CANDIDATES)).sum() / weight.sum())
    return TempoEstimate(float(bpm), float(min(mass[best], 1.0)))
