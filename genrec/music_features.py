"""Statistics of a log-mel spectrogram that tell music from other sounds.

Speech has syllables: its level changes 3 to 6 times a second in all bands together, and its
partials glide. Music has partials that stay, onsets at regular intervals and parts that return
(Scheirer and Slaney 1997). Noise and hum have neither.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Statistics = Iterator[tuple[str, Float]]

BANDS = 128  # mel bands of the input
COLUMN_S = 1708 / 22050  # hop of the input in s: that of the default front end
MIN_COLUMNS = 12  # 0.9 s; a shorter spectrogram is repeated

_GROUP = 8  # mel bands in a group
_FLOOR_DB = -60.0
_MODULATION_HZ = (0.25, 0.75, 1.5, 2.5, 3.5, 4.5, 5.5, 6.4)
_SMOOTHING = 9  # mel bands of the moving mean that partials stand out from
_BEAT = slice(3, 26)  # lags of 0.23 to 2 s
_REPETITION = slice(4, 80)  # lags of 0.3 to 6 s
_MOST_COLUMNS = 200  # of the self-similarity matrix
_EPSILON = np.float32(1e-6)


def music_features(S_db: Float) -> Float:
    """Return the statistics of a log-mel spectrogram.

    Parameters
    ----------
    S_db
        float32 (128, columns) in dB relative to its maximum, -80..0, 77.5 ms per column.

    Returns
    -------
    float32 (d,), finite; see `feature_names` for the order

    Raises
    ------
    ValueError
        The spectrogram does not have 128 bands, or has no column.
    """
    values = np.concatenate([value for _, value in _statistics(S_db)])
    return np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)


def feature_names() -> list[str]:
    """Return one name per value of `music_features`, such as ``groups.std.3``."""
    S_db = np.linspace(-60, 0, BANDS * 32, dtype=np.float32).reshape(BANDS, 32)
    return [f"{name}.{i}" for name, value in _statistics(S_db) for i in range(len(value))]


def _statistics(S_db: Float) -> Statistics:
    if S_db.ndim != 2 or S_db.shape[0] != BANDS or S_db.shape[1] == 0:
        raise ValueError(f"S_db: shape {S_db.shape}, expected ({BANDS}, 1 or more)")
    columns = S_db.shape[1]
    if columns < MIN_COLUMNS:
        S_db = np.tile(S_db, -(-MIN_COLUMNS // columns))[:, :MIN_COLUMNS]
    X = np.maximum(S_db.astype(np.float32, copy=False), np.float32(_FLOOR_DB))
    groups = X.reshape(BANDS // _GROUP, _GROUP, -1).mean(axis=1)
    power = np.exp(X * np.float32(np.log(10) / 10)).mean(axis=0)
    level = 10 * np.log10(power)
    yield "length", np.log(np.array([columns], dtype=np.float32))
    yield from _spectrum(X, groups, level)
    yield from _loudness(power, level)
    yield from _modulation(groups, level)
    yield from _partials(X)
    yield from _rhythm(np.diff(X, axis=1))
    yield from _repetition(groups)


def _spectrum(X: Float, groups: Float, level: Float) -> Statistics:
    """Yield level, deviation and correlation of groups of bands, and the spectrum's shape."""
    mean = groups.mean(axis=1)
    yield "groups.mean", mean - mean.mean()
    centred = groups - mean[:, None]
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    yield "groups.std", norm[:, 0] / np.float32(np.sqrt(groups.shape[1]))
    yield "groups.change", np.abs(np.diff(groups, axis=1)).mean(axis=1)
    unit = centred / (norm + _EPSILON)
    cosine = unit @ unit.T
    yield "groups.together", np.array([np.diagonal(cosine, k).mean() for k in (1, 2, 4, 8)])
    yield "flatness", _summary(X.mean(axis=0) - level)
    power = np.exp(groups * np.float32(np.log(10) / 10))
    centroid = np.arange(len(groups), dtype=np.float32) @ power / (power.sum(axis=0) + _EPSILON)
    yield "centroid", _summary(centroid)


