"""Read the tags of QuickTime and 3GP files that are not in iTunes' form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

# QuickTime user data, and 3GPP TS 26.244, 8.2.
_QUICKTIME_NAMES = {
    b"\xa9nam": "title", b"\xa9ART": "artist", b"\xa9alb": "album", b"\xa9gen": "genre",
    b"\xa9day": "year",
}  # fmt: skip
_3GP_NAMES = {b"titl": "title", b"perf": "artist", b"albm": "album", b"gnre": "genre"}
_APPLE = "com.apple.quicktime."
# Bounds for hostile files.
_MAX_ATOMS, _MAX_MOOV, _MAX_TEXT = 20_000, 1 << 25, 4096


def quicktime_fields(file: BinaryIO) -> dict[str, str]:
    """Return texts of the user data and of the keys of a movie, by lower-case name."""
    moov = _movie(file)
    fields: dict[str, str] = {}
    for name, data in _atoms(moov):
        if name == b"udta":
            for kind, text in _atoms(data):
                _add_user_data(kind, text, fields)
        elif name == b"meta":
            _add_keys(data, fields)
    return {name: text for name, text in fields.items() if text}


def _movie(file: BinaryIO) -> bytes:
    """Return the moov atom, which is before or after the sound."""
    at = 0
    for _ in range(_MAX_ATOMS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return b""
        size, start = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), 16
        if head[4:8] == b"moov" and size <= _MAX_MOOV:
            file.seek(at + start)
            return file.read((size or _MAX_MOOV) - start)
        if size < start:
            return b""
        at += size
    return b""


def _add_user_data(kind: bytes, data: bytes, fields: dict[str, str]) -> None:
    if kind in _QUICKTIME_NAMES:
        length, language = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
        # Languages below 0x400 are those of old Macs; 0x7FFF is none.
        codec = "mac-roman" if language < 0x400 and not _is_utf8(data[4:]) else "utf-8"
        text = data[4 : 4 + min(length, _MAX_TEXT)].decode(codec, "replace")
        fields.setdefault(_QUICKTIME_NAMES[kind], text.strip("\0 "))
    elif kind in _3GP_NAMES:
        raw = data[6 : 6 + _MAX_TEXT]
        wide = raw.startswith((b"\xfe\xff", b"\xff\xfe"))
        text = raw.decode("utf-16" if wide else "utf-8", "replace").partition("\0")[0]
        fields.setdefault(_3GP_NAMES[kind], text.strip())
    elif kind == b"yrrc":
        fields.setdefault("year", str(int.from_bytes(data[4:6], "big")))


def _add_keys(meta: bytes, fields: dict[str, str]) -> None:
    """Add metadata whose names are in a ``keys`` atom and whose values are in an ``ilst`` atom."""
    parts = dict(_atoms(meta if meta[4:8] == b"hdlr" else meta[4:]))
    names = [name.decode("utf-8", "replace") for _, name in _atoms(parts.get(b"keys", b"")[8:])]
    for index, item in _atoms(parts.get(b"ilst", b"")):
        place = int.from_bytes(index, "big") - 1
        data = dict(_atoms(item)).get(b"data", b"")
        if 0 <= place < len(names) and data[:4] == b"\0\0\0\x01":  # UTF-8
            name = names[place].casefold().removeprefix(_APPLE)
            text = data[8 : 8 + _MAX_TEXT].decode("utf-8", "replace")
            fields.setdefault({"creationdate": "year"}.get(name, name), text.strip())


def _atoms(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MAX_ATOMS):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 8 > len(data) or size < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
