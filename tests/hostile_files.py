"""Files that genrec must refuse: damaged, disguised, with wrong headers, or without audio."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from genrec.errors import (
    ClipTooLong,
    ClipTooShort,
    InputRefused,
    SilentAudio,
    UnreadableAudio,
    UnsupportedFormat,
)
from tests.synth import Samples, music, mux_sound, silence, tone, write, write_av

SR = 22050


@dataclass(frozen=True)
class HostileFile:
    """A file, its error, and words of the error's sentence."""

    name: str
    content: Callable[[], bytes]
    error: type[InputRefused]
    message: str

    def write(self, folder: Path) -> Path:
        """Write the file and return its path."""
        path = folder / self.name
        path.write_bytes(self.content())
        return path


def wav(
    samples: Samples | bytes, *, rate: int = SR, channels: int = 1, data_size: int | None = None
) -> bytes:
    """Return a WAV with the given header: 16-bit PCM for bytes, float for an array."""
    data = samples if isinstance(samples, bytes) else samples.astype("<f4").tobytes()
    code, bits = (1, 16) if isinstance(samples, bytes) else (3, 32)
    size = len(data) if data_size is None else data_size
    align = channels * bits // 8 & 0xFFFF
    byte_rate = rate * align & 0xFFFFFFFF
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + size, 2**32 - 1))
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, code, channels, rate, byte_rate, align, bits)
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def encoded(kind: str, y: Samples, sr: int = SR) -> bytes:
    """Return the bytes of ``y`` in a format of soundfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, y, sr, format=kind)
    return buffer.getvalue()


def flac(seconds: float = 4.0) -> bytes:
    """Return a complete FLAC with music."""
    return encoded("FLAC", music(1, seconds, SR))


def flac_with_length(frames: int, content: bytes | None = None) -> bytes:
    """Return a FLAC with the given number of frames in its header; 0 means unknown."""
    data = bytearray(content or flac())
    # STREAMINFO begins at byte 8; its 36-bit number of samples ends at byte 26.
    data[21] = data[21] & 0xF0 | frames >> 32
    data[22:26] = (frames & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(data)


def with_hole(data: bytes, size: int = 3000) -> bytes:
    """Return ``data`` with zeros in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(size) + data[middle + size :]


def id3(size: int = 5000) -> bytes:
    """Return an ID3v2 tag with ``size`` bytes of content."""
    syncsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + syncsafe + bytes(size)


def with_av(container: str, codec: str, y: Samples, sr: int = SR, title: str = "") -> bytes:
    """Return the bytes of ``y`` in a format of FFmpeg."""
    buffer = io.BytesIO()
    write_av(buffer, y, sr, container=container, codec=codec, title=title)
    return buffer.getvalue()


