"""Choose the part of a long file that is decoded: from the middle of what sounds, across gaps.

A song with all probes sounding is decoded from its middle. Other files, such as a song, minutes of
silence and a hidden track, are sketched: short probes find the stretches that sound, and bisection
their ends. So only a bounded number of short probes is decoded besides the result. A live recording
of unknown length is read from its start until enough sounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genrec.audio.levels import MIN_GAP_S, PROBE_S, Silence, frame_levels, level_db
from genrec.audio.readers import Samples, SoundReader, join_parts

# (start, end) in seconds.
Stretch = tuple[float, float]
# Start in seconds, samples and their rate.
Piece = tuple[float, Samples, int]

# Probes of a file that sounds throughout, and of one in which a probe is silent.
PROBES, CLOSE_PROBES = 6, 32
# All probes of one file, those of the bisection included.
MAX_PROBES = 150
# If less sounds, so much before and after each stretch is decoded too, in seconds.
SHORT_S, MARGIN_S = 3.0, 1.5
# How often parts are chosen anew because a gap was found in them.
ROUNDS = 3
# Stretches of a file of unknown length that are read until enough sounds.
MAX_STRETCHES = 20


def read_middle(
    reader: SoundReader, duration_s: float, length_s: float
) -> tuple[Samples, int, bool, tuple[Stretch, ...]]:
    """Return at most ``length_s`` from the middle of what sounds in a longer file.

    Parameters
    ----------
    reader
        The open file.
    duration_s
        Its length according to its header, in seconds; more than ``length_s``.
    length_s
        Number of seconds that are returned, or less where less sounds.

    Returns
    -------
    y, sr, complete, parts
        float32 (n,) samples, their rate, whether all of the chosen parts could be decoded, and
        where they lie in the file, as (start, end) in seconds.
    """
    start_s = (duration_s - length_s) / 2
    y, sr = reader.read(start_s, length_s)
    if y.size < 0.5 * length_s * sr:
        # The file is shorter than its header states: decode it from its start.
        from_start = reader.read(0.0, length_s)
        if from_start[0].size > y.size:
            (y, sr), start_s = from_start, 0.0
        return y, sr, False, (_stretch(start_s, y, sr),)
    complete = y.size >= (length_s - reader.tolerance_s) * sr
    sketch = Sketch(reader, duration_s, (start_s, y, sr))
    gaps = sketch.gaps()
    middle = (_stretch(start_s, y, sr),)
    if not gaps:
        return y, sr, complete, middle
    parts: list[Stretch] = []
    pieces: list[Piece] = []
    for _ in range(ROUNDS):
        parts = middle_of(_widened(_without([(0.0, duration_s)], gaps), duration_s), length_s)
        pieces = [(start, *reader.read(start, end - start)) for start, end in parts]
        found = [gap for piece in pieces for gap in sketch.gaps_in(*piece)]
        if not found:
            break
        gaps = [*gaps, *found]
    if not parts:
        return y, sr, complete, middle
    return _joined(parts, pieces, gaps, reader.tolerance_s)


def _stretch(start_s: float, y: Samples, sr: int) -> Stretch:
    return start_s, start_s + y.size / sr


def read_start(reader: SoundReader, length_s: float) -> tuple[Samples, int, tuple[Stretch, ...]]:
    """Return the first ``length_s`` that sound in a file of unknown length.

    Parameters
    ----------
    reader
        The open file.
    length_s
        Number of seconds that are returned, or less where less sounds.

    Returns
    -------
    y, sr, parts
        As of `read_middle`.
    """
    first, rate = reader.read(0.0, length_s)
    y, sr, left_s = first, rate, length_s
    parts: list[tuple[Samples, int]] = []
    places: list[Stretch] = []
    for index in range(1, MAX_STRETCHES + 1):
        levels = frame_levels(y, sr)
        gaps = Silence.of(levels).gaps_in(levels)
        for a, b in _without([(0.0, y.size / sr)], gaps):
            parts.append((y[round(a * sr) : round(min(b, a + left_s) * sr)], sr))
            places.append(_stretch((index - 1) * length_s + a, *parts[-1]))
            left_s -= parts[-1][0].size / sr
        if left_s < PROBE_S or y.size < (length_s - PROBE_S) * sr:
            break
        y, sr = reader.read(index * length_s, length_s)
    found_s = length_s - left_s
    if found_s < SHORT_S:
        return first, rate, (_stretch(0.0, first, rate),)
    return *join_parts(parts), tuple(places)


class Sketch:
    """Levels of short probes of a file, and the stretches that do not sound.

    Parameters
    ----------
    reader, duration_s
        The file and its length in seconds.
    middle
        Start in seconds, samples and rate of a part that was decoded already.
    """

    def __init__(self, reader: SoundReader, duration_s: float, middle: Piece) -> None:
        self._reader, self._duration_s = reader, duration_s
        self._middle_s, self._middle = middle[0], frame_levels(*middle[1:])
        self._left = MAX_PROBES
        self._silence = Silence()

    def gaps(self) -> list[Stretch]:
        """Return the stretches of at least `MIN_GAP_S` that do not sound, in order.

        An empty list is returned for a file in which nothing sounds.
        """
        levels = self._levels()
        low = [at_s for at_s, level in levels.items() if level < self._silence.steady_db]
        throughout = all(self._sounds(at_s - MIN_GAP_S / 2) for at_s in low)
        inside = self._shifted(self._middle, self._middle_s)
        if throughout and not inside:
            return []
        sounds = self._close_look()
        times = sorted(sounds)
        if not any(sounds.values()):
            return []
        ends = [
            self._first_sound(a, b) if sounds[b] else self._last_sound(a, b)
            for a, b in pairwise(times)
            if sounds[a] != sounds[b]
        ]
        edges = [0.0, *ends, self._duration_s]
        silent = not sounds[times[0]]
        gaps = [edge for index, edge in enumerate(pairwise(edges)) if (index % 2 == 0) == silent]
        return [gap for gap in gaps if gap[1] - gap[0] >= MIN_GAP_S] + inside

    def gaps_in(self, start_s: float, y: Samples, sr: int) -> list[Stretch]:
        """Return the stretches of decoded samples that do not sound, in seconds of the file."""
        return self._shifted(frame_levels(y, sr), start_s)

    def _shifted(self, levels: NDArray[np.float64], start_s: float) -> list[Stretch]:
        return [(start_s + a, start_s + b) for a, b in self._silence.gaps_in(levels)]

    def _levels(self) -> dict[float, float]:
        """Return the levels at `PROBES` even times, and set the levels of silence from them."""
        levels: dict[float, float] = {}
        for index in range(PROBES):
            at_s = (index + 0.5) * self._duration_s / PROBES
            frame = math.floor((at_s - self._middle_s) / PROBE_S)
            if 0 <= frame < self._middle.size:
                levels[at_s] = float(self._middle[frame])
            else:
                self._left -= 1
                levels[at_s] = level_db(self._reader.probe(at_s, PROBE_S, exact=False)[0])
        self._silence = Silence.of([*levels.values(), self._middle_db()])
        return levels

    def _middle_db(self) -> float:
        """Return the level that a tenth of the decoded part exceeds."""
        ordered = np.sort(self._middle)
        return float(ordered[9 * ordered.size // 10]) if ordered.size else -math.inf

    def _close_look(self) -> dict[float, bool]:
        """Return whether the file sounds at many times; the decoded middle needs no probes."""
        end_s = self._middle_s + self._middle.size * PROBE_S
        sounds: dict[float, bool] = {}
        for index in range(CLOSE_PROBES):
            at_s = (index + 0.5) * self._duration_s / CLOSE_PROBES
            if not self._middle_s <= at_s <= end_s:
                sounds[at_s] = self._sounds(at_s - MIN_GAP_S / 2)
        silent = self._silence.mask(self._middle)
        step = round(MIN_GAP_S / PROBE_S)
        for first in range(0, silent.size - step + 1, step):
            at_s = self._middle_s + (first + step / 2) * PROBE_S
            sounds[at_s] = not silent[first : first + step].all()
        return sounds

    def _sounds(self, start_s: float) -> bool:
        """Return whether anything sounds in the `MIN_GAP_S` from a time on."""
        self._left -= 1
        start_s = max(start_s, PROBE_S)
        levels = frame_levels(*self._reader.probe(start_s, MIN_GAP_S, exact=True))
        return not self._silence.mask(levels).all()

    def _last_sound(self, a: float, b: float) -> float:
        """Return where sound ends between a time with sound and one without, by bisection."""
        while b - a > PROBE_S and self._left > 0:
            between = (a + b) / 2
            a, b = (between, b) if self._sounds(between) else (a, between)
        return b

    def _first_sound(self, a: float, b: float) -> float:
        """Return where sound begins between a time without sound and one with it."""
        while b - a > PROBE_S and self._left > 0:
            between = (a + b) / 2
            a, b = (a, between) if self._sounds(between - MIN_GAP_S) else (between, b)
        return a


def middle_of(stretches: list[Stretch], length_s: float) -> list[Stretch]:
    """Return the middle ``length_s`` of stretches, as parts of them.

    Parameters
    ----------
    stretches
        In order, without overlap.
    length_s
        Number of seconds that the parts have together, or less where the stretches have less.
    """
    total_s = sum(end - start for start, end in stretches)
    skip_s, left_s = max(0.0, (total_s - length_s) / 2), length_s
    parts = []
    for start, end in stretches:
        first = min(end, start + skip_s)
        skip_s -= first - start
        last = min(end, first + left_s)
        left_s -= last - first
        if last > first:
            parts.append((first, last))
    return parts


def _without(stretches: list[Stretch], gaps: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches without the gaps."""
    left = stretches
    for low, high in gaps:
        cut = [pair for a, b in left for pair in ((a, min(b, low)), (max(a, high), b))]
        left = [(a, b) for a, b in cut if b > a]
    return left


