"""Read the tags of Matroska and WebM files (EBML, RFC 8794 and RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

# RFC 9559, 5.1: ids with their length marker.
_EBML, _SEGMENT, _SEEK_HEAD, _INFO = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1549A966
_SEEK, _SEEK_ID, _SEEK_POSITION, _TITLE = 0x4DBB, 0x53AB, 0x53AC, 0x7BA9
_TAGS, _TAG, _TARGETS, _TARGET_TYPE = 0x1254C367, 0x7373, 0x63C0, 0x68CA
_TRACK_UID, _CHAPTER_UID, _SIMPLE_TAG, _TAG_NAME, _TAG_STRING = (
    0x63C5,
    0x63C4,
    0x67C8,
    0x45A3,
    0x4487,
)
# RFC 9559, 5.1.8: the target of tags without one is an album.
_ALBUM, _SONG, _STREAM = 50, 30, -1
# Bounds for hostile files.
_MAX_ELEMENTS, _MAX_SECTION, _MAX_TEXT = 20_000, 1 << 20, 4096
_MAX_SECTIONS, _MAX_CHILDREN = 8, 2_000
_UNKNOWN = -1


def matroska_fields(file: BinaryIO) -> dict[str, str]:
    """Return the tags by lower-case name; a song's own tags take precedence over the album's.

    The title is that of the song, or of the file. Other titles are the album's.
    """
    end = file.seek(0, 2)
    start = _segment(file, end)
    if start is None:
        return {}
    title, levels = "", dict[int, dict[str, str]]()
    for section in islice(_sections(file, start, end), _MAX_SECTIONS):
        for element, data in section:
            if element == _TITLE:
                title = title or _text(data)
            elif element == _TAG:
                _add_tag(data, levels)
    song, album = levels.get(_SONG, {}), levels.get(_ALBUM, {})
    # Those of the stream are mostly its encoder and its length, and sometimes the song's.
    song = song or ({} if album else levels.get(_STREAM, {}))
    if "title" in song or title:
        album["album"] = album.get("album") or album.pop("title", "")
        album.pop("title", None)
    fields = {**album, **song}
    fields["title"] = song.get("title") or title or album.get("title", "")
    return {name: text for name, text in fields.items() if text}


def _segment(file: BinaryIO, end: int) -> int | None:
    """Return the offset of the first element in the segment."""
    at = 0
    for _ in range(4):
        head = _header(file, at)
        if head is None or head[0] not in (_EBML, _SEGMENT, 0xEC):
            return None
        element, size, data = head
        if element == _SEGMENT:
            return data
        at = data + size
        if size == _UNKNOWN or at >= end:
            return None
    return None


def _sections(file: BinaryIO, start: int, end: int) -> Iterator[list[tuple[int, bytes]]]:
    """Yield the children of each Info and Tags section, whether listed at the start or found."""
    wanted = {_INFO, _TAGS}
    at, read = start, set[int]()
    places: list[int] = []
    for _ in range(_MAX_ELEMENTS):
        if at >= end or (head := _header(file, at)) is None:
            break
        element, size, data = head
        if element == _SEEK_HEAD and 0 <= size <= _MAX_SECTION:
            places += [start + place for place in _listed(_bytes(file, data, size))]
        elif element in wanted and 0 <= size <= _MAX_SECTION:
            read.add(at)
            yield list(_children(_bytes(file, data, size)))
        if size == _UNKNOWN:
            break
        at = data + size
    for place in places[:16]:
        head = _header(file, place) if place not in read and place < end else None
        if head and head[0] in wanted and 0 <= head[1] <= _MAX_SECTION:
            read.add(place)
            yield list(_children(_bytes(file, head[2], head[1])))


def _listed(seek_head: bytes) -> Iterator[int]:
    """Yield the positions of the Info and Tags sections that the index lists."""
    for element, data in _children(seek_head):
        if element == _SEEK:
            seek = dict(_children(data))
            if int.from_bytes(seek.get(_SEEK_ID, b"")[:4], "big") in (_INFO, _TAGS):
                yield int.from_bytes(seek.get(_SEEK_POSITION, b"")[:8], "big")


def _add_tag(data: bytes, levels: dict[int, dict[str, str]]) -> None:
    tags, level = list(_children(data)), _ALBUM
    for element, target in tags:
        if element == _TARGETS:
            targets = dict(_children(target))
            level = int.from_bytes(targets.get(_TARGET_TYPE, bytes([_ALBUM]))[:8], "big")
            if _CHAPTER_UID in targets:
                return
            if any(targets.get(_TRACK_UID, b"")):
                level = _STREAM
    fields = levels.setdefault(level, {})
    for element, simple in tags:
        if element == _SIMPLE_TAG:
            parts = dict(_children(simple))
            name = _text(parts.get(_TAG_NAME, b"")).casefold()
            text = _text(parts.get(_TAG_STRING, b""))
            if name and text:
                fields.setdefault(name, text)


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MAX_CHILDREN):
        element, width = _number(data, at, keep_marker=True)
        size, size_width = _number(data, at + width, keep_marker=False)
        if not width or not size_width or size < 0:
            return
        at += width + size_width
        yield element, data[at : at + size]
        at += size


def _header(file: BinaryIO, at: int) -> tuple[int, int, int] | None:
    """Return id, size and offset of the data of the element at ``at``."""
    head = _bytes(file, at, 12)
    element, width = _number(head, 0, keep_marker=True)
    size, size_width = _number(head, width, keep_marker=False)
    return (element, size, at + width + size_width) if width and size_width else None


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Return a number of variable length and its width; the width is 0 if it is invalid."""
    if at >= len(data) or data[at] == 0:
        return 0, 0
    width = 9 - data[at].bit_length()
    number = int.from_bytes(data[at : at + width], "big")
    if at + width > len(data) or (keep_marker and width > 4):
        return 0, 0
    if keep_marker:
        return number, width
    largest = (1 << 7 * width) - 1
    number &= largest
    return (_UNKNOWN if number == largest else number), width


def _bytes(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _text(data: bytes) -> str:
    return data[:_MAX_TEXT].partition(b"\0")[0].decode("utf-8", "replace").strip()
