"""Files that must not get past the door: damaged, disguised, lying, or without sound."""

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
class Bomb:
    """A file, the error it must end in, and words that its sentence must hold."""

    name: str
    content: Callable[[], bytes]
    error: type[InputRefused]
    says: str

    def plant(self, folder: Path) -> Path:
        """Write the file and return its path."""
        path = folder / self.name
        path.write_bytes(self.content())
        return path


def wav(
    samples: Samples | bytes, *, rate: int = SR, channels: int = 1, claim: int | None = None
) -> bytes:
    """Return a WAV with any header: 16 bit PCM for bytes, float for an array."""
    data = samples if isinstance(samples, bytes) else samples.astype("<f4").tobytes()
    code, bits = (1, 16) if isinstance(samples, bytes) else (3, 32)
    size = len(data) if claim is None else claim
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
    """Return a whole FLAC with music."""
    return encoded("FLAC", music(1, seconds, SR))


def flac_claiming(frames: int, content: bytes | None = None) -> bytes:
    """Return a FLAC whose header says that it has so many frames; 0 is "unknown"."""
    data = bytearray(content or flac())
    # STREAMINFO begins at 8; its 36 bit count of samples ends at byte 26.
    data[21] = data[21] & 0xF0 | frames >> 32
    data[22:26] = (frames & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(data)


def with_hole(data: bytes, size: int = 3000) -> bytes:
    """Return ``data`` with zeros in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(size) + data[middle + size :]


def id3(size: int = 5000) -> bytes:
    """Return an ID3v2 tag with ``size`` bytes in it."""
    syncsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + syncsafe + bytes(size)


def with_av(container: str, codec: str, y: Samples, sr: int = SR, title: str = "") -> bytes:
    """Return the bytes of ``y`` in a format of FFmpeg."""
    buffer = io.BytesIO()
    write_av(buffer, y, sr, container=container, codec=codec, title=title)
    return buffer.getvalue()


def video(sound: Samples | None = None, sr: int = SR) -> bytes:
    """Return a Matroska with two seconds of pictures, and sound where given."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        pictures = file.add_stream("mpeg4", rate=25)
        assert isinstance(pictures, av.VideoStream)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        voice = None if sound is None else file.add_stream("aac", rate=sr, layout="mono")
        for i in range(50):
            picture = np.full((64, 64, 3), 5 * i, np.uint8)
            file.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(pictures.encode(None))
        if sound is not None:
            assert isinstance(voice, av.AudioStream)
            mux_sound(file, voice, sound, sr)
    return buffer.getvalue()


def _with_one(value: float) -> Samples:
    y = tone(2, SR)
    y[SR] = value
    return y


def _constant(value: float) -> Samples:
    return np.full(2 * SR, value, np.float32)


PCM = b"\x00\x10\x00\xf0" * 8000

BOMBS = (
    Bomb("empty.wav", lambda: b"", UnreadableAudio, "0 bytes"),
    Bomb("text.mp3", lambda: b"hello world\n" * 1000, UnsupportedFormat, "text and not sound"),
    Bomb("tagged-text.mp3", lambda: id3() + b"hello " * 999, UnsupportedFormat, "no sound format"),
    Bomb("huge-tag.mp3", lambda: id3(2**20)[:5000], UnsupportedFormat, "no sound format"),
    Bomb("concat.wav", lambda: b"ffconcat version 1.0\nfile sound.wav\n", UnsupportedFormat,
         "a playlist"),
    Bomb("hls.wav", lambda: b"#EXTM3U\n#EXTINF:10,\nsound.wav\n#EXT-X-ENDLIST\n",
         UnsupportedFormat, "a playlist"),
    Bomb("hls-http.mp3", lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n",
         UnsupportedFormat, "a playlist"),
    Bomb("notes.wav", lambda: b"MThd\0\0\0\6\0\1\0\1\0`", UnsupportedFormat, "a MIDI file"),
    Bomb("zeros.mp3", lambda: bytes(9000), UnsupportedFormat, "no sound format"),
    Bomb("no-samples.wav", lambda: wav(b""), ClipTooShort, "empty or cut off"),
    Bomb("one-sample.wav", lambda: wav(b"\0\1"), ClipTooShort, "needs at least 1 s"),
    Bomb("short.wav", lambda: wav(tone(0.3, SR)), ClipTooShort, "is 0.3 s long"),
    Bomb("almost.wav", lambda: wav(tone(0.9999, SR)), ClipTooShort, "is 0.99 s long"),
    Bomb("silent.wav", lambda: wav(silence(2, SR)), SilentAudio, "nothing to hear"),
    Bomb("constant.wav", lambda: wav(_constant(0.5)), SilentAudio, "nothing to hear"),
    Bomb("nan.wav", lambda: wav(_constant(np.nan)), UnreadableAudio, "not a number"),
    Bomb("one-nan.wav", lambda: wav(_with_one(np.nan)), UnreadableAudio, "not a number"),
    Bomb("inf.wav", lambda: wav(_constant(np.inf)), UnreadableAudio, "infinite"),
    Bomb("minus-inf.wav", lambda: wav(_with_one(-np.inf)), UnreadableAudio, "infinite"),
    Bomb("huge.wav", lambda: wav(_constant(3e38)), UnreadableAudio, "far beyond"),
    Bomb("huge-stereo.wav", lambda: wav(_constant(3e38), channels=2), UnreadableAudio,
         "far beyond"),
    Bomb("0hz.wav", lambda: wav(PCM, rate=0), UnreadableAudio, "its header makes no sense"),
    Bomb("1hz.wav", lambda: wav(PCM, rate=1), UnsupportedFormat, "1 Hz"),
    Bomb("200khz.wav", lambda: wav(PCM, rate=200_000), UnsupportedFormat, "8 to 192 kHz"),
    Bomb("1ghz.wav", lambda: wav(PCM, rate=10**9), UnsupportedFormat, "8 to 192 kHz"),
    Bomb("4ghz.wav", lambda: wav(PCM, rate=4 * 10**9), UnreadableAudio, "makes no sense"),
    Bomb("9-channels.wav", lambda: wav(PCM, channels=9), UnsupportedFormat, "has 9 channels"),
    Bomb("1024-channels.wav", lambda: wav(PCM, channels=1024), UnsupportedFormat,
         "has 1,024 channels"),
    Bomb("65535-channels.wav", lambda: wav(PCM, channels=65535), InputRefused, "genrec takes"),
    Bomb("claims-4gb.wav", lambda: wav(PCM[:10000], claim=0xFFFFFFF0), ClipTooShort, "0.22 s"),
    Bomb("only-a-head.flac", lambda: flac()[:60], UnreadableAudio, "damaged or incomplete"),
    Bomb("cut-short.flac", lambda: flac()[: len(flac()) // 10], UnreadableAudio,
         "incomplete: not all of the 4 s"),
    Bomb("cut-in-half.flac", lambda: flac()[: len(flac()) // 2], UnreadableAudio,
         "incomplete: not all of the 4 s"),
    Bomb("cut-at-the-end.flac", lambda: flac()[:-500], UnreadableAudio,
         "incomplete: not all of the 4 s"),
    Bomb("cut-behind-what-is-heard.flac", lambda: flac(40)[:-9000], UnreadableAudio,
         "incomplete: not all of the 40 s"),
    Bomb("hole.flac", lambda: with_hole(flac()), UnreadableAudio, "damaged"),
    Bomb("claims-double.flac", lambda: flac_claiming(8 * SR), UnreadableAudio,
         "not all of the 8 s"),
    Bomb("claims-weeks.flac", lambda: flac_claiming(2**36 - 1), ClipTooLong, "865.7 h"),
    Bomb("cut-short.mp3", lambda: encoded("MP3", music(1, 4, SR))[:3000], ClipTooShort, "Only 0."),
    Bomb("cut-short.ogg", lambda: encoded("OGG", music(1, 4, SR))[:3000], UnreadableAudio,
         "damaged or incomplete"),
    Bomb("only-a-head.webm", lambda: with_av("webm", "libopus", tone(2, SR))[:300],
         InputRefused, "Download or export it again"),
    Bomb("cut.m4a", lambda: with_av("ipod", "aac", tone(4, SR))[:5000], UnreadableAudio,
         "damaged or incomplete"),
    Bomb("pictures.webm", video, UnreadableAudio, "holds no sound"),
    Bomb("yamaha.wav", lambda: with_av("wav", "adpcm_yamaha", tone(2, SR)),
         UnsupportedFormat, "coded as adpcm_yamaha"),
)  # fmt: skip


def silent_flac(path: Path, hours: float) -> Path:
    """Write hours of silence, 8 kHz mono: 24 h take 2.3 MB, and 2.8 GB decoded."""
    minute = np.zeros(60 * 8000, np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(round(60 * hours)):
            file.write(minute)
    return path


def sound_beside(folder: Path) -> Path:
    """Write ``sound.wav``, which the playlists name: who follows them, hears it."""
    return write(folder / "sound.wav", tone(3, SR), SR)
