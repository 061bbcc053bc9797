"""Columns and windows that begin at onsets: they follow the music, not the start of the clip.

A spectrogram with a long hop depends on where within a hop the clip begins, and a network with
strides depends on where a window begins. So one column lies on the clip's strongest onset, and each
window begins at the strongest onset of its share of the clip.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

# Chosen on 64 GTZAN excerpts; docs/experiments.md has the figures.
SMOOTHING_S, RISE_S, SPREAD_S = 0.03, 0.06, 0.1
# Levels further below the clip's maximum do not count: a codec may change them at will.
RANGE_DB = 50.0


def onset_strength(levels_db: Float, step_s: float) -> Float:
    """Return the onset strength: how far the level rises within 60 ms around each block.

    The half-wave rectified difference of a smoothed level curve (Bello et al. 2005, "A tutorial on
    onset detection in music signals"). The difference is as high for the whole 60 ms of a steep
    rise, so it is smoothed over 100 ms, which gives each onset one maximum.

    Parameters
    ----------
    levels_db
        float32 (blocks,), level of each block in dB.
    step_s
        Seconds per block. With `SPREAD_S`, the strength is the rise from one block to the next.

    Returns
    -------
    float32 (blocks,), dB, at least 0
    """
    levels_db = np.maximum(levels_db, levels_db.max() - RANGE_DB)
    smooth = _smoothed(levels_db, max(1, round(SMOOTHING_S / step_s)))
    rise = max(1, round(RISE_S / step_s))
    strength = np.zeros_like(levels_db)
    if levels_db.size > rise:
        rises = np.maximum(smooth[rise:] - smooth[:-rise], 0)
        strength[rise // 2 : rise // 2 + rises.size] = rises
    return _smoothed(strength, max(1, round(SPREAD_S / step_s)))


def _smoothed(x: Float, width: int) -> Float:
    """Return a curve averaged with a Hann window of ``width`` points."""
    if width == 1:
        return x
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(x, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), "valid").astype(np.float32)


def strongest_onset(strength: Float) -> float:
    """Return the block of the strongest onset, between blocks by a parabola through three."""
    at = int(np.argmax(strength))
    if not 0 < at < strength.size - 1:
        return float(at)
    before, peak, after = (float(value) for value in strength[at - 1 : at + 2])
    curvature = before - 2 * peak + after
    return at + 0.5 * (before - after) / curvature if curvature < 0 else float(at)


def window_starts(strength: Float, choices: int, count: int) -> Ints:
    """Return one start for each of ``count`` equal shares of the choices: its strongest onset.

    Parameters
    ----------
    strength
        float32 (blocks,), at least ``choices``.
    choices
        A window may begin at the blocks 0..choices - 1.
    count
        Number of windows; fewer if there are fewer choices.

    Returns
    -------
    int (windows,), ascending; the first block of a share without any onset
    """
    count = min(count, choices)
    edges = np.round(np.linspace(0, choices, count + 1)).astype(int)
    shares = pairwise(edges)
    return np.array([a + int(np.argmax(strength[a:b])) for a, b in shares], dtype=np.int64)
