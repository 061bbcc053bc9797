"""Recognise the same recording: a coarse spectrogram, compared at every shift in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Fingerprint = NDArray[np.int8]

BANDS = 16
COLUMNS_EACH = 2  # spectrogram columns averaged into one: 0.155 s at the default hop
DEPTH_DB = 60.0  # what lies deeper is coding noise
SOFTENING_DB = 2.0  # bands that hardly move must not be blown up to full size
STEPS = 32.0  # int8 steps per standard deviation
MIN_OVERLAP_S = 5.0
# On the GTZAN archive, halves of excerpts with noise, smearing and a band limit match themselves at
# 0.49 or more, and other recordings at 0.26 or less (tests/genrec/test_fingerprint.py).
SAME_RECORDING = 0.4


def fingerprint(S_db: Float) -> Fingerprint:
    """Return how the slope from band to band changes over time.

    Loudness, tilt and equaliser cancel out, so that the same recording in another coding, cut or
    level is recognised and music that merely swells alike is not.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB below its maximum, n_mels a multiple of 16.

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
    moved = np.diff(np.diff(coarse, axis=0), axis=1)
    moved -= moved.mean(axis=1, keepdims=True)
    moved /= moved.std(axis=1, keepdims=True) + SOFTENING_DB
    return np.asarray(np.clip(np.round(moved * STEPS), -127, 127), dtype=np.int8)


def match(query: Fingerprint, others: list[Fingerprint], *, column_s: float) -> Float:
    """Return how well each recording matches the query at its best shift.

    Parameters
    ----------
    query, others
        Fingerprints, of any number of columns.
    column_s
        Seconds of one fingerprint column; shifts that leave less than 5 s in common (or less than
        the shorter of the two, where that is less) do not count.

    Returns
    -------
    float32 (len(others),): the normalised cross-correlation at its maximum, -1..1
    """
    if not others:
        return np.zeros(0, dtype=np.float32)
    return np.array([_best_shift(query, other, column_s) for other in others], dtype=np.float32)


def same_recording(a: Fingerprint, b: Fingerprint, *, column_s: float) -> bool:
    """Say whether two fingerprints are of the same recording, coded or cut differently or not."""
    return bool(match(a, [b], column_s=column_s)[0] >= SAME_RECORDING)


def _best_shift(a: Fingerprint, b: Fingerprint, column_s: float) -> float:
    """Correlate over every shift by one FFT per band; norms are taken over the overlap alone."""
    n_a, n_b = a.shape[1], b.shape[1]
    overlap = min(int(np.ceil(MIN_OVERLAP_S / column_s)), n_a, n_b)
    size = 1 << (n_a + n_b - 1).bit_length()
    x, y = a.astype(np.float32), b.astype(np.float32)
    spectrum = np.conj(np.fft.rfft(x, size, axis=1)) * np.fft.rfft(y, size, axis=1)
    correlation = np.fft.irfft(spectrum.sum(axis=0), size)
    shifts = np.arange(overlap - n_a, n_b - overlap + 1)  # b starts `shift` columns into a's time
    first, last = np.maximum(0, -shifts), np.minimum(n_a, n_b - shifts)
    energy_a = np.concatenate([[0], np.cumsum((x**2).sum(axis=0))])
    energy_b = np.concatenate([[0], np.cumsum((y**2).sum(axis=0))])
    in_a = energy_a[last] - energy_a[first]
    in_b = energy_b[last + shifts] - energy_b[first + shifts]
    norm = np.sqrt(np.maximum(in_a * in_b, 1e-9))
    return float(np.max(correlation[shifts % size] / np.maximum(norm, 1.0)))
