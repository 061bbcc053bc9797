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
SMOOTHING_S, RISE_S = 0.05, 0.1
# Levels further below the clip's maximum do not count: a codec may change them at will.
RANGE_DB = 50.0


def onset_strength(levels_db: Float, step_s: float) -> Float:
    """Return the onset strength: how far the level rises within 100 ms around each block.

    The half-wave rectified difference of a smoothed level curve (Bello et al. 2005, "A tutorial on
    onset detection in music signals").

    Parameters
    ----------
    levels_db
        float32 (blocks,), level of each block in dB.
    step_s
        Seconds per block.

    Returns
    -------
    float32 (blocks,), dB, at least 0
    """
    levels_db = np.maximum(levels_db, levels_db.max() - RANGE_DB)
    width = max(1, round(SMOOTHING_S / step_s))
    if width > 1:
        kernel = np.ones(width, dtype=np.float32) / width
        padded = np.pad(levels_db, (width // 2, width - 1 - width // 2), mode="edge")
        levels_db = np.convolve(padded, kernel, "valid").astype(np.float32)
    rise = max(1, round(RISE_S / step_s))
    strength = np.zeros_like(levels_db)
    before = rise // 2
    if levels_db.size > rise:
        rises = np.maximum(levels_db[rise:] - levels_db[:-rise], 0)
        strength[before : before + rises.size] = rises
    return np.asarray(strength, dtype=np.float32)


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
