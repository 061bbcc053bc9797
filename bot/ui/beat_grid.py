"""Beats of a drawn spectrogram: the tempo's grid, laid on the onsets that the picture shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The grid may differ from the stated tempo by so much, and has so many positions in a beat.
TOLERANCE, TEMPI, PHASES = 0.02, 81, 24
# The onset strength on the grid, as a multiple of the mean, from which the grid is drawn.
CLEAR = 1.3
MIN_BEATS = 8


def beats(preview: NDArray[np.uint8], seconds: float, bpm: float) -> list[float]:
    """Return the times of the beats in seconds, or none if no grid lies on the onsets.

    A grid of the rounded tempo alone would drift by half a beat in 30 s. So tempo and phase are
    searched for the largest mean onset strength, which is the spectral flux of the preview.

    Parameters
    ----------
    preview
        uint8 (bands, columns), as in ``Analysis``.
    seconds
        Duration of the columns together.
    bpm
        Tempo in beats a minute, right within 2 %.
    """
    columns = preview.shape[1]
    if columns < MIN_BEATS or not 0 < bpm <= 400 or seconds * bpm / 60 < MIN_BEATS:
        return []
    flux = np.maximum(np.diff(preview.astype(np.float32), axis=1), 0).sum(axis=0)
    if not flux.any():
        return []
    strength = np.interp(
        np.arange(0, seconds, 0.02), (np.arange(columns - 1) + 1) * seconds / columns, flux
    )
    best, found = 0.0, np.empty(0)
    for tempo in bpm * np.linspace(1 - TOLERANCE, 1 + TOLERANCE, TEMPI):
        period = 60 / tempo
        for phase in np.arange(PHASES) * period / PHASES:
            times = np.arange(phase, seconds, period)
            at = np.minimum(np.round(times / 0.02).astype(int), strength.size - 1)
            mean = float(strength[at].mean())
            if mean > best:
                best, found = mean, times
    return found.tolist() if best >= CLEAR * float(strength.mean()) else []
