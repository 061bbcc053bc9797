"""Measure the level of samples, and find the stretches that do not sound."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genrec.audio.readers import Samples

# Length of a frame, and of a probe, in seconds.
PROBE_S = 0.1
# RMS in dB re full scale without the mean: the noise of a quiet room is below it.
FLOOR_DB = -60.0
# A frame this far below the loud ones is silent, in dB.
RANGE_DB = 40.0
# Shorter gaps are part of the music, in seconds. A close probe is so long.
MIN_GAP_S = 2.0
# Every so many samples count for a level.
_STRIDE = 5


def threshold_db(loud: list[float]) -> float:
    """Return the level of silence, in dB, for levels above `FLOOR_DB`."""
    return max(FLOOR_DB, float(np.percentile(loud, 75)) - RANGE_DB) if loud else FLOOR_DB


def gaps_in(y: Samples, sr: int, silent_db: float) -> list[tuple[float, float]]:
    """Return the stretches of at least `MIN_GAP_S` that do not sound, in seconds from the start.

    Parameters
    ----------
    y, sr
        float32 (n,) samples and their rate.
    silent_db
        Level of silence, the result of `threshold_db`.
    """
    quiet = frame_levels(y, sr) <= silent_db
    edges = np.flatnonzero(np.diff(np.r_[False, quiet, False]))
    runs = edges.reshape(-1, 2) * PROBE_S
    return [(float(a), float(b)) for a, b in runs if b - a >= MIN_GAP_S]


def level_db(y: Samples) -> float:
    """Return the RMS of samples, float32 (n,), in dB re full scale and without their mean.

    It is -inf for no samples and for a constant, and inf for samples that are not finite.
    """
    if y.size == 0:
        return -math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        power = float(np.var(y[::_STRIDE], dtype=np.float64))
    if not math.isfinite(power):
        return math.inf
    return 10 * math.log10(power) if power > 0 else -math.inf


def frame_levels(y: Samples, sr: int) -> NDArray[np.float64]:
    """Return the levels of frames of `PROBE_S`, as in `level_db`, float64 (frames,)."""
    size = round(PROBE_S * sr)
    frames = y[: y.size // size * size].reshape(-1, size)[:, ::_STRIDE]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        power = frames.var(axis=1, dtype=np.float64)
        return np.where(np.isfinite(power), 10 * np.log10(power), np.inf)


def loud_second_db(y: Samples, sr: int) -> float:
    """Return the level that the loudest second of samples exceeds, in dB; -inf for no samples.

    The second is made of the loudest frames of `PROBE_S`, wherever they are.
    """
    levels = np.sort(frame_levels(y, sr))[::-1]
    count = min(levels.size, round(1 / PROBE_S))
    return float(levels[count - 1]) if count else -math.inf
