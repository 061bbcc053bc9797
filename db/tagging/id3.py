"""Mend ID3v2 tags that players read and TinyTag does not: wrong sizes, other bytes first."""

from __future__ import annotations

import io
from typing import BinaryIO

_HEADER_BYTES, _ID3V1_BYTES = 10, 128
_UNSYNCHRONISED = 0x80
# Bounds for hostile files.
_MAX_BYTES, _MAX_BEFORE = 1 << 24, 1 << 20


def mended_id3(file: BinaryIO, sound: int) -> BinaryIO | None:
    """Return an MP3 or AAC file's tags as a small file, or None if they need no repair.

    Parameters
    ----------
    file
        Open for reading, seekable. Its position changes.
    sound
        Offset of the first frame of sound; 0 if the tag at the start of the file ends there.
    """
    file.seek(0)
    at = max(0, file.read(min(sound, _MAX_BEFORE)).find(b"ID3")) if sound else 0
    file.seek(at)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(b"ID3"):
        return None
    # ID3v2.4 has the scheme for each frame.
    unsynchronised = bool(header[5] & _UNSYNCHRONISED) and header[3] < 4
    if not sound and not unsynchronised:
        return None
    size = sound - at - _HEADER_BYTES if sound else _synchsafe(header[6:])
    body = file.read(max(0, min(size, _MAX_BYTES)))
    if unsynchronised:
        body = body.replace(b"\xff\x00", b"\xff")
    flags = header[5] & ~_UNSYNCHRONISED
    sizes = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    file.seek(max(0, file.seek(0, 2) - _ID3V1_BYTES))
    return io.BytesIO(header[:5] + bytes([flags]) + sizes + body + file.read())


def _synchsafe(data: bytes) -> int:
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]
