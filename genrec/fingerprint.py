"""Audio fingerprints: coarse spectrograms, compared by cross-correlation over time and speed.

The fingerprint follows Haitsma and Kalker (2002, "A Highly Robust Audio Fingerprinting System"):
differences over time of level differences between neighbouring bands. The comparison also searches
the playback speed, as Six and Leman (2014, "Panako") require of a fingerprint for music.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Fingerprint = NDArray[np.int8]

BANDS = 16
DEPTH_DB = 60.0  # deeper levels are coding noise
SOFTENING_DB = 2.0  # added to the deviation, or nearly constant bands would be amplified
STEPS = 3.0  # quantisation steps per standard deviation
LARGEST = 7  # of the 4-bit values
SMOOTHED = 5  # spectrogram columns that one fingerprint column depends on
MIN_OVERLAP_S = 5.0
SPEEDS = tuple(round(0.94 + 0.01 * i, 2) for i in range(13))
SAME_SPEED = (1.0,)
# docs/experiments.md has the correlations of the same and of other recordings.
SAME_RECORDING = 0.4
# Music made of loops correlates with itself, and with other music of its tempo, at many shifts.
DISTINCT = 0.2  # needed between the best shift and the others
UNMISTAKABLE = 0.8  # a correlation that loops of different recordings do not reach
PEAK_S = 0.5  # shifts so near to the best one belong to it
# Of something that cannot be compared: it matches nothing.
NO_FINGERPRINT: Fingerprint = np.zeros((BANDS - 1, 1), dtype=np.int8)
_BATCH = 64  # fingerprints compared at once: bounds the memory


class FrontEnd(Protocol):
    """The parameters of a log-mel spectrogram that a comparison needs."""

    @property
    def column_s(self) -> float:
        """Seconds from one column to the next."""

    @property
    def fmin(self) -> float:
        """Lowest frequency in Hz."""

    @property
    def fmax(self) -> float:
        """Highest frequency in Hz."""


def fingerprint(S_db: Float) -> Fingerprint:
    """Return a spectrogram's fingerprint: time differences of level differences between bands.

    Loudness, tilt and equalisers cancel out. So the same recording matches in another coding,
    excerpt or level, and music with a similar envelope does not match. Each difference spans two
    times two columns, so that it hardly depends on where in a hop the clip begins.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB relative to its maximum; n_mels is a multiple of 16.

    Returns
    -------
    int8 (15, ceil((columns - 4) / 2)), at least one column. Each byte holds the 4-bit values of two
    columns, in 1/3 of a standard deviation: the earlier one in the low bits.
    """
    n_mels, columns = S_db.shape
    if columns < SMOOTHED:
        S_db = np.pad(S_db, ((0, 0), (0, SMOOTHED - columns)), mode="edge")
    S_db = np.maximum(S_db, -DEPTH_DB)
    coarse = S_db.reshape(BANDS, n_mels // BANDS, -1).mean(axis=1)
    slope = np.diff(coarse, axis=0)
    pairs = (slope[:, :-1] + slope[:, 1:]) / 2
    change = pairs[:, 3:] - pairs[:, :-3]
    change -= change.mean(axis=1, keepdims=True)
    change /= change.std(axis=1, keepdims=True) + SOFTENING_DB
    return pack(np.clip(np.round(change * STEPS), -LARGEST, LARGEST).astype(np.int8))


def pack(values: NDArray[np.int8]) -> Fingerprint:
    """Return 4-bit values, int8 (bands, n) in -7..7, as bytes of two, int8 (bands, ceil(n / 2))."""
    even = np.pad(values, ((0, 0), (0, values.shape[1] % 2))).view(np.uint8)
    return np.asarray((even[:, ::2] & 15) | (even[:, 1::2] << 4)).view(np.int8)


def unpack(packed: Fingerprint) -> NDArray[np.int8]:
    """Return the 4-bit values of packed bytes, int8 (bands, 2 * columns), as `pack` took them."""
    packed = np.ascontiguousarray(packed)
    values = np.empty((packed.shape[0], 2 * packed.shape[1]), dtype=np.int8)
    values[:, ::2] = np.left_shift(packed, 4) >> 4  # both shifts keep the sign
    values[:, 1::2] = packed >> 4
    return values


class RecordingMatcher:
    """Compares fingerprints of one front end.

    Parameters
    ----------
    front_end
        The front end of the spectrograms, for example a ``SpectrogramConfig``.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._overlap = int(np.ceil(MIN_OVERLAP_S / front_end.column_s))
        self._peak = int(np.ceil(PEAK_S / front_end.column_s))
        ends = np.array([_mel(front_end.fmin), _mel(front_end.fmax)])
        between = ends[0] + (ends[1] - ends[0]) * np.arange(1, BANDS) / BANDS
        self._edges_hz = np.array([_hz(mel) for mel in between])

    def same(self, a: Fingerprint, b: Fingerprint, speeds: Sequence[float] = SPEEDS) -> bool:
        """Return whether two fingerprints are of the same recording, in any coding or excerpt."""
        return bool(self.match(a, [b], speeds)[0] >= SAME_RECORDING)

    def any_is_same(self, a: Fingerprint, others: Sequence[Fingerprint]) -> bool:
        """Return whether a fingerprint is of the recording of one of the others, at its speed."""
        return bool((self.match(a, others, SAME_SPEED) >= SAME_RECORDING).any())

    def match(
        self, query: Fingerprint, others: Sequence[Fingerprint], speeds: Sequence[float] = SPEEDS
    ) -> Float:
        """Return how surely each fingerprint is of the query's recording: a cross-correlation.

        It is the largest normalised cross-correlation over all speeds and shifts. If other shifts
        come near to it, it is lowered, so that `SAME_RECORDING` needs a lead of `DISTINCT`. Shifts
        with an overlap under 5 s do not count, unless the shorter fingerprint lies within the
        longer one. Then the correlation is multiplied by the square root of its length / 5 s,
        because short pieces of different music correlate by chance.

        Parameters
        ----------
        query, others
            int8 (15, columns) of `fingerprint`, with any number of columns.
        speeds
            Playback speeds of the query, as multiples of the others' speed. Pitch and tempo change
            together, as on a turntable.

        Returns
        -------
        float32 (len(others),), -1..1
        """
        values = _trimmed(query).astype(np.float32)
        queries = [self._at_normal_speed(values, speed) for speed in speeds]
        best = [
            self._batch(queries, [_trimmed(other) for other in others[start : start + _BATCH]])
            for start in range(0, len(others), _BATCH)
        ]
        return np.concatenate([np.zeros(0, dtype=np.float32), *best])

    def _at_normal_speed(self, values: Float, speed: float) -> Float:
        """Return values as if the clip were not played at ``speed``, by linear interpolation."""
        if speed == 1.0:
            return values
        rows = np.interp(self._edges_hz * speed, self._edges_hz, np.arange(len(values)))
        columns = np.arange(int((values.shape[1] - 1) * speed) + 1) / speed
        return _interpolate(_interpolate(values, rows).T, columns).T

    def _batch(self, queries: list[Float], others: list[NDArray[np.int8]]) -> Float:
        lengths = np.array([other.shape[1] for other in others])
        longest = int(lengths.max())
        bank = np.zeros((len(others), len(queries[0]), longest), dtype=np.float32)
        for row, other in zip(bank, others, strict=True):
            row[:, : other.shape[1]] = other
        # Where the ends of a circular correlation meet, the overlap is too short to count.
        most = max(query.shape[1] - int(self._needed(query, lengths).min()) for query in queries)
        size = _fft_size(longest + most)
        # By frequency: (others, bands) times (bands, queries).
        spectra = np.fft.rfft(bank, size, axis=2).astype(np.complex64).transpose(2, 0, 1)
        asked = np.stack([np.fft.rfft(query, size, axis=1) for query in queries], axis=2)
        product = spectra @ np.conj(asked).astype(np.complex64).transpose(1, 0, 2)
        correlations = np.fft.irfft(product.transpose(2, 1, 0), size).astype(np.float32)
        energy = _running_sum(np.einsum("nbt,nbt->nt", bank, bank))
        found = [
            self._best_shift(correlation, query, energy, lengths)
            for correlation, query in zip(correlations, queries, strict=True)
        ]
        return np.asarray(np.max(found, axis=0), dtype=np.float32)

    def _needed(self, query: Float, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the columns of overlap that a shift of each fingerprint needs to count."""
        return np.minimum(lengths, min(self._overlap, query.shape[1]))

    def _best_shift(
        self, correlation: Float, query: Float, energy: Float, lengths: NDArray[np.int64]
    ) -> Float:
        """Return each row's best correlation over all shifts, normalised over the overlap."""
        n_query, longest = query.shape[1], energy.shape[1] - 1
        needed = self._needed(query, lengths)
        shifts = np.arange(needed.min() - n_query, longest - needed.min() + 1)
        first = np.maximum(0, -shifts)
        own = _running_sum((query**2).sum(axis=0)[None])[0]
        distinct, which = np.unique(lengths, return_inverse=True)  # most have the same length
        last = np.maximum(first, np.minimum(n_query, distinct[:, None] - shifts))
        counts = (last - first >= self._needed(query, distinct)[:, None])[which]
        norm = (own[last] - own[first])[which]
        # After its end a fingerprint adds no energy.
        norm *= energy[:, np.minimum(n_query + shifts, longest)] - energy[:, first + shifts]
        np.sqrt(np.maximum(norm, 1.0, out=norm), out=norm)
        found = correlation[:, shifts]
        found /= norm
        np.copyto(found, -1.0, where=~counts)
        weight = np.sqrt(needed / self._overlap)
        return np.asarray(self._distinct(found) * weight, dtype=np.float32)

    def _distinct(self, found: Float) -> Float:
        """Return each row's maximum, lowered where other shifts than those of its peak are near."""
        rows, places = np.arange(len(found)), found.argmax(axis=1)
        best = found[rows, places]
        peak = places[:, None] + np.arange(-self._peak, self._peak + 1)
        others = found.copy()
        others[rows[:, None], np.clip(peak, 0, found.shape[1] - 1)] = -1.0
        lead = np.minimum(best, best - others.max(axis=1) + np.float32(SAME_RECORDING - DISTINCT))
        return np.asarray(np.where(best >= UNMISTAKABLE, best, lead), dtype=np.float32)


def _trimmed(packed: Fingerprint) -> NDArray[np.int8]:
    """Return a fingerprint's values without the zeros that `pack` and starter catalogues append."""
    values = unpack(packed)
    return values[:, : max(int(np.flatnonzero(values.any(axis=0)).max(initial=0)) + 1, 1)]


def _interpolate(values: Float, places: NDArray[np.float64]) -> Float:
    """Return the rows of ``values`` at fractional places; places beyond the ends give the ends."""
    places = np.clip(places, 0, len(values) - 1)
    low = np.minimum(places.astype(np.int64), max(len(values) - 2, 0))
    weight = (places - low).astype(np.float32)[:, None]
    high = np.minimum(low + 1, len(values) - 1)
    return np.asarray(values[low] * (1 - weight) + values[high] * weight, dtype=np.float32)


def _running_sum(values: Float) -> Float:
    """Return the sums of the first 0, 1, ... n values of each row, (rows, n + 1)."""
    return np.pad(np.cumsum(values, axis=1, dtype=np.float32), ((0, 0), (1, 0)))


def _fft_size(needed: int) -> int:
    """Return the smallest 2^k or 3 * 2^k that is at least ``needed``."""
    power = 1 << max(needed - 1, 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= needed else power


def _mel(hz: float) -> float:
    """Return a frequency in mel (Slaney's formula, librosa's default)."""
    return hz / (200 / 3) if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))


def _hz(mel: float) -> float:
    """Return a mel value in Hz, the inverse of `_mel`."""
    return mel * 200 / 3 if mel < 15 else 1000 * float(6.4 ** ((mel - 15) / 27))
