"""The door: a file of unknown origin becomes mono float32 at the preset's rate, or a sentence.

The rest of genrec trusts what `decode` returns: finite, audible, of a length worth hearing.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from genrec.audio import containers
from genrec.audio.ffmpeg import decode_with_ffmpeg
from genrec.audio.libsndfile import DecoderOutput, decode_with_libsndfile
from genrec.errors import (
    ClipTooLarge,
    ClipTooLong,
    ClipTooShort,
    FileMissing,
    SilentAudio,
    UnreadableAudio,
    UnsupportedFormat,
)
from genrec.types import HEARD_S

# Telephone to studio: libsndfile would also take 1 Hz and 4 GHz.
MIN_RATE, MAX_RATE = 8_000, 192_000
# 7.1 surround; libsndfile would also take 1,024.
MAX_CHANNELS = 8
# Float files may exceed full scale (1.0), but beyond +40 dB it is not a recording.
MAX_PEAK = 100.0
# -80 dB re full scale, without the mean: under the noise of any recording, above 16-bit dither.
SILENCE_RMS = 1e-4
# A file this little longer than what is heard is heard from its start: encoders pad, and AAC
# streams have an estimated length, so that each format of a clip would be heard elsewhere.
SLACK_S = 2.0

FORMATS = "WAV, FLAC, MP3, OGG, M4A, AAC, WebM or AIFF"


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """How much of a file is taken, and of which files.

    Attributes
    ----------
    max_bytes
        Size of the file. The default holds a whole CD as WAV.
    min_seconds
        What must be decoded at least.
    max_seconds
        Seconds heard of a longer file.
    start
        Which seconds: ``middle``, away from intros and fade-outs, or ``start``.
    max_duration_s
        Length of the whole file by its header, in seconds.
    """

    max_bytes: int = 2**30
    min_seconds: float = 1.0
    max_seconds: float = HEARD_S
    start: Literal["middle", "start"] = "middle"
    max_duration_s: float = 12 * 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The part of a file that is heard.

    Attributes
    ----------
    y
        float32 (n,), the mean of the channels; finite and not silent.
    sr
        Samples per second.
    duration_s
        Length of the whole file in seconds, as far as its header is to be believed.
    """

    y: NDArray[np.float32]
    sr: int
    duration_s: float


def decode(path: Path, *, sr: int, limits: AudioLimits | None = None) -> Decoded:
    """Decode the part of a file that is heard, as mono at ``sr``.

    Only the bytes of the file tell its format. Not more than ``limits.max_seconds`` are decoded,
    in blocks, however long the file is. A damaged file counts for what can be decoded of it, save
    a FLAC: its header says exactly what is missing, so an incomplete one is refused.

    Parameters
    ----------
    path
        A file on this machine.
    sr
        Sample rate wanted, in Hz.
    limits
        Bounds; the defaults where None.

    Returns
    -------
    Decoded
        float32 (n,), between ``limits.min_seconds`` and ``limits.max_seconds`` long.

    Raises
    ------
    FileMissing
        If there is no such file, or it is a folder, or it cannot be opened.
    ClipTooLarge, ClipTooLong
        If the file is over ``limits``.
    UnsupportedFormat
        If it is in no container or codec that genrec opens, or its rate or channels are not those
        of music.
    UnreadableAudio
        If it is empty or damaged, or its samples are not numbers.
    ClipTooShort
        If less than ``limits.min_seconds`` can be decoded.
    SilentAudio
        If there is nothing to hear.
    """
    limits = limits or AudioLimits()
    with _open(path, limits) as file:
        heard = _hear(file, limits)
    _check(heard, limits)
    y = heard.y if heard.rate == sr else soxr.resample(heard.y, heard.rate, sr, quality="HQ")
    return Decoded(y, sr, heard.duration_s or heard.y.size / heard.rate)


