"""The listening stage: from decoded samples to those that sound, before any spectrogram.

    y -> without offset, infrasound and mains hum -> level curve -> sounding parts -> y

A clip may begin with silence, end in a quiet room, or carry a constant offset. None of it is music,
and all of it would change the spectrogram and its maximum. Each step can be called alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.errors import ClipTooShort, SilentAudio
from genrec.filters import STEPS_PER_S, block_length, remove_hum, remove_infrasound

Float = NDArray[np.float32]
Levels = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LOWEST_DB = -200.0  # level of a block of zeros

# A block sounds above both thresholds: re full scale, and relative to the clip's own loud parts.
FLOOR_DB, RANGE_DB = -75.0, 48.0
# The loud parts of a clip: this quantile of its levels.
LOUD_QUANTILE = 0.95
# A quiet room: steady, and this far below the loud parts.
ROOM_RANGE_DB, STEADY_DB = 20.0, 4.0
SMOOTHING_S, STEADY_S = 0.05, 1.0
# Pauses up to this belong to the music.
MAX_PAUSE_S = 0.8
# At the ends of a clip up to so much less than a removed hum is left.
HUM_REST_DB = 30.0
# A clip of 1 s may lose its silent ends.
MIN_SOUND_S = 0.5
# Shorter parts are clicks, unless nothing else sounds.
MIN_PART_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class SoundingAudio:
    """Samples of a clip that sound.

    Attributes
    ----------
    y
        float32 (n,), mono, without offset and infrasound; silent and quiet parts are cut out.
    parts
        (start, end) of each kept part in samples of the clip, in order.
    """

    y: Float
    parts: tuple[tuple[int, int], ...]


def listen(y: Float, sr: int) -> SoundingAudio:
    """Return the samples of a clip that sound.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.

    Raises
    ------
    SilentAudio
        No part of the clip sounds.
    ClipTooShort
        Less than `MIN_SOUND_S` sound.
    """
    step = block_length(sr)
    unfiltered_db = levels(_without_local_mean(y, step), step)
    with_hum = remove_infrasound(y, sr)
    y = remove_hum(with_hum, sr)
    # A filter rings into the silence around a sound. What is new after it is no sound, and neither
    # is what a removed hum leaves.
    hum_db = float(levels(with_hum - y, y.size)[0])
    levels_db = np.minimum(levels(y, step), unfiltered_db)
    levels_db[levels_db < hum_db - HUM_REST_DB] = _LOWEST_DB
    parts = sounding_parts(levels_db, 1 / STEPS_PER_S)
    if not parts:
        raise SilentAudio(
            "This clip is silent. Check that the recording worked, or send a part with music."
        )
    ends = [(start * step, min(end * step, y.size)) for start, end in parts]
    if parts[-1][1] >= y.size // step:
        ends[-1] = ends[-1][0], y.size
    sounding = np.concatenate([y[start:end] for start, end in ends])
    if sounding.size < MIN_SOUND_S * sr:
        raise ClipTooShort(
            f"Only {sounding.size / sr:.2f} s of this clip sound and the rest is silent; genrec"
            " needs at least 1 s of music. Send a longer part."
        )
    return SoundingAudio(sounding, tuple(ends))


def _without_local_mean(y: Float, step: int) -> Float:
    """Return samples minus the mean of the 50 ms around each block: a filter of short memory."""
    count = y.size // step
    if count < 2:
        return np.asarray(y - y.mean(), dtype=np.float32)
    means = y[: count * step].reshape(count, step).mean(axis=1)
    local = _moving_mean(means, max(1, round(SMOOTHING_S * STEPS_PER_S))).astype(np.float32)
    blocks = y[: count * step].reshape(count, step)
    return np.asarray((blocks - local[:, np.newaxis]).ravel(), dtype=np.float32)


def parts_in_file(
    decoded: Sequence[tuple[float, float]], sounding: Sequence[tuple[int, int]], sr: int
) -> tuple[tuple[float, float], ...]:
    """Return where the samples that sound lie in their file.

    Parameters
    ----------
    decoded
        (start, end) in seconds of the file of each decoded stretch, in the order of the samples.
    sounding
        (start, end) of each part that sounds, in samples: ``SoundingAudio.parts``.
    sr
        Samples per second.

    Returns
    -------
    (start, end) in seconds of the file, in order; stretches that touch are joined
    """
    found: list[tuple[float, float]] = []
    before_s = 0.0
    for start_s, end_s in decoded:
        for first, last in sounding:
            a = max(start_s, start_s + first / sr - before_s)
            b = min(end_s, start_s + last / sr - before_s)
            if b - a < 1e-3:
                continue
            if found and a - found[-1][1] < 1 / STEPS_PER_S:
                found[-1] = found[-1][0], b
            else:
                found.append((a, b))
        before_s += end_s - start_s
    return tuple((round(a, 3), round(b, 3)) for a, b in found)


def levels(y: Float, step: int) -> Levels:
    """Return the level curve: dB re full scale of each whole block of ``step`` samples, RMS.

    Returns
    -------
    float32 (n // step,), at least one block; -200 for zeros
    """
    count = max(y.size // step, 1)
    blocks = np.resize(y, step) if y.size < step else y[: count * step]
    blocks = blocks.reshape(count, -1)
    power = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float32) / blocks.shape[1]
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (_LOWEST_DB / 10))), dtype=np.float32)


def sounding_parts(levels_db: Levels, step_s: float) -> list[tuple[int, int]]:
    """Return the parts of a level curve that sound, as (start, end) in blocks.

    A block sounds if it is at least -75 dB re full scale and at most 48 dB below the clip's loud
    parts. A steady level 20 dB or more below them is a quiet room. Pauses up to 0.8 s stay.

    Parameters
    ----------
    levels_db
        float32 (blocks,), from `levels`.
    step_s
        Seconds per block.

    Returns
    -------
    Parts in order; empty if nothing sounds
    """
    width = max(1, round(SMOOTHING_S / step_s))
    smooth = _smoothed(levels_db, width)
    loud = float(np.quantile(smooth, LOUD_QUANTILE))
    loud = max(loud, float(smooth.max()) - 12.0)  # a short sound in a long silence
    threshold = max(FLOOR_DB, loud - RANGE_DB)
    mask = smooth > threshold
    mask &= ~(_steady(smooth, max(2, round(STEADY_S / step_s))) & (smooth < loud - ROOM_RANGE_DB))
    parts = _joined(_runs(mask), round(MAX_PAUSE_S / step_s))
    clear = levels_db > loud - ROOM_RANGE_DB
    parts = [_trimmed(part, clear, levels_db > threshold, width) for part in parts]
    long = [(a, b) for a, b in parts if b - a >= MIN_PART_S / step_s]
    return long or parts


def _trimmed(part: tuple[int, int], clear: Mask, above: Mask, width: int) -> tuple[int, int]:
    """Return a part without the blocks at its ends that only the smoothing raised."""
    start, end = part
    inside = np.flatnonzero(above[start:end])
    if inside.size == 0:
        return part
    start, end = start + int(inside[0]), start + int(inside[-1]) + 1
    # Beside a quiet room the smoothing also adds up to `width` blocks of the room.
    first, last = clear[start : start + width], clear[max(start, end - width) : end][::-1]
    skip_start = int(np.argmax(first)) if first.any() else 0
    skip_end = int(np.argmax(last)) if last.any() else 0
    return start + skip_start, end - skip_end


def _smoothed(levels_db: Levels, width: int) -> Levels:
    """Return the level of the mean power over ``width`` blocks around each block."""
    power = 10 ** (levels_db.astype(np.float64) / 10)
    mean = _moving_mean(power, min(width, levels_db.size))
    return np.asarray(10 * np.log10(np.maximum(mean, 10 ** (_LOWEST_DB / 10))), dtype=np.float32)


def _moving_mean(x: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """Return the mean over ``width`` values around each value; the ends are repeated."""
    sums = np.cumsum(np.pad(x, (width // 2 + 1, width), mode="edge"), dtype=np.float64)
    return (sums[width:] - sums[:-width])[: x.size] / width


def _steady(smooth: Levels, width: int) -> Mask:
    """Return whether the level around a block stays within `STEADY_DB` for ``width`` blocks."""
    width = min(width, smooth.size)
    hop = max(1, width // 8)
    starts = np.arange(0, smooth.size - width + 1, hop)
    views = np.lib.stride_tricks.sliding_window_view(smooth, width)[starts, :: max(1, width // 40)]
    steady = np.quantile(views, 0.9, axis=1) - np.quantile(views, 0.1, axis=1) < STEADY_DB
    mask = np.zeros(smooth.size, dtype=bool)
    for start in starts[steady]:
        mask[start : start + width] = True
    if steady[-1]:
        mask[starts[-1] :] = True
    return mask


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Return (start, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _joined(parts: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Return parts with those joined that are at most ``gap`` apart."""
    joined: list[tuple[int, int]] = []
    for start, end in parts:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
