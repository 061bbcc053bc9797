"""Loudness, dynamics, brightness, bass and density of a clip, from its log-mel spectrogram.

A mel band of Slaney's filter bank holds the mean power density around its centre. So sums over
bands, times the bands' width, are sums over the spectrum. docs/music-description.md says how far
they are from the same measures on samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]

BASS_HZ = 160.0  # bass lies below
SILENT_LUFS = -70.0  # absolute gate of ITU-R BS.1770
_RELATIVE_GATE_LU = 10.0
_BLOCK_S = 0.4
_LOUD, _QUIET = 0.95, 0.10  # quantiles of the loudness range (EBU Tech 3342)
_FLOOR_DB = -60.0
_RISE_DB = 1.5  # an onset: the mean level of the bands rises so much more than around it
_AROUND_S = 1.0

# K weighting of ITU-R BS.1770-4 at 48 kHz: numerators and denominators of its two filters.
_K_RATE = 48_000.0
_K_FILTERS = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)


def mel_edges(bands: int = 128, fmax: float = 11_025.0) -> Doubles:
    """Return the edges of Slaney's mel bands in Hz from 0 Hz on, float64 (bands + 2,).

    Equals ``librosa.mel_frequencies(bands + 2, fmin=0, fmax=fmax)``. Band ``i`` lies between the
    edges ``i`` and ``i + 2``, and edge ``i + 1`` is its centre.
    """
    hz_per_mel, corner_hz, step = 200 / 3, 1_000.0, np.log(6.4) / 27
    corner = corner_hz / hz_per_mel
    top = corner + np.log(fmax / corner_hz) / step if fmax >= corner_hz else fmax / hz_per_mel
    mel = np.linspace(0, top, bands + 2)
    linear, exponential = mel * hz_per_mel, corner_hz * np.exp((mel - corner) * step)
    return np.asarray(np.where(mel < corner, linear, exponential))


def power_of_bands(S_db: Float, edges: Doubles) -> Doubles:
    """Return the power in each band, relative to the clip's: float64 (bands, columns)."""
    return np.asarray(10 ** (S_db.astype(np.float64) / 10) * _widths(edges)[:, np.newaxis])


def _widths(edges: Doubles) -> Doubles:
    return np.asarray((edges[2:] - edges[:-2]) / 2)


def k_weights(hz: Doubles) -> Doubles:
    """Return the gain of power that K weighting (ITU-R BS.1770-4) has at frequencies."""
    z = np.exp(-2j * np.pi * hz / _K_RATE)
    gain = np.ones_like(hz)
    for above, below in _K_FILTERS:
        gain = gain * np.abs(np.polyval(above[::-1], z) / np.polyval(below[::-1], z)) ** 2
    return np.asarray(gain)


def loudness(
    power: Doubles, edges: Doubles, mean_square: float, column_s: float
) -> tuple[float, float]:
    """Return the integrated loudness of the mono mix, and how far its loudness ranges.

    The loudness of blocks of 0.4 s, K-weighted and gated as in ITU-R BS.1770-4. The mix is one
    channel, so a stereo file of equal channels measures 3 LU more.

    Parameters
    ----------
    power
        float64 (bands, columns), from `power_of_bands`.
    edges
        float64 (bands + 2,), from `mel_edges`.
    mean_square
        Mean square of the samples, full scale 1, which gives ``power`` its level.
    column_s
        Seconds from one column to the next.

    Returns
    -------
    LUFS, at least -70, and the distance in LU of the blocks' 95 % quantile from their 10 % quantile
    """
    scale = mean_square / max(float(power.sum(axis=0).mean()), 1e-30)
    weighted = k_weights(edges[1:-1]) @ power * scale
    width = max(1, min(round(_BLOCK_S / column_s), weighted.size))
    sums = np.cumsum(np.pad(weighted, (1, 0)))
    blocks = np.maximum((sums[width:] - sums[:-width]) / width, 1e-12)
    levels = -0.691 + 10 * np.log10(blocks)
    audible = levels > SILENT_LUFS
    if not audible.any():
        return SILENT_LUFS, 0.0
    gate = -0.691 + 10 * np.log10(blocks[audible].mean()) - _RELATIVE_GATE_LU
    integrated = -0.691 + 10 * np.log10(blocks[audible & (levels > gate)].mean())
    quiet, loud = np.quantile(levels[audible], [_QUIET, _LOUD])
    return float(max(integrated, SILENT_LUFS)), float(loud - quiet)


def brightness(S_db: Float, edges: Doubles) -> float:
    """Return the spectral centroid in Hz: the median over the columns, weighted by amplitude.

    As ``librosa.feature.spectral_centroid``, from mel bands.
    """
    amplitude = 10 ** (S_db.astype(np.float64) / 20) * _widths(edges)[:, np.newaxis]
    return float(np.median(edges[1:-1] @ amplitude / amplitude.sum(axis=0)))


def bass_share(power: Doubles, edges: Doubles) -> float:
    """Return the share of the power that lies below 160 Hz, 0..1."""
    low = power[edges[1:-1] < BASS_HZ].sum()
    return float(low / max(float(power.sum()), 1e-30))


def onset_density(S_db: Float, column_s: float) -> float:
    """Return onsets a second: maxima of the bands' mean rise that stand out by 1.5 dB.

    Onsets closer than two columns are one. So the default front end counts at most 6.5 a second.
    """
    rise = np.maximum(np.diff(np.maximum(S_db, _FLOOR_DB), axis=1), 0).mean(axis=0)
    if rise.size < 3:
        return 0.0
    width = min(max(3, round(_AROUND_S / column_s) | 1), rise.size)
    padded = np.pad(rise, (width // 2, width - 1 - width // 2), mode="edge")
    around = np.convolve(padded, np.full(width, 1 / width), "valid")
    before, at, after = rise[:-2], rise[1:-1], rise[2:]
    onsets = (at > before) & (at >= after) & (at > around[1:-1] + _RISE_DB)
    return float(onsets.sum() / (S_db.shape[1] * column_s))
