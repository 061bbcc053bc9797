"""Audio fingerprints: coarse spectrograms, compared by cross-correlation over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Fingerprint = NDArray[np.int8]

BANDS = 16
COLUMNS_EACH = 2  # spectrogram columns per fingerprint column: 0.155 s at the default hop
DEPTH_DB = 60.0  # deeper levels are coding noise
SOFTENING_DB = 2.0  # added to the deviation, or nearly constant bands would be amplified
STEPS = 32.0  # int8 steps per standard deviation
MIN_OVERLAP_S = 5.0
# On the GTZAN archive, halves of excerpts with noise, smearing and a band limit match themselves at
# 0.49 or more, and other recordings at 0.26 or less (tests/genrec/test_fingerprint.py).
SAME_RECORDING = 0.4


def fingerprint(S_db: Float) -> Fingerprint:
    """Return a spectrogram's fingerprint: time differences of level differences between bands.

    Loudness, tilt and equalisers cancel out. So the same recording matches in another coding,
    excerpt or level, and music with a similar envelope does not match.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB relative to its maximum; n_mels is a multiple of 16.

    Returns
    -------
    int8 (15, columns // 2 - 1), in 1/32 of a standard deviation; at least one column.
    """
    n_mels, columns = S_db.shape
    if columns < 2 * COLUMNS_EACH:
        S_db = np.pad(S_db, ((0, 0), (0, 2 * COLUMNS_EACH - columns)), mode="edge")
    whole = S_db.shape[1] // COLUMNS_EACH
    S_db = np.maximum(S_db[:, : whole * COLUMNS_EACH], -DEPTH_DB)
    coarse = S_db.reshape(BANDS, n_mels // BANDS, whole, COLUMNS_EACH).mean(axis=(1, 3))
    change = np.diff(np.diff(coarse, axis=0), axis=1)
    change -= change.mean(axis=1, keepdims=True)
    change /= change.std(axis=1, keepdims=True) + SOFTENING_DB
    return np.asarray(np.clip(np.round(change * STEPS), -127, 127), dtype=np.int8)


def match(query: Fingerprint, others: list[Fingerprint], *, column_s: float) -> Float:
    """Return the normalised cross-correlation of each fingerprint with the query.

    Parameters
    ----------
    query, others
        int8 (15, columns), with any number of columns.
    column_s
        Seconds per fingerprint column. Shifts with an overlap under 5 s do not count, unless the
        shorter fingerprint lies within the longer one.

    Returns
    -------
    float32 (len(others),), the maximum over all shifts, -1..1
    """
    if not others:
        return np.zeros(0, dtype=np.float32)
    return np.array([_best_shift(query, other, column_s) for other in others], dtype=np.float32)


def same_recording(a: Fingerprint, b: Fingerprint, *, column_s: float) -> bool:
    """Return whether two fingerprints are of the same recording, in any coding or excerpt."""
    return bool(match(a, [b], column_s=column_s)[0] >= SAME_RECORDING)


def _best_shift(a: Fingerprint, b: Fingerprint, column_s: float) -> float:
    """Return the largest correlation over all shifts, normalised over the overlap, by FFT."""
    n_a, n_b = a.shape[1], b.shape[1]
    overlap = min(int(np.ceil(MIN_OVERLAP_S / column_s)), n_a, n_b)
    size = 1 << (n_a + n_b - 1).bit_length()
    x, y = a.astype(np.float32), b.astype(np.float32)
    spectrum = np.conj(np.fft.rfft(x, size, axis=1)) * np.fft.rfft(y, size, axis=1)
    correlation = np.fft.irfft(spectrum.sum(axis=0), size)
    shifts = np.arange(overlap - n_a, n_b - overlap + 1)  # columns of b relative to a
    first, last = np.maximum(0, -shifts), np.minimum(n_a, n_b - shifts)
    energy_a = np.concatenate([[0], np.cumsum((x**2).sum(axis=0))])
    energy_b = np.concatenate([[0], np.cumsum((y**2).sum(axis=0))])
    in_a = energy_a[last] - energy_a[first]
    in_b = energy_b[last + shifts] - energy_b[first + shifts]
    norm = np.sqrt(np.maximum(in_a * in_b, 1e-9))
    return float(np.max(correlation[shifts % size] / np.maximum(norm, 1.0)))