@contextmanager
def _open(path: Path, limits: AudioLimits) -> Iterator[BinaryIO]:
    """Open a regular file of an acceptable size, unbuffered."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileMissing(f'"{path.name}" is not a file. Name a sound file.')
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise FileMissing(
            f'There is no file "{path.name}". Check the name and the folder.'
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FileMissing(
            f'"{path.name}" cannot be opened. Check its name and whether you may read it.'
        ) from error
    with file:
        if status.st_size == 0:
            raise UnreadableAudio("This file is empty: it has 0 bytes. Save or send it again.")
        if status.st_size > limits.max_bytes:
            raise ClipTooLarge(
                f"This file has {status.st_size / 1e6:,.0f} MB; genrec takes up to "
                f"{limits.max_bytes / 1e6:,.0f} MB. Send a shorter clip, or an MP3 of it."
            )
        yield file


def _hear(file: BinaryIO, limits: AudioLimits) -> DecoderOutput:
    """Decode with whichever library reads this container best."""
    container = containers.sniff(file)
    if container is None:
        raise UnsupportedFormat(
            f"This file is {containers.describe(file)}. Send a sound file: {FORMATS}."
        )
    plan = partial(_plan, limits)
    flac = container is containers.FLAC
    heard = decode_with_libsndfile(file, plan, check_end=flac) if container.libsndfile else None
    if heard is None or not (heard.complete or flac):
        # FFmpeg gets further in damaged files, and knows rare codecs in a WAV.
        heard = decode_with_ffmpeg(file, plan, demuxer=container.demuxer)
    if flac and not heard.complete:
        raise UnreadableAudio(
            "This FLAC file is damaged or incomplete: not all of the "
            f"{heard.duration_s:.0f} s that its header promises can be decoded. "
            "Download or export it again."
        )
    return heard


def _plan(
    limits: AudioLimits, rate: int, channels: int, duration_s: float | None
) -> tuple[float, float]:
    """Judge a header, and return start and length in seconds of the part to hear."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedFormat(
            f"This file's sample rate is {rate:,} Hz; genrec takes {MIN_RATE // 1000} to "
            f"{MAX_RATE // 1000} kHz. Save it at 44.1 kHz and send that."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedFormat(
            f"This file has {channels:,} channels; genrec takes 1 to {MAX_CHANNELS}. "
            "Save it as stereo and send that."
        )
    if duration_s is None:
        return 0.0, limits.max_seconds
    if duration_s > limits.max_duration_s:
        raise ClipTooLong(
            f"This file says that it is {duration_s / 3600:,.1f} h long; genrec takes up to "
            f"{limits.max_duration_s / 3600:g} h. Cut out the part you want to ask about."
        )
    spare_s = duration_s - limits.max_seconds
    start_s = spare_s / 2 if limits.start == "middle" and spare_s > SLACK_S else 0.0
    return start_s, limits.max_seconds


def _check(heard: DecoderOutput, limits: AudioLimits) -> None:
    """Refuse what is too short, not numbers, or silent."""
    y = heard.y
    if y.size == 0:
        raise ClipTooShort(
            "No sound can be decoded from this file: it is empty or cut off. "
            "Download or export it again, or send another one."
        )
    seconds = y.size / heard.rate
    if seconds < limits.min_seconds:
        # Rounded down, or 0.999 s would read as long enough.
        words = f"{math.floor(100 * seconds) / 100:g} s"
        if heard.duration_s and heard.duration_s >= limits.min_seconds:
            raise ClipTooShort(
                f"Only {words} of this file can be decoded, though its header promises "
                f"{heard.duration_s:.0f} s: it is damaged or incomplete. Download or export it "
                "again."
            )
        raise ClipTooShort(
            f"This clip is {words} long; genrec needs at least {limits.min_seconds:g} s. "
            "Send a longer one."
        )
    if not max(float(y.max()), -float(y.min())) <= MAX_PEAK:  # so that NaN is refused too
        raise UnreadableAudio(
            "This file holds samples that are not sound: infinite, not a number, or far beyond "
            "full scale. Export it again, as 16-bit WAV, FLAC or MP3."
        )
    if float(y.std()) < SILENCE_RMS:
        raise SilentAudio(
            "There is nothing to hear in this clip: it is silent. Check that the recording "
            "worked, or send a part with music."
        )