def _loudness(power: Float, level: Float) -> Statistics:
    """Yield the distribution of the level over time."""
    centred = level - level.mean()
    yield "level", _summary(level)[1:]
    at = [len(level) * k // 20 for k in (1, 5, 10, 15, 19)]
    yield "level.percentiles", np.sort(centred)[at]
    share = [np.mean(power < share * power.mean()) for share in (0.1, 0.5)]
    yield "level.low", np.array(share, dtype=np.float32)
    scaled = centred / (centred.std() + _EPSILON)
    yield "level.shape", np.array([np.mean(scaled**3), np.mean(scaled**4)])


def _modulation(groups: Float, level: Float) -> Statistics:
    """Yield the share of each modulation rate in the change of level (modulation spectrum)."""
    rows = np.vstack([groups, level])
    window = np.hanning(rows.shape[1]).astype(np.float32)
    rows = (rows - rows.mean(axis=1, keepdims=True)) * window
    spectrum = np.fft.rfft(rows, n=max(256, _fast_length(rows.shape[1])), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    hz = np.linspace(0, 0.5 / COLUMN_S, power.shape[1])
    edges = np.searchsorted(hz, _MODULATION_HZ)
    bands = np.add.reduceat(power, edges, axis=1)[:, : len(edges) - 1]
    share = bands / (bands.sum(axis=1, keepdims=True) + _EPSILON)
    yield "modulation.low", share[:4].mean(axis=0)
    yield "modulation.middle", share[4:10].mean(axis=0)
    yield "modulation.high", share[10:16].mean(axis=0)
    yield "modulation.level", share[16]


def _partials(X: Float) -> Statistics:
    """Yield strength, continuity and gliding of partials: what stands out from nearby bands."""
    half = _SMOOTHING // 2
    sums = np.cumsum(np.pad(X, ((half + 1, half), (0, 0)), "edge"), axis=0)
    peaks = X - (sums[_SMOOTHING:] - sums[:-_SMOOTHING]) / np.float32(_SMOOTHING)
    strength = np.abs(peaks)
    yield "partials.strength", _summary(strength.mean(axis=0))
    yield "partials.bands", strength.reshape(4, 32, -1).mean(axis=(1, 2))
    share = [np.mean(peaks > db) for db in (3, 6, 10)]
    yield "partials.share", np.array(share, dtype=np.float32)
    quarters = peaks.reshape(4, -1)
    energies = np.einsum("ij,ij->i", quarters, quarters) / quarters.shape[1] + np.float32(0.1)
    energy = energies.mean()
    columns = X.shape[1]
    for lag in (1, 2, 4):
        product = _product(peaks[:, lag:], peaks[:, :-lag]).reshape(4, 32).mean(axis=1)
        yield f"partials.stay.{lag}", product / energies
    far = [lag if lag < columns else columns - 1 for lag in (8, 16, 32)]
    kept = [_product(peaks[:, lag:], peaks[:, :-lag]).mean() / energy for lag in far]
    yield "partials.stay.far", np.array(kept)
    for lag, shift in ((1, 1), (1, 2), (2, 1)):
        up = _product(peaks[shift:, lag:], peaks[:-shift, :-lag]).mean() / energy
        down = _product(peaks[:-shift, lag:], peaks[shift:, :-lag]).mean() / energy
        yield f"partials.glide.{lag}.{shift}", np.array([up + down, abs(up - down)])
    steady = peaks.mean(axis=1)
    yield "partials.steady", np.array([np.mean(steady**2) / energy, np.abs(steady).max()])


def _product(a: Float, b: Float) -> Float:
    """Return the mean product of each row of two matrices, (bands, n) -> (bands,)."""
    return np.asarray(np.einsum("ij,ij->i", a, b) / a.shape[1], dtype=np.float32)


def _rhythm(change: Float) -> Statistics:
    """Yield onset strength and its autocorrelation (pulse clarity, Lartillot et al. 2008)."""
    yield "flux", _summary(np.abs(change).mean(axis=0))
    rise = np.maximum(change, 0).reshape(4, 32, -1).mean(axis=1)
    for name, onset in (("all", rise.mean(axis=0)), ("low", rise[0]), ("high", rise[2:].mean(0))):
        yield f"onset.{name}", _summary(onset)
        acf = _autocorrelation(onset - onset.mean())
        acf = acf / (acf[0] + _EPSILON)
        beat = np.zeros(_BEAT.stop - _BEAT.start, dtype=np.float32)
        found = acf[_BEAT]
        beat[: len(found)] = found
        yield f"pulse.{name}", np.array([beat.max(), beat.std(), beat.min(), *acf[1:4]])


def _repetition(groups: Float) -> Statistics:
    """Yield how alike columns are that lie apart, from the self-similarity matrix (Foote 1999)."""
    centred = groups - groups.mean(axis=1, keepdims=True)
    unit = centred / (np.linalg.norm(centred, axis=0, keepdims=True) + np.float32(1))
    size = unit.shape[1]
    lags = (_autocorrelation(unit).sum(axis=0) / np.arange(size, 0, -1))[_REPETITION]
    yield "repetition.lags", np.array([lags.max(), lags.mean(), lags.std()])
    step = -(-size // _MOST_COLUMNS)
    sparse = np.ascontiguousarray(unit[:, ::step])
    similarity = sparse.T @ sparse
    yield "repetition.spread", np.array([similarity.std()])
    at = np.arange(len(similarity))
    similarity[np.abs(at[:, None] - at) * step <= 6] = -1
    nearest = similarity.max(axis=1)
    yield "repetition.nearest", np.array([nearest.mean(), nearest.std()])


def _autocorrelation(rows: Float) -> Float:
    """Return sums of products at the lags 0, 1, ... of each row, (..., n) -> (..., n)."""
    n = rows.shape[-1]
    spectrum = np.fft.rfft(rows, n=_fast_length(2 * n))
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.fft.irfft(power)[..., :n], dtype=np.float32)


def _fast_length(n: int) -> int:
    """Return the smallest power of 2, or three quarters of one, that is at least ``n``."""
    power = 1 << (n - 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= n else power


def _summary(values: Float) -> Float:
    """Return mean, deviation, relative change, and distances of deciles 9 and 1 from the median."""
    low, middle, high = np.sort(values)[[len(values) * k // 10 for k in (1, 5, 9)]]
    deviation = values.std()
    change = np.abs(np.diff(values)).mean() / (deviation + 0.1)
    return np.array([values.mean(), deviation, change, high - middle, middle - low])
