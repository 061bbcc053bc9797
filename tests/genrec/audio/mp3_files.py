"""MP3s as people have them: joined, cut, in free format, with wrong tags and wrong lengths."""

from __future__ import annotations

import io
import random

import av
import numpy as np

from genrec.audio.mpeg import frames_in, parse_frame
from genrec.audio.mpeg_length import stated_length
from tests.synth import Samples


def mp3(y: Samples, sr: int = 44100, *, info: bool = False, vbr: bool = False) -> bytes:
    """Return (n,) or (n, 2) as an MP3 without a tag, with or without an Info frame."""
    buffer = io.BytesIO()
    options = {"write_xing": str(int(info)), "id3v2_version": "0"}
    with av.open(buffer, "w", format="mp3", options=options) as output:
        layout = "mono" if y.ndim == 1 else "stereo"
        stream = output.add_stream("libmp3lame", rate=sr, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if vbr:
            stream.codec_context.options = {"abr": "0"}
            stream.codec_context.qscale = True
            stream.codec_context.global_quality = 4 * 118
        else:
            stream.codec_context.bit_rate = 128_000
        planes = np.atleast_2d(y.T)
        for start in range(0, planes.shape[1], 1152):
            part = np.ascontiguousarray(planes[:, start : start + 1152])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = sr, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def picture(size: int, seed: int = 1) -> bytes:
    """Return an ID3 frame with random bytes, as a compressed picture has."""
    return b"APIC" + size.to_bytes(4, "big") + b"\0\0" + random.Random(seed).randbytes(size)


def tagged(content: bytes, size: int, song: bytes, *, syncsafe: bool = True) -> bytes:
    """Return a song behind an ID3v2 tag that states ``size`` bytes of content."""
    shifts = (21, 14, 7, 0) if syncsafe else (24, 16, 8, 0)
    mask = 127 if syncsafe else 255
    return b"ID3\3\0\0" + bytes(size >> shift & mask for shift in shifts) + content + song


def ape_tag(size: int, *, header: bool = True) -> bytes:
    """Return an APEv2 tag with one item of ``size`` bytes."""
    item = size.to_bytes(4, "little") + bytes(4) + b"Cover Art (Front)\0" + bytes(range(256)) * size
    item = item[: 26 + size]
    length = (len(item) + 32).to_bytes(4, "little")

    def mark(flags: int) -> bytes:
        head = b"APETAGEX" + (2000).to_bytes(4, "little") + length + (1).to_bytes(4, "little")
        return head + flags.to_bytes(4, "little") + bytes(8)

    return (mark(0xA0000000) if header else b"") + item + mark(0x80000000)


def free_format(song: bytes) -> bytes:
    """Return an MP3 of constant bit rate whose headers do not state the bit rate."""
    changed = bytearray(song)
    for at, _ in frames_in(song):
        changed[at + 2] &= 0x0F
    return bytes(changed)


def with_stated(song: bytes, *, frames: float = 1.0, size: float = 1.0) -> bytes:
    """Return an MP3 whose Info frame states these multiples of its frames and bytes."""
    first = parse_frame(song)
    assert first is not None
    head = song[: first.size]
    stated = stated_length(head)
    assert stated is not None
    at = max(head.find(b"Xing"), head.find(b"Info")) + 8
    numbers = (round(stated.frames * frames), round(stated.size * size))
    fields = b"".join(number.to_bytes(4, "big") for number in numbers)
    return song[:at] + fields + song[at + 8 :]
