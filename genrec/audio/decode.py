"""Decode a sound file to mono float32 at a given sample rate, within limits of size and length.

The samples that `decode` returns are finite, not silent and long enough. For any other file it
raises an `InputRefused` with a sentence for the user.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from genrec.audio import containers, kinds
from genrec.audio.chain import decode_chain
from genrec.audio.ffmpeg import FfmpegSource, decode_with_ffmpeg
from genrec.audio.libsndfile import decode_with_libsndfile
from genrec.audio.limits import DecodeLimits, check_duration, check_format
from genrec.audio.mpeg_length import EstimatedLength
from genrec.audio.ogg import chained_links
from genrec.audio.readers import RawAudio, SoundReader
from genrec.audio.section import SectionReader
from genrec.audio.sounding import read_middle, read_start
from genrec.audio.views import FileView
from genrec.errors import (
    ClipTooLarge,
    ClipTooShort,
    SilentAudio,
    UnreadableAudio,
    UnsupportedFormat,
)
from genrec.files import check_regular, open_errors

# Float files may exceed full scale (1.0), but no recording exceeds it by 40 dB.
MAX_PEAK = 100.0
# -80 dB re full scale, without the mean: below the noise of recordings, above 16-bit dither.
SILENCE_RMS = 1e-4
# A file that exceeds the limit by at most this is decoded from its start. Encoders pad, and the
# length of AAC streams is estimated: otherwise each format of a clip would begin elsewhere.
SLACK_S = 2.0

FORMATS = kinds.format_names("or")


@dataclass(frozen=True, slots=True, eq=False)
class DecodedAudio:
    """Samples of the decoded part of a file, checked and resampled.

    Attributes
    ----------
    y
        float32 (n,), the mean of the channels, or what carries the music where they cancel each
        other (`channels.ChannelStats`); finite and not silent.
    sr
        Samples per second.
    duration_s
        Length of the whole file in seconds according to its header, which may be wrong.
    stream, streams
        Number of the decoded audio stream, from 1, and the number of audio streams.
    parts
        Where the samples lie in the file or its section, as (start, end) in seconds, in order.
    """

    y: NDArray[np.float32]
    sr: int
    duration_s: float
    stream: int = 1
    streams: int = 1
    parts: tuple[tuple[float, float], ...] = ()


def decode(path: Path, *, sr: int, limits: DecodeLimits | None = None) -> DecodedAudio:
    """Decode at most ``limits.max_seconds`` of a file to mono at ``sr``.

    The format is detected from the bytes of the file alone. Decoding works in blocks, so memory and
    time are bounded for a file of any length. For a damaged file, the decodable part is returned.
    An incomplete FLAC is refused, because its header states the exact length.

    Parameters
    ----------
    path
        A file on this machine.
    sr
        Sample rate of the result, in Hz.
    limits
        Limits; None for the defaults.

    Returns
    -------
    DecodedAudio
        Between ``limits.min_seconds`` and ``limits.max_seconds`` long.

    Raises
    ------
    FileMissing
        The file does not exist, is not a regular file or cannot be opened.
    ClipTooLarge, ClipTooLong
        The file exceeds ``limits``.
    UnsupportedFormat
        The container, codec, sample rate or number of channels is not supported.
    UnreadableAudio
        The file is empty or damaged, or has samples that are not finite.
    ClipTooShort
        Less than ``limits.min_seconds`` can be decoded.
    SilentAudio
        The decoded part is silent.
    """
    limits = limits or DecodeLimits()
    with _open(path, limits) as file:
        raw = _decode_raw(file, limits)
    _check(raw, limits)
    y = raw.y if raw.sr == sr else soxr.resample(raw.y, raw.sr, sr, quality="HQ")
    duration_s = raw.duration_s or raw.y.size / raw.sr
    return DecodedAudio(y, sr, duration_s, raw.stream, raw.streams, raw.parts)


@contextmanager
def _open(path: Path, limits: DecodeLimits) -> Iterator[BinaryIO]:
    """Yield a regular file within the size limit, open for reading and unbuffered."""
    with open_errors(path):
        status = path.stat()
        check_regular(path, status.st_mode)
        file = path.open("rb", buffering=0)
    with file:
        if status.st_size == 0:
            raise UnreadableAudio("This file is empty: it has 0 bytes. Save or send it again.")
        if status.st_size > limits.max_bytes:
            raise ClipTooLarge(
                f"This file has {status.st_size / 1e6:,.0f} MB; genrec takes up to "
                f"{limits.max_bytes / 1e6:,.0f} MB. Send a shorter clip, or an MP3 of it."
            )
        yield file


def _decode_raw(file: BinaryIO, limits: DecodeLimits) -> RawAudio:
    """Return the decoded part, from libsndfile if it is fast and complete, else from FFmpeg."""
    sniffed = containers.sniff(file)
    if sniffed is None:
        raise UnsupportedFormat(
            f"This file is {containers.describe(file)}. Send a sound file: {FORMATS}."
        )
    container, start = sniffed.container, sniffed.start
    if containers.has_too_many_chunks(file, container, start):
        raise UnreadableAudio(
            f"This file has more than {containers.MAX_CHUNKS:,} parts, as no recording has. "
            "Export it again or send another one."
        )
    plan = partial(_read, limits)
    if container.kind is kinds.OGG and (links := chained_links(file, start)):
        return decode_chain(file, links, plan)
    estimated = containers.estimated_length(file, sniffed)
    flac = container.kind is kinds.FLAC
    raw = None
    # libsndfile decodes no more than the stated length of an MP3.
    if container.libsndfile and estimated is None:
        source = FileView(file, start) if start else file
        raw = decode_with_libsndfile(source, plan, check_end=flac)
    if container.demuxer and (raw is None or not (raw.complete or flac)):
        # FFmpeg decodes more of damaged files, and rare codecs in a WAV.
        raw = decode_with_ffmpeg(_source(file, sniffed, estimated), plan)
    if raw is None:
        raise UnreadableAudio(
            "This MP3 is damaged: none of its frames can be decoded. Export it again."
        )
    if flac and not raw.complete:
        raise UnreadableAudio(
            "This FLAC file is damaged or incomplete: not all of the "
            f"{raw.duration_s:.0f} s in its header can be decoded. "
            "Download or export it again."
        )
    return raw


def _source(
    file: BinaryIO, sniffed: containers.Sniffed, estimated: EstimatedLength | None
) -> FfmpegSource:
    """Return a file for FFmpeg, without a wrong statement of its length."""
    if estimated is None:
        return FfmpegSource(FileView(file, sniffed.start), sniffed.container.demuxer)
    view = FileView(file, sniffed.start, hidden=estimated.wrong)
    return FfmpegSource(view, sniffed.container.demuxer, estimated.seconds)


def _read(limits: DecodeLimits, reader: SoundReader) -> RawAudio:
    """Check a header against the limits, then choose the part to decode and decode it."""
    check_format(reader.sr, reader.channels)
    if reader.duration_s is not None:
        check_duration(reader.duration_s, limits)
    if limits.section is not None:
        reader = SectionReader(reader, limits.section)
    duration_s, length_s = reader.duration_s, limits.max_seconds
    if duration_s is None:
        y, sr, parts = read_start(reader, length_s)
        return RawAudio(y, sr, None, complete=True, parts=parts)
    if limits.start == "middle" and duration_s - length_s > SLACK_S:
        y, sr, complete, parts = read_middle(reader, duration_s, length_s)
        return RawAudio(y, sr, duration_s, complete, parts=parts)
    y, sr = reader.read(0.0, length_s)
    complete = y.size >= (min(length_s, duration_s) - reader.tolerance_s) * sr
    return RawAudio(y, sr, duration_s, complete, parts=((0.0, y.size / sr),))


def _check(raw: RawAudio, limits: DecodeLimits) -> None:
    """Raise InputRefused if the samples are too few, not finite, beyond `MAX_PEAK` or silent."""
    y = raw.y
    if y.size == 0:
        raise ClipTooShort(
            "No sound can be decoded from this file: it is empty or cut off. "
            "Download or export it again, or send another one."
        )
    seconds = y.size / raw.sr
    if seconds < limits.min_seconds:
        # Rounded down, or 0.999 s would be shown as 1 s.
        length = f"{math.floor(100 * seconds) / 100:g} s"
        if raw.duration_s and raw.duration_s >= limits.min_seconds:
            raise ClipTooShort(
                f"Only {length} of this file can be decoded, of {raw.duration_s:.0f} s in its "
                "header: it is damaged or incomplete. Download or export it again."
            )
        raise ClipTooShort(
            f"This clip is {length} long; genrec needs at least {limits.min_seconds:g} s. "
            "Send a longer one."
        )
    if not max(float(y.max()), -float(y.min())) <= MAX_PEAK:  # false for NaN as well
        raise UnreadableAudio(
            "This file holds samples that are not sound: infinite, not a number, or far beyond "
            "full scale. Export it again, as 16-bit WAV, FLAC or MP3."
        )
    if float(y.std()) < SILENCE_RMS:
        raise SilentAudio(
            "This clip is silent. Check that the recording worked, or send a part with music."
        )
