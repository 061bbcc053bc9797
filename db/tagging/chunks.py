"""Read the tags of files made of chunks: RIFF (WAV), AIFF and CAF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

_RIFF_NAMES = {
    b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"IALB": "album", b"IGNR": "genre",
    b"ICRD": "year", b"YEAR": "year", b"ISRC": "isrc",
}  # fmt: skip
_AIFF_NAMES = {b"NAME": "title", b"AUTH": "artist"}
# Bounds for hostile files.
_MAX_CHUNKS, _MAX_LISTS, _MAX_LIST, _MAX_TEXT = 2_000, 8, 1 << 20, 4096


def riff_fields(file: BinaryIO) -> dict[str, bytes]:
    """Return the INFO texts of a WAV file, in any code page."""
    fields: dict[str, bytes] = {}
    lists = 0
    order = "big" if _at(file, 0, 4) == b"RIFX" else "little"
    for name, at, size in _chunks(file, 12, order):
        if name == b"LIST" and 4 < size <= _MAX_LIST and (lists := lists + 1) <= _MAX_LISTS:
            data = _at(file, at, size)
            if data.startswith(b"INFO"):
                _add_info(data, order, fields)
    return fields


def aiff_fields(file: BinaryIO) -> dict[str, bytes]:
    """Return name and author of an AIFF file, in any code page."""
    return {
        _AIFF_NAMES[name]: _at(file, at, min(size, _MAX_TEXT)).rstrip(b"\0 ")
        for name, at, size in _chunks(file, 12, "big")
        if name in _AIFF_NAMES
    }


def caf_fields(file: BinaryIO) -> dict[str, str]:
    """Return the texts of the information chunk of a CAF file, by lower-case key."""
    at, end = 8, file.seek(0, 2)
    for _ in range(_MAX_CHUNKS):
        head = _at(file, at, 12)
        size = int.from_bytes(head[4:12], "big", signed=True)
        if len(head) < 12 or size < 0 or at >= end:
            return {}
        if head[:4] == b"info":
            texts = _at(file, at + 16, min(size, _MAX_LIST)).decode("utf-8", "replace").split("\0")
            pairs = zip(texts[::2], texts[1::2], strict=False)
            return {key.casefold(): text[:_MAX_TEXT] for key, text in pairs if key and text}
        at += 12 + size
    return {}


def _add_info(data: bytes, order: str, fields: dict[str, bytes]) -> None:
    at = 4
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big" if order == "big" else "little")
        name = _RIFF_NAMES.get(data[at : at + 4])
        text = data[at + 8 : at + 8 + min(size, _MAX_TEXT)].partition(b"\0")[0].strip()
        if name and text:
            fields.setdefault(name, text)
        at += 8 + size + size % 2


def _chunks(file: BinaryIO, at: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and size of the chunks of a RIFF or AIFF file."""
    for _ in range(_MAX_CHUNKS):
        head = _at(file, at, 8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[4:], "big" if order == "big" else "little")
        yield head[:4], at + 8, size
        at += 8 + size + size % 2


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)
