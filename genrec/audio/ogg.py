"""Find the links of a chained Ogg file: several streams one after the other (RFC 3533, section 4).

Radio recorders write one link for each song. Decoders take the length of one link for that of the
file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

# Ogg pages have up to 65,307 bytes.
_PAGE_HEAD, _MAX_PAGE = 27, 65_307
# More pages are not looked at: 100,000 of the usual 4 kB are 6 h of music.
MAX_PAGES = 100_000
MAX_LINKS = 64
_FIRST = 2  # flag of the first page of a stream


@dataclass(frozen=True, slots=True)
class OggLink:
    """One link: its offsets in the file, in bytes, and its length in seconds."""

    start: int
    end: int
    seconds: float


def chained_links(file: BinaryIO, start: int = 0) -> list[OggLink]:
    """Return the links of a chained Ogg file; an empty list if the file is not chained.

    An ordinary file costs two reads: the last page belongs to a stream of the first pages.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.
    start
        Offset of the first page.
    """
    size = file.seek(0, os.SEEK_END)
    if _last_serial(file, size) in _first_serials(file, start):
        return []
    links: list[OggLink] = []
    at, begin, rate, granule, headers = start, start, 0, 0, False
    for _ in range(MAX_PAGES):
        file.seek(at)
        head = file.read(_PAGE_HEAD + 255 + 32)
        if head[:4] != b"OggS" or len(head) < _PAGE_HEAD:
            break
        count = head[26]
        length = _PAGE_HEAD + count + sum(head[_PAGE_HEAD : _PAGE_HEAD + count])
        if head[5] & _FIRST and not headers:
            if at > begin:
                links.append(OggLink(begin, at, granule / rate if rate else 0.0))
            begin, rate, granule = at, 0, 0
        headers = bool(head[5] & _FIRST)
        if headers:
            rate = rate or _rate(head[_PAGE_HEAD + count :])
        at += length
        if at <= size:  # else the page is cut off
            granule = max(granule, int.from_bytes(head[6:14], "little", signed=True))
    links.append(OggLink(begin, min(at, size), granule / rate if rate else 0.0))
    sounding = [link for link in links if link.seconds > 0][:MAX_LINKS]
    return sounding if len(sounding) > 1 else []


def _rate(packet: bytes) -> int:
    """Return the units per second of an audio stream's positions from its first packet, or 0."""
    if packet[:8] == b"OpusHead":
        return 48_000
    if packet[:7] == b"\x01vorbis":
        return int.from_bytes(packet[12:16], "little")
    if packet[:5] == b"\x7fFLAC":
        return int.from_bytes(packet[27:30], "big") >> 4
    return 0


def _first_serials(file: BinaryIO, at: int) -> set[bytes]:
    """Return the serial numbers of the streams that begin on the first pages."""
    serials: set[bytes] = set()
    for _ in range(MAX_LINKS):
        file.seek(at)
        head = file.read(_PAGE_HEAD + 255)
        if head[:4] != b"OggS" or len(head) < _PAGE_HEAD or not head[5] & _FIRST:
            break
        serials.add(head[14:18])
        count = head[26]
        at += _PAGE_HEAD + count + sum(head[_PAGE_HEAD : _PAGE_HEAD + count])
    return serials


def _last_serial(file: BinaryIO, size: int) -> bytes:
    """Return the serial number of the last page, or b"" if there is none."""
    file.seek(max(0, size - _MAX_PAGE - _PAGE_HEAD))
    data = file.read(_MAX_PAGE + _PAGE_HEAD)
    at = data.rfind(b"OggS\0", 0, len(data) - 17)
    return data[at + 14 : at + 18] if at >= 0 else b""
