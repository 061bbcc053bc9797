"""Filters for what lies below music: offset, infrasound and mains hum."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

Float = NDArray[np.float32]

STEPS_PER_S = 360  # of the level curve: blocks of 2.8 ms
INFRASOUND_HZ = 20.0  # what lies below is removed; no instrument but the largest organs goes there
# Rate of the samples in which infrasound and hum are found, and of those that are interpolated.
_FINE_RATE, _HUM_RATE, _SLOW_RATE = 1_440, 480, 360
# Mains hum: a tone that holds this share of the energy within 1 Hz, and stands out by so much.
HUM_SHARE, HUM_ABOVE_DB, HUM_MIN_S, HUM_SMOOTHING_S = 0.5, 20.0, 4.0, 3.0
HIGHEST_HUM_HZ = 180.0


def block_length(sr: int) -> int:
    """Return the samples in one block of the level curve, about 2.8 ms."""
    return max(1, round(sr / STEPS_PER_S))


def remove_infrasound(y: Float, sr: int) -> Float:
    """Return samples without their offset and without what lies below 20 Hz.

    The part below 20 Hz is found by decimation (soxr), interpolated and subtracted. So everything
    above 20 Hz stays as it is: at most 0.1 dB at 25 Hz. 12 Hz loses 35 dB.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.

    Returns
    -------
    float32 (n,)
    """
    offset = y.mean(dtype=np.float64)
    fine, step = _decimated(y, sr)
    fine -= offset
    rate = sr / step
    if fine.size < 4:
        return np.asarray(y - offset, dtype=np.float32)
    pad = round(rate)  # a second of the edge value, or the filter would ring at both ends
    padded = np.pad(fine, pad, mode="edge")
    low = soxr.resample(padded, rate, 2 * INFRASOUND_HZ, quality="LQ")
    every = max(1, round(rate / _SLOW_RATE))
    low = soxr.resample(low, 2 * INFRASOUND_HZ, rate / every, quality="LQ")
    first = pad // every
    low = low[first : first + -(-fine.size // every)]
    # The first value lies before the first fine sample, by what the padding is not divisible by.
    start = step - step * (pad % every)
    return y - np.asarray(
        _interpolated(low, step * every, start, y.size) + offset, dtype=np.float32
    )


def remove_hum(y: Float, sr: int) -> Float:
    """Return samples without mains hum: a tone at 50 or 60 Hz, with its harmonics to 180 Hz.

    A tone is removed only if it lasts through the clip: seven bins of the Fourier transform hold
    half of the energy within 1 Hz, and the peak is 20 dB above the median. Notes are too short for
    that. The tone is demodulated, smoothed over three seconds and subtracted.

    Parameters
    ----------
    y
        float32 (n,), mono. Under 4 s no tone can be told from a note, and nothing is removed.
    sr
        Samples per second.

    Returns
    -------
    float32 (n,)
    """
    if y.size < HUM_MIN_S * sr:
        return y
    fine, step = _decimated(y, sr)
    every = max(1, round(sr / step / _HUM_RATE))
    rate = sr / step / every
    slow = soxr.resample(fine, sr / step, rate, quality="MQ")
    power = np.abs(np.fft.rfft(slow * np.hanning(slow.size))) ** 2
    for mains in (50.0, 60.0):
        found = _steady_tone(power, mains, 0.5, rate / slow.size)
        if found is None:
            continue
        for harmonic in range(1, int(HIGHEST_HUM_HZ / mains) + 1):
            tone = _steady_tone(power, harmonic * found, 0.2 * harmonic, rate / slow.size)
            if tone is not None:
                droop = float(np.sinc(tone * step / sr)) ** 2  # of the decimation
                y = y - _tone(slow / droop, tone, rate, (step * every, step, y.size))
    return y


def _decimated(y: Float, sr: int) -> tuple[NDArray[np.float64], int]:
    """Return weighted means of samples at about 1,440 Hz, and their distance in samples.

    The weights are triangles of two steps, so that a tone near a multiple of the new rate appears
    58 dB weaker below 50 Hz. The first mean is centred on the sample ``step``.
    """
    step = max(1, round(sr / _FINE_RATE))
    count = y.size // step
    up = (np.arange(step) + 0.5) / step
    weights = np.stack([up, 1 - up], axis=1).astype(np.float32) / np.float32(step)
    halves = y[: count * step].reshape(count, step) @ weights
    return (halves[:-1, 0] + halves[1:, 1]).astype(np.float64), step


def _steady_tone(
    power: NDArray[np.float64], hz: float, within_hz: float, bin_hz: float
) -> float | None:
    """Return the frequency of a tone near ``hz`` that lasts through the clip; None without one."""
    low, high = round((hz - within_hz) / bin_hz), round((hz + within_hz) / bin_hz)
    if high + round(1 / bin_hz) >= power.size:
        return None
    peak = low + int(np.argmax(power[low : high + 1]))
    around = max(6, round(1 / bin_hz))
    tone = power[peak - 3 : peak + 4].sum()
    near = power[peak - around : peak + around + 1].sum()
    rest = np.median(power[peak - 3 * around : peak + 3 * around + 1])
    if tone < HUM_SHARE * near or power[peak] < 10 ** (HUM_ABOVE_DB / 10) * rest:
        return None
    before, at, after = np.log(np.maximum(power[peak - 1 : peak + 2], 1e-30))
    curvature = before - 2 * at + after
    return (peak + (0.5 * (before - after) / curvature if curvature < 0 else 0)) * bin_hz


def _tone(slow: NDArray[np.float64], hz: float, rate: float, grid: tuple[int, int, int]) -> Float:
    """Return the samples of a tone near ``hz``; ``grid`` is as in `_interpolated`."""
    step, first, size = grid
    turn = np.exp(-2j * np.pi * hz * np.arange(slow.size) / rate)
    width = min(slow.size, round(HUM_SMOOTHING_S * rate))
    kernel = np.hanning(width + 2)[1:-1]
    weight = np.convolve(np.ones(slow.size), kernel, "same")
    base = np.convolve(slow * turn, kernel, "same") / weight
    real = _interpolated(base.real, step, first, size)
    imaginary = _interpolated(base.imag, step, first, size)
    angle = 2 * np.pi * hz * (np.arange(size) - first) / (rate * step)
    return np.asarray(2 * (real * np.cos(angle) - imaginary * np.sin(angle)), dtype=np.float32)


def _interpolated(values: NDArray[np.float64], step: int, first: int, size: int) -> Float:
    """Return ``size`` samples between values that lie at ``first``, ``first + step`` and so on."""
    at = values.astype(np.float32)
    fraction = (np.arange(step) / step).astype(np.float32)
    lines = (at[:-1, None] + (at[1:] - at[:-1])[:, None] * fraction).ravel()
    before = np.full(max(first, 0), at[0], dtype=np.float32)
    out = np.concatenate([before, lines[max(-first, 0) :]])[:size]
    return np.pad(out, (0, size - out.size), constant_values=at[-1])
