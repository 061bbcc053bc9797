"""Synthetic audio for the tests: tones, the music of ``genrec demo``, and sound files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import numpy as np
import soundfile
import soxr

from bot.demo.clip_audio import STYLES, Samples, music

__all__ = ["STYLES", "WRITERS", "Samples", "music", "silence", "tone", "write"]


def tone(seconds: float, sr: int = 44100, frequency: float = 440.0, level: float = 0.5) -> Samples:
    """Return a sine, float32 (n,), whose peak is ``level``."""
    t = np.arange(round(seconds * sr)) / sr
    return np.asarray(level * np.sin(2 * np.pi * frequency * t), np.float32)


def silence(seconds: float, sr: int = 44100) -> Samples:
    """Return zeros, float32 (n,)."""
    return np.zeros(round(seconds * sr), np.float32)


def write_soundfile(path: Path, y: Samples, sr: int, *, container: str, subtype: str) -> None:
    """Write (n,) or (n, channels) in blocks: libsndfile's Vorbis encoder crashes on long ones."""
    y, sr = _at_opus_rate(y, sr) if subtype == "OPUS" else (y, sr)
    channels = 1 if y.ndim == 1 else y.shape[1]
    with soundfile.SoundFile(path, "w", sr, channels, format=container, subtype=subtype) as file:
        for start in range(0, len(y), 65536):
            file.write(y[start : start + 65536])


def write_av(
    file: Path | BinaryIO, y: Samples, sr: int, *, container: str, codec: str, title: str = ""
) -> None:
    """Write (n,) or (n, 2) with FFmpeg."""
    y, sr = _at_opus_rate(y, sr) if codec == "libopus" else (y, sr)
    with av.open(file, "w", format=container) as output:
        output.metadata["title"] = title
        stream = output.add_stream(codec, rate=sr, layout="mono" if y.ndim == 1 else "stereo")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.bit_rate = 192_000
        mux_sound(output, stream, y, sr)


def mux_sound(
    output: av.container.OutputContainer, stream: av.AudioStream, y: Samples, sr: int
) -> None:
    """Encode (n,) or (n, 2) into a stream of an open container."""
    planes = np.atleast_2d(y.T)
    for start in range(0, planes.shape[1], 4096):
        part = np.ascontiguousarray(planes[:, start : start + 4096])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.pts = sr, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _at_opus_rate(y: Samples, sr: int) -> tuple[Samples, int]:
    """Resample to 48 kHz, the only rate of Opus that is usual for music."""
    return (y if sr == 48000 else soxr.resample(y, sr, 48000)), 48000


def _with_soundfile(container: str, subtype: str) -> Callable[[Path, Samples, int], None]:
    return lambda path, y, sr: write_soundfile(path, y, sr, container=container, subtype=subtype)


def _with_av(container: str, codec: str) -> Callable[[Path, Samples, int], None]:
    return lambda path, y, sr: write_av(path, y, sr, container=container, codec=codec)


# One writer per format that genrec reads: name -> write(path, y, sr).
WRITERS: dict[str, Callable[[Path, Samples, int], None]] = {
    "wav": _with_soundfile("WAV", "PCM_16"),
    "wav-float": _with_soundfile("WAV", "FLOAT"),
    "aiff": _with_soundfile("AIFF", "PCM_16"),
    "flac": _with_soundfile("FLAC", "PCM_16"),
    "mp3": _with_soundfile("MP3", "MPEG_LAYER_III"),
    "ogg": _with_soundfile("OGG", "VORBIS"),
    "opus": _with_soundfile("OGG", "OPUS"),
    "m4a": _with_av("ipod", "aac"),
    "aac": _with_av("adts", "aac"),
    "webm": _with_av("webm", "libopus"),
    "mkv": _with_av("matroska", "aac"),
    "wma": _with_av("asf", "wmav2"),
    "wv": _with_av("wv", "wavpack"),
    "caf": _with_soundfile("CAF", "PCM_16"),
    "au": _with_soundfile("AU", "PCM_16"),
}


def write(path: Path, y: Samples, sr: int, kind: str | None = None) -> Path:
    """Write ``y`` as ``kind`` (a key of WRITERS; the suffix by default) and return ``path``."""
    WRITERS[kind or path.suffix[1:]](path, y, sr)
    return path
