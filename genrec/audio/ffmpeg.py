"""Decode damaged files, and formats that libsndfile lacks or reads slowly, with FFmpeg (PyAV)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import BinaryIO

# Importing PyAV takes 80 ms, once per worker: too little for a late import.
import av
import av.container
import numpy as np

from genrec.audio.libsndfile import DecodePlan, RawAudio, Samples, mean_of_channels
from genrec.errors import UnreadableAudio, UnsupportedFormat

# The usual codecs of music and no others, as each is an attack surface; in FFmpeg's notation.
CODECS = (
    "aac,ac3,alac,eac3,flac,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,vorbis,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,"
    "pcm_f64be,pcm_u8,pcm_s8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav"
)
# Samples per block of `_mono_blocks`: small enough for the processor's cache.
BLOCK = 2**14
# A seek starts this much earlier, because the first milliseconds after a seek are wrong.
PREROLL_S = 0.1
# If a seek ends further before its target than this, the part there is decoded instead: decoding
# and discarding an hour would take seconds.
MAX_SKIP_S = 10.0
# Number of packets of a damaged stream that may fail to decode.
MAX_BAD_PACKETS = 100
# PyAV raises FFmpeg's errors as FFmpegError, and the others for errors of its own.
AV_ERRORS = (av.FFmpegError, ValueError, RuntimeError, OSError)


def decode_with_ffmpeg(file: BinaryIO, plan: DecodePlan, *, demuxer: str) -> RawAudio:
    """Return the planned part of a file, decoded by FFmpeg with one demuxer only.

    Parameters
    ----------
    file
        Open for reading, seekable.
    plan
        Checks the header and chooses the part.
    demuxer
        FFmpeg's name of the only demuxer that may read the file.

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
    try:
        with _open_container(file, demuxer) as container:
            return _decode_stream(container, plan)
    except AV_ERRORS as error:
        raise UnreadableAudio(
            "This file is damaged or incomplete: its header is invalid, or no audio follows. "
            "Download or export it again, or send another one."
        ) from error


class _NamelessFile:
    """File object without name and close(): PyAV would pass on the name and close the file."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _refuse_nested(*_: object) -> BinaryIO:
    """Raise PermissionError in place of opening a file that the decoded file refers to."""
    raise PermissionError("a sound file tried to open another one")


def _open_container(file: BinaryIO, demuxer: str) -> av.container.InputContainer:
    file.seek(0)
    return av.open(
        _NamelessFile(file),
        "r",
        format=demuxer,
        options={
            "format_whitelist": demuxer,
            "codec_whitelist": CODECS,
            "protocol_whitelist": "none",
        },
        metadata_errors="replace",  # tags are in any encoding
        buffer_size=65536,
        io_open=_refuse_nested,
    )


def _decode_stream(container: av.container.InputContainer, plan: DecodePlan) -> RawAudio:
    stream = _audio_stream(container)
    context = stream.codec_context
    context.thread_count = 1  # threads do not speed up audio
    duration_s = _duration(container, stream)
    start_s, length_s = plan(context.sample_rate, context.channels, duration_s)
    y, sr = _decode_part(container, stream, plan, start_s, length_s)
    expected_s = length_s if duration_s is None else min(length_s, duration_s - start_s)
    if start_s and y.size < 0.5 * expected_s * sr:
        # The file is shorter than its header states: decode it from its start.
        _seek(container, 0.0)
        from_start, sr = _decode_part(container, stream, plan, 0.0, length_s)
        y = max(y, from_start, key=len)
    # Headers are rounded and include padding: a complete file may lack 50 ms.
    complete = duration_s is None or y.size >= (expected_s - 0.05) * sr
    return RawAudio(y, sr, duration_s, complete)


def _audio_stream(container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio:
        raise UnreadableAudio(
            "This file has no audio, only pictures or data. Send a file with audio."
        )
    stream = container.streams.audio[0]
    context: av.AudioCodecContext | None = stream.codec_context  # None without a decoder
    if context is None or context.name not in CODECS.split(","):
        coding = f"coded as {context.name}" if context else "encrypted or in an unknown codec"
        raise UnsupportedFormat(
            f"The audio in this file is {coding}, which genrec does not read. "
            "Convert it to MP3, FLAC or WAV and send that."
        )
    return stream


def _duration(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    return seconds if seconds > 0 else None


def _decode_part(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    plan: DecodePlan,
    start_s: float,
    length_s: float,
) -> tuple[Samples, int]:
    """Return at most ``length_s`` of mono samples from ``start_s`` on, and their sample rate."""
    origin_s = float((stream.start_time or 0) * (stream.time_base or 1))
    if start_s:
        _seek(container, origin_s + max(0.0, start_s - PREROLL_S))
    frames = _frames(container, stream)
    first = next(frames, None)
    if first is None:
        return np.empty(0, np.float32), stream.codec_context.sample_rate
    sr = first.sample_rate
    plan(sr, first.layout.nb_channels, None)  # the first frame may differ from the header
    at_s = start_s if first.time is None else first.time - origin_s
    skip = round((start_s - at_s) * sr) if 0 < start_s - at_s <= MAX_SKIP_S else 0
    y = np.empty(skip + round(length_s * sr), np.float32)
    count = 0
    for block in _mono_blocks(itertools.chain([first], frames)):
        part = block[: y.size - count]
        y[count : count + part.size] = part
        count += part.size
        if count == y.size:
            break
    return y[skip:count], sr


def _seek(container: av.container.InputContainer, at_s: float) -> None:
    # A stream that cannot seek continues at its position: at worst another part is decoded.
    with contextlib.suppress(av.FFmpegError):
        container.seek(int(at_s * av.time_base))


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """Yield decoded frames; skip damaged packets, and stop where the container is damaged."""
    failed = 0
    try:
        for packet in container.demux(stream):
            try:
                yield from stream.decode(packet)
            except av.FFmpegError:
                failed += 1
                if failed > MAX_BAD_PACKETS:
                    return
    except AV_ERRORS:
        return


def _mono_blocks(frames: Iterator[av.AudioFrame]) -> Iterator[Samples]:
    """Yield mono samples, float32 (n,), in blocks; frame by frame would take twice as long."""
    fifo, first = av.AudioFifo(), None
    for frame in frames:
        shape = (frame.layout.nb_channels, frame.format.name, frame.sample_rate)
        first = first or shape
        if shape != first:
            # Only the frames before the change are used. The queue assumes a fixed number of
            # channels and reads beyond the memory of a frame that has fewer.
            break
        frame.pts = None  # the queue would raise on a gap
        fifo.write(frame)
        if fifo.samples >= BLOCK and (block := fifo.read()):
            yield _mono(block)
    if rest := fifo.read():
        yield _mono(rest)


def _mono(frame: av.AudioFrame) -> Samples:
    """Return the mean over a frame's channels, float32 (n,), with full scale at 1."""
    samples = frame.to_ndarray()
    channels = frame.layout.nb_channels
    planes = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    y = np.empty(planes.shape[1], np.float32)
    if planes.dtype.kind == "f":
        return mean_of_channels(planes, out=y)
    full_scale = 2.0 ** (8 * planes.dtype.itemsize - 1)
    mean_of_channels(planes.astype(np.float32), out=y)
    if planes.dtype.kind == "u":
        y -= np.float32(full_scale)
    y *= np.float32(1 / full_scale)
    return y
