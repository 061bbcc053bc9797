"""Decode damaged files, and formats that libsndfile lacks or reads slowly, with FFmpeg (PyAV)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

# Importing PyAV takes 80 ms, once per worker: too little for a late import.
import av
import av.container
from av.stream import Discard, Disposition

from genrec.audio.blocks import MonoCollector
from genrec.audio.channels import MEAN
from genrec.audio.levels import FLOOR_DB, loud_second_db
from genrec.audio.readers import ByteSource, RawAudio, ReadPlan, Samples
from genrec.errors import InputRefused, UnreadableAudio, UnsupportedFormat

# The usual codecs of music and no others, as each is an attack surface; in FFmpeg's notation.
CODECS = (
    "aac,ac3,alac,eac3,flac,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,vorbis,wavpack,wmav1,wmav2,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,"
    "pcm_f64be,pcm_u8,pcm_s8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav"
)
# A seek starts this much earlier, because the first milliseconds after a seek are wrong.
PREROLL_S = 0.1
# If a seek ends further before its target than this, the part there is decoded instead: decoding
# and discarding an hour would take seconds.
MAX_SKIP_S = 10.0
# Number of packets of a damaged stream that may fail to decode.
MAX_BAD_PACKETS = 100
# Audio streams that are tried until one has sound. Screen recorders write up to six.
MAX_STREAMS = 8
# PyAV raises FFmpeg's errors as FFmpegError, and the others for errors of its own.
AV_ERRORS = (av.FFmpegError, ValueError, RuntimeError, OSError)


@dataclass(frozen=True, slots=True)
class FfmpegSource:
    """A file for FFmpeg.

    Attributes
    ----------
    file
        A `views.FileView`: PyAV would pass on the name of a file, and close it.
    demuxer
        FFmpeg's name of the only demuxer that may read the file.
    seconds
        Length of the file if it is known better than from its header.
    """

    file: ByteSource
    demuxer: str
    seconds: float | None = None


class FfmpegReader:
    """`SoundReader` of one audio stream of a file; a context manager.

    Parameters
    ----------
    source
        The file.
    number
        Index among the file's audio streams; None for the first that `_order` returns.
    """

    def __init__(self, source: FfmpegSource, number: int | None = None) -> None:
        self._source = source
        self._at_start = True
        self._origin_s = 0.0
        self._container = _open_container(source)
        try:
            self.order = _order(self._container)
            self.streams = len(self._container.streams.audio)
            self.number = self.order[0] if number is None else number
            self._choose()
        except BaseException:
            self._container.close()
            raise
        self.sr: int = self._stream.codec_context.sample_rate
        self.channels: int = self._stream.codec_context.channels
        self.duration_s = source.seconds or _duration(self._container, self._stream)
        # Headers are rounded and include padding: a complete file may lack 50 ms.
        self.tolerance_s = 0.05

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        """Return at most ``length_s`` of mono samples from ``start_s`` on, and their rate.

        A change of the sample rate or the number of channels in mid-stream is followed: the samples
        have the rate that most of them were recorded at.
        """
        return self._mixed(start_s, length_s, MAX_SKIP_S)

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        """Return some mono samples at a time, and their rate.

        A seek in a Matroska file ends at its index, up to ten seconds earlier. Unless ``exact``,
        the samples there are returned, since decoding up to the time is slow.
        """
        return self._mixed(at_s, length_s, MAX_SKIP_S if exact else 1.5 * PREROLL_S)

    def _mixed(self, start_s: float, length_s: float, max_skip_s: float) -> tuple[Samples, int]:
        collector = self._collect(MonoCollector(start_s, length_s, max_skip_s, MEAN))
        mix = collector.stats.mix()
        if mix is not MEAN:
            collector = self._collect(MonoCollector(start_s, length_s, max_skip_s, mix))
        return collector.samples(default_rate=self.sr)

    def _collect(self, collector: MonoCollector) -> MonoCollector:
        if collector.start_s:
            self._seek(self._origin_s + max(0.0, collector.start_s - PREROLL_S))
        elif not self._at_start:
            # After a seek to 0, FFmpeg leaves out the first packets of some files.
            self._container.close()
            self._container = _open_container(self._source)
            self._choose()
        self._at_start = False
        for frame in self._frames():
            at_s = None if frame.time is None else frame.time - self._origin_s
            if not collector.add(frame, at_s):
                break
        collector.finish()
        return collector

    def _choose(self) -> None:
        """Read the stream of the open container from its start, and no other stream."""
        self._stream = self._container.streams.audio[self.number]
        self._stream.codec_context.thread_count = 1  # threads do not speed up audio
        for other in self._container.streams:
            other.discard = Discard.default if other is self._stream else Discard.all
        self._origin_s = float((self._stream.start_time or 0) * (self._stream.time_base or 1))
        self._at_start = True

    def _seek(self, at_s: float) -> None:
        # A stream that cannot seek continues at its position: at worst another part is decoded.
        with contextlib.suppress(av.FFmpegError):
            self._container.seek(int(at_s * av.time_base))

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Yield decoded frames; skip damaged packets, and stop where the container is damaged."""
        failed = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from self._stream.decode(packet)
                except av.FFmpegError:
                    failed += 1
                    if failed > MAX_BAD_PACKETS:
                        return
        except AV_ERRORS:
            return