def video(sound: Samples | None = None, sr: int = SR) -> bytes:
    """Return a Matroska file with two seconds of video, and audio if given."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        video_stream = file.add_stream("mpeg4", rate=25)
        assert isinstance(video_stream, av.VideoStream)
        video_stream.width, video_stream.height, video_stream.pix_fmt = 64, 64, "yuv420p"
        audio_stream = None if sound is None else file.add_stream("aac", rate=sr, layout="mono")
        for i in range(50):
            image = np.full((64, 64, 3), 5 * i, np.uint8)
            file.mux(video_stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video_stream.encode(None))
        if sound is not None:
            assert isinstance(audio_stream, av.AudioStream)
            mux_sound(file, audio_stream, sound, sr)
    return buffer.getvalue()


def _with_one(value: float) -> Samples:
    y = tone(2, SR)
    y[SR] = value
    return y


def _constant(value: float) -> Samples:
    return np.full(2 * SR, value, np.float32)


PCM = b"\x00\x10\x00\xf0" * 8000

_FILES = (
    ("empty.wav", lambda: b"", UnreadableAudio, "0 bytes"),
    ("text.mp3", lambda: b"hello world\n" * 1000, UnsupportedFormat, "text and not audio"),
    ("tagged-text.mp3", lambda: id3() + b"hello " * 999, UnsupportedFormat, "no audio format"),
    ("huge-tag.mp3", lambda: id3(2**20)[:5000], UnsupportedFormat, "no audio format"),
    ("concat.wav", lambda: b"ffconcat version 1.0\nfile sound.wav\n", UnsupportedFormat,
     "a playlist"),
    ("hls.wav", lambda: b"#EXTM3U\n#EXTINF:10,\nsound.wav\n#EXT-X-ENDLIST\n",
     UnsupportedFormat, "a playlist"),
    ("hls-http.mp3", lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n",
     UnsupportedFormat, "a playlist"),
    ("notes.wav", lambda: b"MThd\0\0\0\6\0\1\0\1\0`", UnsupportedFormat, "a MIDI file"),
    ("zeros.mp3", lambda: bytes(9000), UnsupportedFormat, "no audio format"),
    ("no-samples.wav", lambda: wav(b""), ClipTooShort, "empty or cut off"),
    ("one-sample.wav", lambda: wav(b"\0\1"), ClipTooShort, "needs at least 1 s"),
    ("short.wav", lambda: wav(tone(0.3, SR)), ClipTooShort, "is 0.3 s long"),
    ("almost.wav", lambda: wav(tone(0.9999, SR)), ClipTooShort, "is 0.99 s long"),
    ("silent.wav", lambda: wav(silence(2, SR)), SilentAudio, "is silent"),
    ("constant.wav", lambda: wav(_constant(0.5)), SilentAudio, "is silent"),
    ("nan.wav", lambda: wav(_constant(np.nan)), UnreadableAudio, "not a number"),
    ("one-nan.wav", lambda: wav(_with_one(np.nan)), UnreadableAudio, "not a number"),
    ("inf.wav", lambda: wav(_constant(np.inf)), UnreadableAudio, "infinite"),
    ("minus-inf.wav", lambda: wav(_with_one(-np.inf)), UnreadableAudio, "infinite"),
    ("huge.wav", lambda: wav(_constant(3e38)), UnreadableAudio, "far beyond"),
    ("huge-stereo.wav", lambda: wav(_constant(3e38), channels=2), UnreadableAudio,
     "far beyond"),
    ("0hz.wav", lambda: wav(PCM, rate=0), UnreadableAudio, "its header is invalid"),
    ("1hz.wav", lambda: wav(PCM, rate=1), UnsupportedFormat, "1 Hz"),
    ("200khz.wav", lambda: wav(PCM, rate=200_000), UnsupportedFormat, "8 to 192 kHz"),
    ("1ghz.wav", lambda: wav(PCM, rate=10**9), UnsupportedFormat, "8 to 192 kHz"),
    ("4ghz.wav", lambda: wav(PCM, rate=4 * 10**9), UnreadableAudio, "header is invalid"),
    ("9-channels.wav", lambda: wav(PCM, channels=9), UnsupportedFormat, "has 9 channels"),
    ("1024-channels.wav", lambda: wav(PCM, channels=1024), UnsupportedFormat,
     "has 1,024 channels"),
    ("65535-channels.wav", lambda: wav(PCM, channels=65535), InputRefused, "genrec takes"),
    ("claims-4gb.wav", lambda: wav(PCM[:10000], data_size=0xFFFFFFF0), ClipTooShort, "0.22 s"),
    ("only-a-head.flac", lambda: flac()[:60], UnreadableAudio, "damaged or incomplete"),
    ("cut-short.flac", lambda: flac()[: len(flac()) // 10], UnreadableAudio,
     "incomplete: not all of the 4 s"),
    ("cut-in-half.flac", lambda: flac()[: len(flac()) // 2], UnreadableAudio,
     "incomplete: not all of the 4 s"),
    ("cut-at-the-end.flac", lambda: flac()[:-500], UnreadableAudio,
     "incomplete: not all of the 4 s"),
    ("cut-after-the-decoded-part.flac", lambda: flac(40)[:-9000], UnreadableAudio,
     "incomplete: not all of the 40 s"),
    ("hole.flac", lambda: with_hole(flac()), UnreadableAudio, "damaged"),
    ("claims-double.flac", lambda: flac_with_length(8 * SR), UnreadableAudio,
     "not all of the 8 s"),
    ("claims-weeks.flac", lambda: flac_with_length(2**36 - 1), ClipTooLong, "865.7 h"),
    ("cut-short.mp3", lambda: encoded("MP3", music(1, 4, SR))[:3000], ClipTooShort, "Only 0."),
    ("cut-short.ogg", lambda: encoded("OGG", music(1, 4, SR))[:3000], UnreadableAudio,
     "damaged or incomplete"),
    ("only-a-head.webm", lambda: with_av("webm", "libopus", tone(2, SR))[:300],
     InputRefused, "Download or export it again"),
    ("cut.m4a", lambda: with_av("ipod", "aac", tone(4, SR))[:5000], UnreadableAudio,
     "damaged or incomplete"),
    ("video-only.webm", video, UnreadableAudio, "has no audio"),
    ("yamaha.wav", lambda: with_av("wav", "adpcm_yamaha", tone(2, SR)),
     UnsupportedFormat, "coded as adpcm_yamaha"),
)  # fmt: skip

HOSTILE_FILES = tuple(HostileFile(*fields) for fields in _FILES)


def silent_flac(path: Path, hours: float) -> Path:
    """Write hours of silence as 8 kHz mono FLAC: 24 h are 2.3 MB, and 2.8 GB decoded."""
    minute = np.zeros(60 * 8000, np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(round(60 * hours)):
            file.write(minute)
    return path


def sound_beside(folder: Path) -> Path:
    """Write ``sound.wav``, to which the playlists refer."""
    return write(folder / "sound.wav", tone(3, SR), SR)
