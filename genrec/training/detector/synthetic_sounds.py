"""Synthetic sounds that are no music: noise, tones, hum, clicks, engines, wind and rain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from genrec.training.data.noise import coloured_noise, unit_rms

Float = NDArray[np.float64]
Rng = np.random.Generator


def _band_noise(n: int, sr: int, rng: Rng) -> Float:
    """Return noise of a random band, such as a fan or a hiss."""
    low = np.exp(rng.uniform(np.log(30), np.log(5000)))
    high = low * np.exp(rng.uniform(0.3, 4))
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / sr)
    slope = rng.uniform(1, 6)
    gain = 1 / (1 + (low / np.maximum(hz, 1)) ** slope + (hz / high) ** slope)
    return unit_rms(np.fft.irfft(spectrum * gain, n))


def _slow(n: int, sr: int, rng: Rng, hz: float) -> Float:
    """Return a random curve (n,) of mean 0 and deviation 1 that changes about ``hz`` times a s."""
    knots = rng.standard_normal(max(3, int(n / sr * hz) + 3))
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)


def _noise(n: int, sr: int, rng: Rng) -> Float:
    y = coloured_noise(n, rng) if rng.random() < 0.6 else _band_noise(n, sr, rng)
    if rng.random() < 0.3:
        y = y * np.exp(0.5 * _slow(n, sr, rng, rng.uniform(0.2, 4)))
    return y


def _tone(n: int, sr: int, rng: Rng) -> Float:
    """Return one to three steady tones, some with harmonics or beats."""
    t = np.arange(n) / sr
    y = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        hz = np.exp(rng.uniform(np.log(60), np.log(6000)))
        shape = rng.choice(("sine", "square", "saw"), p=(0.6, 0.2, 0.2))
        phase = 2 * np.pi * hz * t
        wave = {"sine": np.sin(phase), "square": np.sign(np.sin(phase)), "saw": (hz * t) % 1 - 0.5}
        y += rng.uniform(0.2, 1) * wave[str(shape)]
    if rng.random() < 0.2:
        y *= 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 20) * t)
    return y + 10 ** (rng.uniform(-90, -25) / 20) * coloured_noise(n, rng)


def _sweep(n: int, sr: int, rng: Rng) -> Float:
    """Return a tone that glides, up, down, to and fro as a siren, or at random."""
    low, high = np.sort(np.exp(rng.uniform(np.log(50), np.log(8000), 2)))
    seconds = n / sr
    kind, t = int(rng.integers(4)), np.arange(n) / sr
    if kind == 0:
        position = t / seconds
    elif kind == 1:
        position = 1 - t / seconds
    elif kind == 2:
        position = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 3) * t)
    else:
        position = 0.5 + 0.25 * _slow(n, sr, rng, rng.uniform(0.5, 4))
    hz = low * (high / low) ** position
    y = np.sin(2 * np.pi * np.cumsum(hz) / sr)
    return y + 10 ** (rng.uniform(-80, -25) / 20) * coloured_noise(n, rng)


def _hum(n: int, sr: int, rng: Rng) -> Float:
    """Return mains hum with harmonics, and noise."""
    base, t = float(rng.choice((50, 60, 100, 120))), np.arange(n) / sr
    y = np.zeros(n)
    for k in range(1, int(rng.integers(2, 30))):
        y += (
            rng.exponential()
            / k ** rng.uniform(0.3, 1.5)
            * np.sin(2 * np.pi * k * base * t + rng.uniform(0, 7))
        )
    return unit_rms(y) + 10 ** (rng.uniform(-50, 0) / 20) * coloured_noise(n, rng)


def _clicks(n: int, sr: int, rng: Rng) -> Float:
    """Return clicks or knocks, at random times or regular, such as keys or a metronome."""
    times = np.arange(0, n, int(sr / rng.uniform(0.7, 12)))
    if rng.random() < 0.75:
        times = np.sort(rng.integers(0, n, max(2, int(n / sr * rng.uniform(0.7, 15)))))
    y = np.zeros(n)
    y[times] = rng.uniform(0.3, 1, len(times))
    hz, decay = np.exp(rng.uniform(np.log(150), np.log(7000))), rng.uniform(0.85, 0.998)
    angle = 2 * np.pi * hz / sr
    y = lfilter([1.0], [1.0, -2 * decay * np.cos(angle), decay**2], y)
    return unit_rms(y) + 10 ** (rng.uniform(-70, -15) / 20) * coloured_noise(n, rng)


def _engine(n: int, sr: int, rng: Rng) -> Float:
    """Return a motor: pulses whose rate drifts or is driven, through resonances."""
    rate = np.exp(rng.uniform(np.log(8), np.log(150)))
    hz = rate * np.exp(rng.uniform(0, 0.5) * _slow(n, sr, rng, rng.uniform(0.1, 1)))
    phase = np.cumsum(hz * np.exp(0.02 * _slow(n, sr, rng, 30))) / sr
    pulses = np.exp(-rng.uniform(2, 20) * (phase % 1)) * (1 + 0.3 * np.sin(np.pi * phase))
    y = pulses - pulses.mean() + rng.uniform(0.02, 1.0) * pulses * rng.standard_normal(n)
    for _ in range(int(rng.integers(1, 4))):
        angle, decay = 2 * np.pi * rng.uniform(80, 2500) / sr, rng.uniform(0.9, 0.99)
        y = y + unit_rms(lfilter([1.0], [1.0, -2 * decay * np.cos(angle), decay**2], y))
    return unit_rms(y) + 10 ** (rng.uniform(-40, -5) / 20) * coloured_noise(n, rng)


def _wind(n: int, sr: int, rng: Rng) -> Float:
    """Return wind or waves: noise whose level and colour change slowly."""
    gust = np.exp(rng.uniform(0.3, 1.0) * _slow(n, sr, rng, rng.uniform(0.15, 1.5)))
    low = coloured_noise(n, rng, rng.uniform(-9, -4)) * gust
    return low + rng.uniform(0, 0.7) * _band_noise(n, sr, rng) * gust ** rng.uniform(1, 2)


def _rain(n: int, sr: int, rng: Rng) -> Float:
    """Return rain, fire or applause: many short bursts over a hiss."""
    drops = np.zeros(n)
    count = max(2, int(n / sr * np.exp(rng.uniform(np.log(15), np.log(2000)))))
    drops[rng.integers(0, n, count)] = rng.exponential(size=count)
    length = int(sr * rng.uniform(0.001, 0.03))
    burst = rng.standard_normal(length) * np.exp(-np.linspace(0, 6, length))
    y = unit_rms(np.convolve(drops, burst)[:n])
    return y + 10 ** (rng.uniform(-40, 0) / 20) * coloured_noise(n, rng)


def _beeps(n: int, sr: int, rng: Rng) -> Float:
    """Return signals of machines: a ring, dialling, an alarm, a timer or Morse code."""
    t, y = np.arange(n) / sr, np.zeros(n)
    period, on = rng.uniform(0.1, 2.5), rng.uniform(0.2, 0.7)
    keyed = (t / period) % 1 < on
    tones = np.exp(rng.uniform(np.log(300), np.log(3500), 2))
    kind = int(rng.integers(4))
    if kind == 0:  # one signal, again and again
        for hz in tones[: int(rng.integers(1, 3))]:
            y += keyed * np.sin(2 * np.pi * hz * t)
    elif kind == 1:  # two tones in turn, as an alarm
        y += np.sin(2 * np.pi * np.cumsum(np.where(keyed, *tones)) / sr)
    elif kind == 2:  # dialling: ITU-T Q.23
        slot = (t / (period / 3 + 0.05)).astype(int)
        rows = rng.choice((697, 770, 852, 941), slot[-1] + 1)[slot]
        columns = rng.choice((1209, 1336, 1477), slot[-1] + 1)[slot]
        y += (np.sin(2 * np.pi * rows * t) + np.sin(2 * np.pi * columns * t)) * keyed
    else:  # Morse code
        dots = np.repeat(rng.random(n // 100 + 1) < 0.55, int(sr * rng.uniform(0.04, 0.12)))[:n]
        y += np.pad(dots, (0, n - len(dots))) * np.sin(2 * np.pi * tones[0] * t)
    return y + 10 ** (rng.uniform(-80, -20) / 20) * coloured_noise(n, rng)


def _static(n: int, sr: int, rng: Rng) -> Float:
    """Return radio noise: a hiss with crackling and dropouts."""
    y = coloured_noise(n, rng, rng.uniform(-3, 3))
    gate = _slow(n, sr, rng, rng.uniform(2, 30)) > rng.uniform(-1.5, 0.5)
    return y * np.where(gate, 1, rng.uniform(0, 0.5)) + 0.5 * _clicks(n, sr, rng)


def _mixed(n: int, sr: int, rng: Rng) -> Float:
    """Return two of the other sounds together, or one after the other."""
    kinds = [k for k in SOUNDS if k != "mixed"]
    a, b = (unit_rms(SOUNDS[str(k)](n, sr, rng)) for k in rng.choice(kinds, 2))
    if rng.random() < 0.5:
        return np.where(np.arange(n) < n * rng.uniform(0.2, 0.8), a, b)
    return a + 10 ** (rng.uniform(-15, 0) / 20) * b


SOUNDS: dict[str, Callable[[int, int, Rng], Float]] = {
    "noise": _noise,
    "tone": _tone,
    "sweep": _sweep,
    "hum": _hum,
    "clicks": _clicks,
    "engine": _engine,
    "wind": _wind,
    "rain": _rain,
    "beeps": _beeps,
    "static": _static,
    "mixed": _mixed,
}
"""Function (samples, sample rate, random generator) of each kind of sound; returns (n,)."""
