"""The other decoder, FFmpeg through PyAV: for what libsndfile cannot read, or only slowly."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import BinaryIO

# PyAV costs an import 80 ms, once a worker: too little to hide the import in a function.
import av
import av.container
import numpy as np

from genrec.audio.libsndfile import DecodePlan, DecoderOutput, Samples, mean_of_channels
from genrec.errors import UnreadableAudio, UnsupportedFormat

# Every codec that music comes in, and no other, as each can be attacked; FFmpeg's notation.
CODECS = (
    "aac,ac3,alac,eac3,flac,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,vorbis,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,"
    "pcm_f64be,pcm_u8,pcm_s8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav"
)
# Samples gathered before NumPy averages them: small enough to stay in the processor's cache.
BLOCK = 2**14
# A decoder needs what came just before, or its first milliseconds are wrong.
PREROLL_S = 0.1
# Where a seek lands further before its target than this, what is there is heard instead: an hour
# decoded to be thrown away costs seconds.
MAX_SKIP_S = 10.0
# A damaged stream may have this many packets that do not decode before it is given up.
MAX_BAD_PACKETS = 100
# PyAV raises FFmpeg's errors as its own, and these for what it finds wrong itself.
AV_ERRORS = (av.FFmpegError, ValueError, RuntimeError, OSError)


def decode_with_ffmpeg(file: BinaryIO, plan: DecodePlan, *, demuxer: str) -> DecoderOutput:
    """Decode the planned part of a file with FFmpeg's ``demuxer`` and no other.

    Parameters
    ----------
    file
        Open for reading, seekable.
    plan
        Judges the header and chooses the part.
    demuxer
        FFmpeg's name of the container.

    Raises
    ------
    UnreadableAudio
        If FFmpeg finds no sound in the file.
    UnsupportedFormat
        If the sound is in a codec that is not in `CODECS`.
    """
    try:
        with _open_container(file, demuxer) as container:
            return _hear_stream(container, plan)
    except AV_ERRORS as error:
        raise UnreadableAudio(
            "This file is damaged or incomplete: its header makes no sense, or no sound follows. "
            "Download or export it again, or send another one."
        ) from error


class _Nameless:
    """A file without a name: PyAV would hand FFmpeg the name of a file, and close it."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _refuse_nested(*_: object) -> BinaryIO:
    raise PermissionError("a sound file tried to open another one")


def _open_container(file: BinaryIO, demuxer: str) -> av.container.InputContainer:
    file.seek(0)
    return av.open(
        _Nameless(file),
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


def _hear_stream(container: av.container.InputContainer, plan: DecodePlan) -> DecoderOutput:
    stream = _sound_stream(container)
    context = stream.codec_context
    context.thread_count = 1  # threads do not speed up audio, and a worker has one core
    duration_s = _duration(container, stream)
    start_s, length_s = plan(context.sample_rate, context.channels, duration_s)
    y, rate = _hear_part(container, stream, plan, start_s, length_s)
    promised_s = length_s if duration_s is None else min(length_s, duration_s - start_s)
    if start_s and y.size < 0.5 * promised_s * rate:
        # The header promised more than there is: what there is counts, from its start.
        _seek(container, 0.0)
        from_start, rate = _hear_part(container, stream, plan, 0.0, length_s)
        y = max(y, from_start, key=len)
    # Headers round, and count what encoders pad: 50 ms may be missing of a whole file.
    complete = duration_s is None or y.size >= (promised_s - 0.05) * rate
    return DecoderOutput(y, rate, duration_s, complete)


def _sound_stream(container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio:
        raise UnreadableAudio(
            "This file holds no sound, only pictures or data. Send one that can be heard."
        )
    stream = container.streams.audio[0]
    context: av.AudioCodecContext | None = stream.codec_context  # None without a decoder
    if context is None or context.name not in CODECS.split(","):
        name = context.name if context else "something encrypted or unknown"
        raise UnsupportedFormat(
            f"The sound in this file is coded as {name}, which genrec does not read. "
            "Convert it to MP3, FLAC or WAV and send that."
        )
    return stream


def _duration(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    return seconds if seconds > 0 else None


def _hear_part(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    plan: DecodePlan,
    start_s: float,
    length_s: float,
) -> tuple[Samples, int]:
    """Return the mean of the channels from ``start_s`` on, and its sample rate."""
    origin_s = float((stream.start_time or 0) * (stream.time_base or 1))
    if start_s:
        _seek(container, origin_s + max(0.0, start_s - PREROLL_S))
    frames = _frames(container, stream)
    first = next(frames, None)
    if first is None:
        return np.empty(0, np.float32), stream.codec_context.sample_rate
    rate = first.sample_rate
    plan(rate, first.layout.nb_channels, None)  # the sound itself: the header may have lied
    at_s = start_s if first.time is None else first.time - origin_s
    skip = round((start_s - at_s) * rate) if 0 < start_s - at_s <= MAX_SKIP_S else 0
    y = np.empty(skip + round(length_s * rate), np.float32)
    got = 0
    for block in _mono_blocks(itertools.chain([first], frames)):
        part = block[: y.size - got]
        y[got : got + part.size] = part
        got += part.size
        if got == y.size:
            break
    return y[skip:got], rate


def _seek(container: av.container.InputContainer, at_s: float) -> None:
    # What cannot seek goes on from where it is: at worst that is another part of the file.
    with contextlib.suppress(av.FFmpegError):
        container.seek(int(at_s * av.time_base))


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """Yield what can be decoded: past damaged packets, up to damage of the container."""
    bad = 0
    try:
        for packet in container.demux(stream):
            try:
                yield from stream.decode(packet)
            except av.FFmpegError:
                bad += 1
                if bad > MAX_BAD_PACKETS:
                    return
    except AV_ERRORS:
        return


def _mono_blocks(frames: Iterator[av.AudioFrame]) -> Iterator[Samples]:
    """Yield the mean of the channels in blocks; frame by frame, NumPy costs as much again."""
    fifo, first = av.AudioFifo(), None
    for frame in frames:
        kind = (frame.layout.nb_channels, frame.format.name, frame.sample_rate)
        first = first or kind
        if kind != first:
            # What came before the change counts. Not to be left to the queue: it trusts that the
            # number of channels stays, and reads beyond the memory of a frame that has fewer.
            break
        frame.pts = None  # the queue would insist on a stream without gaps
        fifo.write(frame)
        if fifo.samples >= BLOCK and (block := fifo.read()):
            yield _mono(block)
    if rest := fifo.read():
        yield _mono(rest)


def _mono(frame: av.AudioFrame) -> Samples:
    """Return the mean of a frame's channels, full scale at 1."""
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
