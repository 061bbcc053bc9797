"""Noise of a random colour, for sounds and for changes of sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def coloured_noise(n: int, rng: np.random.Generator, slope_db: float | None = None) -> Float:
    """Return noise with a spectral slope in dB per octave, drawn from -9..6 if None.

    Returns
    -------
    float64 (n,), with a root mean square of 1
    """
    slope = rng.uniform(-9, 6) if slope_db is None else slope_db
    spectrum = np.fft.rfft(rng.standard_normal(n))
    octave = np.log2(np.maximum(np.arange(len(spectrum)), 1) * 1000 / len(spectrum))
    return unit_rms(np.fft.irfft(spectrum * 10 ** (slope * octave / 20), n))


def unit_rms(y: Float) -> Float:
    """Return samples (n,) with a root mean square of 1, float64 (n,); silence stays silent."""
    return np.asarray(y / (np.sqrt(np.mean(y**2)) + 1e-9), dtype=np.float64)
