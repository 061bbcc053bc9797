"""Measure the level of samples, and find the stretches that do not sound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.audio.readers import Samples

# Length of a frame, and of a probe, in seconds.
PROBE_S = 0.1
# RMS in dB re full scale without the mean: the noise of a quiet room is below it.
FLOOR_DB = -60.0
# A frame this far below the loudest one is silent, in dB.
RANGE_DB = 40.0
# A quiet room: a level this far below the loudest one that stays within so many dB.
ROOM_DB, STEADY_DB = 20.0, 4.0
# Shorter gaps are part of the music, in seconds. A close probe is so long.
MIN_GAP_S = 2.0
# Every so many samples count for a level.
_STRIDE = 7


@dataclass(frozen=True, slots=True)
class Silence:
    """Levels at which a file is silent, in dB.

    Attributes
    ----------
    below_db
        Frames of this level or less are silent.
    steady_db
        Frames below this level are silent if the level is steady, as in a quiet room.
    """

    below_db: float = FLOOR_DB
    steady_db: float = FLOOR_DB

    @classmethod
    def of(cls, levels: Iterable[float]) -> Silence:
        """Return the levels of silence of a file with these levels of probes or frames."""
        loud = [level for level in levels if FLOOR_DB < level < math.inf]
        if not loud:
            return cls()
        return cls(max(FLOOR_DB, max(loud) - RANGE_DB), max(FLOOR_DB, max(loud) - ROOM_DB))

    def mask(self, levels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which frames are silent, bool (frames,), for the result of `frame_levels`."""
        silent = levels <= self.below_db
        width = round(MIN_GAP_S / PROBE_S)
        if levels.size < width or not (levels < self.steady_db).any():
            return silent
        windows = np.lib.stride_tricks.sliding_window_view(np.maximum(levels, FLOOR_DB), width)
        starts = np.flatnonzero(windows.max(axis=1) < self.steady_db)
        if starts.size:
            high, low = np.quantile(windows[starts], (0.9, 0.1), axis=1)
            for start in starts[high - low < STEADY_DB]:
                silent[start : start + width] = True
        return silent

    def gaps_in(self, levels: NDArray[np.float64]) -> list[tuple[float, float]]:
        """Return the silent stretches of at least `MIN_GAP_S`, in seconds from the first frame."""
        mask = self.mask(levels)
        edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
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
        centred = frames - frames.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
        power = np.einsum("ij,ij->i", centred, centred, dtype=np.float64) / max(1, frames.shape[1])
        return np.where(np.isfinite(power), 10 * np.log10(power), np.inf)


def loud_second_db(y: Samples, sr: int) -> float:
    """Return the level that the loudest second of samples exceeds, in dB; -inf for no samples.

    The second is made of the loudest frames of `PROBE_S`, wherever they are.
    """
    levels = np.sort(frame_levels(y, sr))[::-1]
    count = min(levels.size, round(1 / PROBE_S))
    return float(levels[count - 1]) if count else -math.inf
