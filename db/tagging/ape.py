"""Read APEv1 and APEv2 tags, which MP3, WavPack and other files have at their end."""

from __future__ import annotations

from typing import BinaryIO

_MARK = b"APETAGEX"
_FRAME_BYTES = 32
_ID3V1_BYTES = 128
# Bounds for hostile files.
_MAX_BYTES, _MAX_ITEMS, _MAX_TEXT = 1 << 24, 512, 4096


def ape_fields(file: BinaryIO) -> dict[str, bytes]:
    """Return the texts of a tag by lower-case key: UTF-8, in version 1 of any code page."""
    size = file.seek(0, 2)
    for end in _ends(file, size):
        footer = _at(file, end - _FRAME_BYTES, _FRAME_BYTES)
        if footer.startswith(_MARK):
            length = int.from_bytes(footer[12:16], "little")
            return _items(file, end - length, length - _FRAME_BYTES, footer)
    header = _at(file, 0, _FRAME_BYTES)
    if header.startswith(_MARK):
        return _items(
            file, _FRAME_BYTES, int.from_bytes(header[12:16], "little") - _FRAME_BYTES, header
        )
    return {}


def _ends(file: BinaryIO, size: int) -> list[int]:
    """Return where a tag may end: at the end of the file, before ID3v1 and before Lyrics3."""
    ends = [size]
    if _at(file, size - _ID3V1_BYTES, 3) == b"TAG":
        ends.append(size - _ID3V1_BYTES)
    lyrics = _at(file, ends[-1] - 15, 15)
    if lyrics.endswith(b"LYRICS200") and lyrics[:6].isdigit():
        ends.append(ends[-1] - 15 - int(lyrics[:6]))
    return [end for end in ends if end >= _FRAME_BYTES]


def _items(file: BinaryIO, start: int, length: int, frame: bytes) -> dict[str, bytes]:
    if start < 0 or not 0 < length <= _MAX_BYTES:
        return {}
    data = _at(file, start, length)
    fields: dict[str, bytes] = {}
    at = 0
    for _ in range(min(int.from_bytes(frame[16:20], "little"), _MAX_ITEMS)):
        size, flags = (int.from_bytes(data[at + n : at + n + 4], "little") for n in (0, 4))
        key_end = data.find(b"\0", at + 8, at + 8 + 256)
        if key_end < 0:
            break
        key = data[at + 8 : key_end].decode("ascii", "replace").casefold()
        at = key_end + 1 + size
        if not flags & 6 and at <= len(data):  # neither binary nor a link
            # Several values are separated by zeros.
            text = data[key_end + 1 : at].split(b"\0")[0][:_MAX_TEXT]
            fields.setdefault(key, text)
    return fields


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(count)
