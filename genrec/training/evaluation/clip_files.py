"""Write samples to audio files as codecs, phones and editors do, for the robustness table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Float = NDArray[np.float32]
Edit = Callable[[Float, int], Float]
"""Function (samples (n,), sample rate) that returns changed samples, (n,) or (n, channels)."""
WriteClip = Callable[[Path, Float, int], None]
"""Function (path, samples (n,), sample rate) that writes changed samples to a file."""

BLOCK = 4096  # samples per write: libsndfile's Vorbis encoder crashes on long ones
NO_INFO_FRAME = {"write_xing": "0", "id3v2_version": "0"}
# Fragments of one second. The first one has no samples, as in files of browsers and phones.
FRAGMENTED = {"movflags": "empty_moov+default_base_moof", "frag_duration": "1000000"}


def unchanged(y: Float, sr: int) -> Float:  # noqa: ARG001
    """Return the samples."""
    return y


def with_libsndfile(container: str, subtype: str, edit: Edit = unchanged) -> WriteClip:
    """Return a function that writes samples with libsndfile, after ``edit``."""

    def write(path: Path, y: Float, sr: int) -> None:
        y = edit(y, sr)
        channels = 1 if y.ndim == 1 else y.shape[1]
        with soundfile.SoundFile(
            path, "w", sr, channels, format=container, subtype=subtype
        ) as file:
            for start in range(0, len(y), BLOCK):
                file.write(y[start : start + BLOCK])

    return write


def as_wav(edit: Edit) -> WriteClip:
    """Return a function that writes samples as a WAV of floats, after ``edit``."""
    return with_libsndfile("WAV", "FLOAT", edit)


def with_ffmpeg(
    container: str,
    codec: str,
    kbit_s: int,
    *,
    rate: int | None = None,
    edit: Edit = unchanged,
    options: Mapping[str, str] | None = None,
) -> WriteClip:
    """Return a function that writes samples with FFmpeg, after ``edit``.

    Parameters
    ----------
    container, codec, kbit_s
        FFmpeg's names of muxer and encoder, and the bit rate.
    rate
        Sample rate of the file in Hz; None keeps that of the samples.
    edit
        Change of the samples.
    options
        Options of the muxer.
    """

    def write(path: Path, y: Float, sr: int) -> None:
        y = edit(y, sr)
        if rate is not None:
            y, sr = np.asarray(soxr.resample(y, sr, rate), dtype=np.float32), rate
        layout, planes = ("mono" if y.ndim == 1 else "stereo"), np.atleast_2d(y.T)
        with av.open(path, "w", format=container, options=dict(options or {})) as output:
            stream = output.add_stream(codec, rate=sr, layout=layout)
            assert isinstance(stream, av.AudioStream)
            stream.codec_context.bit_rate = 1000 * kbit_s
            for start in range(0, planes.shape[1], BLOCK):
                part = np.ascontiguousarray(planes[:, start : start + BLOCK], dtype=np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = sr, start
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))

    return write


def at_16_khz(path: Path, y: Float, sr: int) -> None:
    """Write samples as 16-bit WAV at 16 kHz."""
    with_libsndfile("WAV", "PCM_16")(path, np.asarray(soxr.resample(y, sr, 16_000)), 16_000)


def telephone(path: Path, y: Float, sr: int) -> None:
    """Write samples in telephone quality: 300..3,400 Hz at 8 kHz in 8-bit mu law (ITU-T G.711)."""
    filtered = sosfilt(butter(4, (300, 3400), "bandpass", fs=sr, output="sos"), y)
    with_libsndfile("WAV", "ULAW")(path, np.asarray(soxr.resample(filtered, sr, 8_000)), 8_000)
