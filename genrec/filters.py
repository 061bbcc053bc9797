"""Filters for what lies below music: offset, infrasound and mains hum."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

Float = NDArray[np.float32]

STEPS_PER_S = 360  # of the level curve: blocks of 2.8 ms
INFRASOUND_HZ = 20.0  # what lies below is removed; no instrument but the largest organs goes there
# Mains hum: a tone that holds this share of the energy within 1 Hz, and stands out by so much.
HUM_SHARE, HUM_ABOVE_DB, HUM_MIN_S, HUM_SMOOTHING_S = 0.5, 20.0, 4.0, 3.0


def block_length(sr: int) -> int:
    """Return the samples in one block of the level curve, about 2.8 ms."""
    return max(1, round(sr / STEPS_PER_S))


def remove_infrasound(y: Float, sr: int) -> Float:
    """Return samples without their offset and without what lies below 20 Hz.

    The part below 20 Hz is found on block means (soxr, low rate), interpolated and subtracted. So
    everything above 20 Hz stays as it is: at most 0.1 dB at 25 Hz. 12 Hz loses 35 dB.

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
    step = block_length(sr)
    count = y.size // step
    if count < 2:
        return np.asarray(y - y.mean(dtype=np.float64), dtype=np.float32)
    offset = y.mean(dtype=np.float64)
    means = y[: count * step].reshape(count, step).mean(axis=1, dtype=np.float64) - offset
    rate = sr / step
    pad = round(rate)  # a second of the edge value, or the filter would ring at both ends
    padded = np.pad(means, pad, mode="edge")
    slow = soxr.resample(padded, rate, 2 * INFRASOUND_HZ, quality="LQ")
    slow = soxr.resample(slow, 2 * INFRASOUND_HZ, rate, quality="LQ")
    low = np.zeros(count)
    found = slow[pad : pad + count]
    low[: found.size] = found
    return y - np.asarray(_between_centres(low, step, y.size) + offset, dtype=np.float32)


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
    step = block_length(sr)
    count, rate = y.size // step, sr / step
    if count < HUM_MIN_S * rate:
        return y
    means = y[: count * step].reshape(count, step).mean(axis=1, dtype=np.float64)
    window = np.hanning(count)
    power = np.abs(np.fft.rfft(means * window)) ** 2
    for mains in (50.0, 60.0):
        found = _steady_tone(power, mains, 0.5, rate / count)
        if found is None:
            continue
        for harmonic in range(1, int(180 / mains) + 1):
            tone = _steady_tone(power, harmonic * found, 0.2 * harmonic, rate / count)
            if tone is not None:
                y = y - _tone(means, tone, rate, step, y.size)
    return y


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
    return peak * bin_hz


def _tone(means: NDArray[np.float64], hz: float, rate: float, step: int, size: int) -> Float:
    """Return the samples of a tone near ``hz``, found in block means: (blocks,) -> (size,)."""
    turn = np.exp(-2j * np.pi * hz * (np.arange(means.size) + 0.5) / rate)
    width = min(means.size, round(HUM_SMOOTHING_S * rate))
    kernel = np.hanning(width + 2)[1:-1]
    weight = np.convolve(np.ones(means.size), kernel, "same")
    slow = np.convolve(means * turn, kernel, "same") / weight
    slow /= np.sinc(hz / rate)  # the block means weaken the tone
    real = _between_centres(slow.real, step, size)
    imaginary = _between_centres(slow.imag, step, size)
    angle = (2 * np.pi * hz / (rate * step) * (np.arange(size) + 0.5)).astype(np.float64)
    return np.asarray(2 * (real * np.cos(angle) - imaginary * np.sin(angle)), dtype=np.float32)


def _between_centres(values: NDArray[np.float64], step: int, size: int) -> Float:
    """Return values at block centres, interpolated to every sample: (blocks,) -> (size,)."""
    at = np.pad(values, 1, mode="edge").astype(np.float32)
    fraction = ((np.arange(step) + 0.5) / step).astype(np.float32)
    # Between the centres of block i and i + 1 lie the second half of i and the first of i + 1.
    lines = (at[:-1, None] + (at[1:] - at[:-1])[:, None] * fraction).ravel()
    half = step // 2
    out = lines[half : half + size]
    return out if out.size == size else np.pad(out, (0, size - out.size), mode="edge")