def _widened(stretches: list[Stretch], duration_s: float) -> list[Stretch]:
    """Return stretches with a margin if they have less than `SHORT_S` together."""
    if sum(b - a for a, b in stretches) >= SHORT_S:
        return stretches
    wide: list[Stretch] = []
    for a, b in stretches:
        first = max(a - MARGIN_S, wide[-1][1] if wide else 0.0)
        wide.append((first, min(b + MARGIN_S, duration_s)))
    return wide


def _joined(
    parts: list[Stretch], pieces: list[Piece], gaps: list[Stretch], tolerance_s: float
) -> tuple[Samples, int, bool, tuple[Stretch, ...]]:
    """Return the pieces without the gaps as one, and the rest as `read_middle` does."""
    kept = _without(parts, gaps)
    if sum(b - a for a, b in kept) < SHORT_S:
        kept = parts
    cut: list[tuple[Samples, int]] = []
    places: list[Stretch] = []
    complete = True
    for (start, end), (_, y, sr) in zip(parts, pieces, strict=True):
        complete &= y.size + 1 >= (end - start - tolerance_s) * sr
        for a, b in kept:
            if start <= a < end:
                cut.append((y[round((a - start) * sr) : round((b - start) * sr)], sr))
                places.append(_stretch(a, *cut[-1]))
    return *join_parts(cut), complete, tuple(places)
