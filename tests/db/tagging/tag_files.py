"""Sound files with tags for the tests: written by FFmpeg, or made byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import av

from tests.synth import mux_sound, tone, write

RECORDING = "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
RELEASE = "0da340a0-6ad7-4fc2-a272-6f94393a7831"
ARTIST = "65f4f0c5-ef9e-490c-aee3-909e7ae6b2ab"


def with_ffmpeg(
    path: Path, container: str, codec: str, *, seconds: float = 0.5, **tags: str
) -> Path:
    """Write a tone with FFmpeg and its tags."""
    sr = 48000 if codec == "libopus" else 44100
    options = {"write_apetag": "1"} if container == "adts" else {}
    with av.open(path, "w", format=container, options=options) as output:
        output.metadata.update(tags)
        stream = output.add_stream(codec, rate=sr, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.bit_rate = 64_000
        mux_sound(output, stream, tone(seconds, sr), sr)
    return path


def id3v1(title: bytes = b"", artist: bytes = b"", album: bytes = b"", year: bytes = b"") -> bytes:
    """Return an ID3v1 tag."""
    texts = title[:30].ljust(30, b"\0") + artist[:30].ljust(30, b"\0") + album[:30].ljust(30, b"\0")
    return b"TAG" + texts + year.ljust(4, b"\0") + bytes(30) + b"\xff"


def id3v2(frames: Mapping[str, bytes], encoding: int = 0) -> bytes:
    """Return an ID3v2.3 tag with text frames of one encoding; UFID frames are taken as they are."""
    body = b""
    for name, text in frames.items():
        content = text if name == "UFID" else bytes([encoding]) + text
        body += name[:4].encode() + struct.pack(">IH", len(content), 0) + content
    size = len(body)
    return b"ID3\x03\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + body


def apev2(fields: Mapping[str, bytes], *, header: bool = True) -> bytes:
    """Return an APEv2 tag."""
    items = b"".join(
        struct.pack("<II", len(text), 0) + name.encode() + b"\0" + text
        for name, text in fields.items()
    )

    def frame(flags: int) -> bytes:
        sizes = struct.pack("<IIII", 2000, len(items) + 32, len(fields), flags)
        return b"APETAGEX" + sizes + bytes(8)

    return (frame(0xA0000000) if header else b"") + items + frame(0x80000000)


def info(fields: Mapping[str, bytes]) -> bytes:
    """Return a LIST INFO chunk of RIFF."""
    body = b"INFO"
    for name, text in fields.items():
        body += name.encode() + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body


def wav_with(path: Path, chunk: bytes) -> Path:
    """Write a WAV file with a chunk at its end."""
    data = write(path, tone(0.5), 44100, "wav").read_bytes() + chunk
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def aiff_with(path: Path, **chunks: bytes) -> Path:
    """Write an AIFF file with text chunks at its end."""
    data = write(path, tone(0.5), 44100, "aiff").read_bytes()
    for name, text in chunks.items():
        data += name.encode() + struct.pack(">I", len(text)) + text + b"\0" * (len(text) % 2)
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])
    return path


def mp3_with(path: Path, *, before: bytes = b"", after: bytes = b"") -> Path:
    """Write an MP3 file between two pieces of tags."""
    sound = write(path, tone(0.5), 44100, "mp3").read_bytes()
    path.write_bytes(before + sound + after)
    return path


def ebml(element: int, *children: bytes) -> bytes:
    """Return an EBML element of Matroska."""
    name = element.to_bytes((element.bit_length() + 7) // 8, "big")
    body = b"".join(children)
    return name + (1 << 56 | len(body)).to_bytes(8, "big") + body


def simple_tag(name: str, text: str) -> bytes:
    """Return a tag of Matroska."""
    return ebml(0x67C8, ebml(0x45A3, name.encode()), ebml(0x4487, text.encode()))