def decode_with_ffmpeg(source: FfmpegSource, plan: ReadPlan) -> RawAudio:
    """Return the planned part of a file, decoded by FFmpeg with one demuxer only.

    Of several audio streams, those marked as default are tried before the others, each kind in the
    order of the file. The first one counts that sounds for a second or more, else the loudest one.

    Parameters
    ----------
    source
        The file.
    plan
        Checks the header, chooses the part and reads it.

    Returns
    -------
    RawAudio
        Its samples may be empty if no packet can be decoded.

    Raises
    ------
    UnreadableAudio
        FFmpeg finds no audio in the file.
    UnsupportedFormat
        The codec is not in `CODECS`.
    """
    with av_errors():
        first, order = _decode_stream(source, plan, None)
        tried = [first]
        for number in order[1:]:
            if loud_second_db(tried[-1].y, tried[-1].sr) > FLOOR_DB:
                return tried[-1]
            with contextlib.suppress(InputRefused):  # a stream that is refused has no sound
                tried.append(_decode_stream(source, plan, number)[0])
        if len(tried) == 1:
            return first
        return max(tried, key=lambda raw: loud_second_db(raw.y, raw.sr))


@contextlib.contextmanager
def av_errors() -> Iterator[None]:
    """Turn FFmpeg's and PyAV's errors into UnreadableAudio."""
    try:
        yield
    except AV_ERRORS as error:
        raise UnreadableAudio(
            "This file is damaged or incomplete: its header is invalid, or no audio follows. "
            "Download or export it again, or send another one."
        ) from error


def _refuse_nested(*_: object) -> ByteSource:
    """Raise PermissionError in place of opening a file that the decoded file refers to."""
    raise PermissionError("a sound file tried to open another one")


def _open_container(source: FfmpegSource) -> av.container.InputContainer:
    source.file.seek(0)
    return av.open(
        source.file,
        "r",
        format=source.demuxer,
        options={
            "format_whitelist": source.demuxer,
            "codec_whitelist": CODECS,
            "protocol_whitelist": "none",
        },
        metadata_errors="replace",  # tags are in any encoding
        buffer_size=65536,
        io_open=_refuse_nested,
    )


def _decode_stream(
    source: FfmpegSource, plan: ReadPlan, number: int | None
) -> tuple[RawAudio, list[int]]:
    """Return the planned part of one stream, and the indexes of the streams to try in order."""
    with FfmpegReader(source, number) as reader:
        raw = replace(plan(reader), stream=reader.number + 1, streams=reader.streams)
        return raw, reader.order


def _order(container: av.container.InputContainer) -> list[int]:
    """Return the indexes of the readable audio streams, those marked as default first."""
    streams = container.streams.audio
    if not streams:
        raise UnreadableAudio(
            "This file has no audio, only pictures or data. Send a file with audio."
        )
    names = [_codec_name(stream) for stream in streams]
    known = [number for number, name in enumerate(names) if name in CODECS.split(",")]
    if not known:
        coding = f"coded as {names[0]}" if names[0] else "encrypted or in an unknown codec"
        raise UnsupportedFormat(
            f"The audio in this file is {coding}, which genrec does not read. "
            "Convert it to MP3, FLAC or WAV and send that."
        )
    default = [n for n in known if streams[n].disposition & Disposition.default]
    return [*default, *(n for n in known if n not in default)][:MAX_STREAMS]


def _codec_name(stream: av.AudioStream) -> str | None:
    """Return FFmpeg's name of a stream's codec; None if FFmpeg has no decoder for it."""
    context: av.AudioCodecContext | None = stream.codec_context
    return None if context is None else context.name


def _duration(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    return seconds if seconds > 0 else None
