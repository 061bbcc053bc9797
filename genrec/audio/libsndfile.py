"""Decode with libsndfile; also the types that it shares with the FFmpeg decoder.

Both decoders read an open file and get no path, so that a file cannot refer to another one. A
`DecodePlan` checks the header and chooses the part to decode.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
# (sample rate, channels, seconds or None if unknown) -> (start, length) of the part to decode, in
# seconds. It raises InputRefused if the header is outside the limits.
DecodePlan = Callable[[int, int, float | None], tuple[float, float]]

# Frames per read, 2 MB of stereo. soundfile seeks after each read, so with blocks of 16,384 an MP3
# takes 40 % longer.
BLOCK = 2**18
# libsndfile's length of a stream of unknown length.
UNKNOWN_FRAMES = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class RawAudio:
    """Unchecked samples at the file's own sample rate.

    Attributes
    ----------
    y
        float32 (n,), the mean of the channels.
    sr
        Samples per second.
    duration_s
        Length of the file in seconds according to its header; None if unknown.
    complete
        False if the decoder failed, or the file is shorter than its header states.
    """

    y: Samples
    sr: int
    duration_s: float | None
    complete: bool


def decode_with_libsndfile(file: BinaryIO, plan: DecodePlan, *, check_end: bool) -> RawAudio | None:
    """Return the planned part of a file, decoded by libsndfile.

    Parameters
    ----------
    file
        An unbuffered file, open for reading.
    plan
        Checks the header and chooses the part.
    check_end
        Also check that the last sample can be decoded, which takes 0.2 ms in a whole FLAC.

    Returns
    -------
    RawAudio or None
        None if libsndfile cannot open the file, or its length is unknown.
    """
    file.seek(0)
    try:
        # Reading a WAV by its descriptor takes two thirds of the time of the file object.
        sound = soundfile.SoundFile(file.fileno(), closefd=False)
    except (soundfile.SoundFileError, RuntimeError):
        return None
    with sound:
        sr, frames = sound.samplerate, sound.frames
        known = 0 < frames < UNKNOWN_FRAMES
        start_s, length_s = plan(sr, sound.channels, frames / sr if known else None)
        if not known:
            return None
        start = round(start_s * sr)
        count = min(round(length_s * sr), frames - start)
        y = np.empty(count, np.float32)
        end = frames - 1 if check_end and start + count < frames else None
        decoded = _fill(sound, y, start, end)
        return RawAudio(y[:decoded], sr, frames / sr, complete=decoded == count)


def _fill(sound: soundfile.SoundFile, y: Samples, start: int, end: int | None) -> int:
    """Decode into ``y`` from frame ``start``; return the frame count, 0 if ``end`` is missing."""
    count = 0
    block = np.empty((BLOCK, sound.channels), np.float32)
    with contextlib.suppress(soundfile.SoundFileError, RuntimeError):  # earlier blocks count
        if end is not None:
            sound.seek(end)
            if len(sound.read(out=block[:1])) == 0:
                return 0
        if start or end is not None:
            sound.seek(start)
        while count < y.size:
            part = sound.read(out=block[: y.size - count])
            if len(part) == 0:
                break
            mean_of_channels(part.T, out=y[count : count + len(part)])
            count += len(part)
    return count


def mean_of_channels(planes: NDArray[Any], *, out: Samples) -> Samples:
    """Write the mean over the channels of ``planes`` (channels, n) to ``out`` (n,); return it."""
    # ``planes.mean(axis=0)`` takes 40 times as long.
    # An overflow becomes inf without a warning; `decode` checks the samples at the end.
    with np.errstate(over="ignore", invalid="ignore"):
        out[:] = planes[0]
        for plane in planes[1:]:
            out += plane
        if len(planes) > 1:
            out *= np.float32(1 / len(planes))
    return out
