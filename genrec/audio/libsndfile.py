"""What the two decoders have in common, and the first of them: libsndfile.

Neither is ever given a path: they read an open file, so that nothing in it can name another one.
What may be decoded, and which part, is asked of a `DecodePlan` as soon as the header is known.
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
# (sample rate, channels, seconds or None if unknown) -> (start, length) of the part to hear, in
# seconds. It raises what the user should read if the file is out of bounds.
DecodePlan = Callable[[int, int, float | None], tuple[float, float]]

# Frames decoded at a time, 2 MB of stereo. soundfile seeks after each read: in blocks of 16,384
# an MP3 takes 40 % longer.
BLOCK = 2**18
# libsndfile's length of a stream that does not say how long it is.
UNKNOWN_FRAMES = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class DecoderOutput:
    """What a decoder gave: the mean of the channels, at the file's own rate.

    Attributes
    ----------
    y
        float32 (n,), unchecked.
    rate
        Samples per second.
    duration_s
        Length of the file by its header; None where it does not say.
    complete
        False if the decoder failed, or the file ended before what its header promises.
    """

    y: Samples
    rate: int
    duration_s: float | None
    complete: bool


def decode_with_libsndfile(
    file: BinaryIO, plan: DecodePlan, *, check_end: bool
) -> DecoderOutput | None:
    """Decode the planned part of a file with libsndfile.

    Parameters
    ----------
    file
        An unbuffered file, open for reading.
    plan
        Judges the header and chooses the part.
    check_end
        Whether to see that the last sample can be decoded too. It costs 0.2 ms in a whole FLAC.

    Returns
    -------
    Heard or None
        None if libsndfile cannot open the file, or the file does not say how long it is.
    """
    file.seek(0)
    try:
        # By its descriptor a WAV is read in two thirds of the time that the file object takes.
        sound = soundfile.SoundFile(file.fileno(), closefd=False)
    except (soundfile.SoundFileError, RuntimeError):
        return None
    with sound:
        rate, frames = sound.samplerate, sound.frames
        known = 0 < frames < UNKNOWN_FRAMES
        start_s, length_s = plan(rate, sound.channels, frames / rate if known else None)
        if not known:
            return None
        start = round(start_s * rate)
        wanted = min(round(length_s * rate), frames - start)
        y = np.empty(wanted, np.float32)
        end = frames - 1 if check_end and start + wanted < frames else None
        got = _fill(sound, y, start, end)
        return DecoderOutput(y[:got], rate, frames / rate, complete=got == wanted)


def _fill(sound: soundfile.SoundFile, y: Samples, start: int, end: int | None) -> int:
    """Fill ``y`` from frame ``start``; return how many samples came, 0 if ``end`` is not there."""
    got = 0
    block = np.empty((BLOCK, sound.channels), np.float32)
    with contextlib.suppress(soundfile.SoundFileError, RuntimeError):  # what came before counts
        if end is not None:
            sound.seek(end)
            if len(sound.read(out=block[:1])) == 0:
                return 0
        if start or end is not None:
            sound.seek(start)
        while got < y.size:
            part = sound.read(out=block[: y.size - got])
            if len(part) == 0:
                break
            mean_of_channels(part.T, out=y[got : got + len(part)])
            got += len(part)
    return got


def mean_of_channels(planes: NDArray[Any], *, out: Samples) -> Samples:
    """Write the mean of planes (channels, n) into (n,), and return it."""
    # ``planes.mean(axis=0)`` takes 40 times as long.
    # 3e38 + 3e38 is Inf, and no warning: the samples are judged when all are there.
    with np.errstate(over="ignore", invalid="ignore"):
        out[:] = planes[0]
        for plane in planes[1:]:
            out += plane
        if len(planes) > 1:
            out *= np.float32(1 / len(planes))
    return out
