"""Detect the container of a file by its bytes, not by its name, suffix or content type."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from typing import BinaryIO

from genrec.audio import kinds, mpeg, mpeg_length
from genrec.audio.kinds import SoundKind
from genrec.audio.mpeg_length import EstimatedLength
from genrec.audio.other_files import other_kind

# Sound that begins in these first bytes is found, behind zeros, rubbish or a tag of a wrong size.
SEARCH_BYTES = 256 * 1024
# As much is searched in a file that begins with a tag, because a tag holds pictures.
TAG_SEARCH_BYTES = 4 * 2**20
# Tags in a row that are skipped by their size.
MAX_TAGS = 8
# Recorders write ten chunks. A streamed MP4 has two boxes for each second or so.
MAX_CHUNKS = 20_000


@dataclass(frozen=True, slots=True)
class Container:
    """A container format.

    Attributes
    ----------
    kind
        The kind of sound file, with its name and suffixes.
    demuxer
        FFmpeg's name of the only demuxer that may read it.
    libsndfile
        True if libsndfile is tried before FFmpeg, because it is at least as fast.
    """

    kind: SoundKind
    demuxer: str
    libsndfile: bool


WAV = Container(kinds.WAV, "wav", libsndfile=True)
AIFF = Container(kinds.AIFF, "aiff", libsndfile=True)
AU = Container(kinds.AU, "au", libsndfile=True)
CAF = Container(kinds.CAF, "caf", libsndfile=True)
FLAC = Container(kinds.FLAC, "flac", libsndfile=True)
MP3 = Container(kinds.MP3, "mp3", libsndfile=True)
# FFmpeg has no decoder for free format, in which frames do not state their length.
FREE_MP3 = Container(kinds.MP3, "", libsndfile=True)
OGG = Container(kinds.OGG, "ogg", libsndfile=True)
# libsndfile takes two to three times as long as FFmpeg for Opus.
OPUS = Container(kinds.OGG, "ogg", libsndfile=False)
MP4 = Container(kinds.M4A, "mov", libsndfile=False)
AAC = Container(kinds.AAC, "aac", libsndfile=False)
MATROSKA = Container(kinds.WEBM, "matroska", libsndfile=False)
WMA = Container(kinds.WMA, "asf", libsndfile=False)
WAVPACK = Container(kinds.WAVPACK, "wv", libsndfile=False)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """Result of `sniff`: a container, and where it begins.

    Attributes
    ----------
    container
        The container format.
    start
        Offset in bytes where the decoder must begin; 0 if it can read the file from its beginning.
    """

    container: Container
    start: int = 0


# Container, and its (offset, bytes) pairs. The first match counts, so Opus comes before OGG.
SIGNATURES = (
    (WAV, ((0, b"RIFF"), (8, b"WAVE"))),
    (WAV, ((0, b"RIFX"), (8, b"WAVE"))),
    (WAV, ((0, b"RF64"), (8, b"WAVE"))),
    (AIFF, ((0, b"FORM"), (8, b"AIFF"))),
    (AIFF, ((0, b"FORM"), (8, b"AIFC"))),
    (AU, ((0, b".snd"),)),
    (AU, ((0, b"dns."),)),
    (CAF, ((0, b"caff"),)),
    (FLAC, ((0, b"fLaC"),)),
    (OPUS, ((0, b"OggS"), (28, b"OpusHead"))),
    (OGG, ((0, b"OggS"),)),
    (MP4, ((4, b"ftyp"),)),
    (MATROSKA, ((0, b"\x1a\x45\xdf\xa3"),)),
    (WMA, ((0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),)),
    (WAVPACK, ((0, b"wvpk"),)),
)
# Signatures that are long enough to be searched for behind other bytes.
SEARCHED = tuple(
    (container, re.compile(pattern, re.DOTALL))
    for container, pattern in (
        (FLAC, rb"fLaC[\x00\x80]\x00\x00\x22"),
        (OGG, rb"OggS\x00\x02\x00{8}"),
        (WAV, rb"(?:RIFF|RIFX|RF64).{4}WAVE[ -~]{4}"),
        (AIFF, rb"FORM.{4}AIF[FC][ -~]{4}"),
        (MP4, rb"\x00\x00\x00[\x08-\x80]ftyp[ -~]{4}"),
        (MATROSKA, rb"\x1aE\xdf\xa3.{1,40}?\x42\x82.{1,8}?(?:webm|matroska)"),
    )
)
# Boxes with which QuickTime and MP4 files begin that have no "ftyp" before them.
MP4_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"uuid")


def sniff(file: BinaryIO) -> Sniffed | None:
    """Return the container of an open file, detected from its bytes.

    Uploads, links, the library and the decoder all ask this function.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.

    Returns
    -------
    Sniffed or None
        None if no supported container matches.
    """
    tagged = _skip_tags(file)
    container = _container_of(read_at(file, tagged, 64))
    if container is not None:
        return Sniffed(container, _decoder_start(file, tagged))
    if other_kind(read_at(file, 0, 512), sure=True):
        return None
    return _search(file, tagged) or (_search(file, 0) if tagged else None)


def estimated_length(file: BinaryIO, sniffed: Sniffed) -> EstimatedLength | None:
    """Return the length of an MP3 or AAC file if its header states none, or a wrong one.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.
    sniffed
        The result of `sniff`.

    Returns
    -------
    EstimatedLength or None
        None if the header is right, and for other containers.
    """
    if sniffed.container not in (MP3, AAC):
        return None
    size = file.seek(0, os.SEEK_END)
    return mpeg_length.estimated_length(
        functools.partial(read_at, file), sniffed.start or _skip_tags(file), size
    )


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Return up to ``count`` bytes at ``offset`` of an open file, whose position changes."""
    file.seek(offset)
    return file.read(count)


def _container_of(head: bytes) -> Container | None:
    for container, signature in SIGNATURES:
        if all(head[at : at + len(magic)] == magic for at, magic in signature):
            return container
    # The first byte of the box's size: in text it is larger.
    return MP4 if head[4:8] in MP4_BOXES and head[0] < 0x20 else None


def _search(file: BinaryIO, begin: int) -> Sniffed | None:
    """Return the sound that begins within the first bytes from ``begin`` on."""
    tag = begin == 0 and read_at(file, 0, 3) == b"ID3"
    data = read_at(file, begin, TAG_SEARCH_BYTES if tag else SEARCH_BYTES)
    found: list[tuple[int, Container]] = []
    for container, pattern in SEARCHED:
        if match := pattern.search(data):
            at = match.start()
            opus = container is OGG and data[at + 28 : at + 36] == b"OpusHead"
            found.append((at, OPUS if opus else container))
    frames = mpeg.find_frames(data)
    if frames is not None:
        container = AAC if frames.adts else FREE_MP3 if frames.free_format else MP3
        found.append((frames.offset, container))
    if not found:
        return None
    at, container = min(found, key=lambda one: one[0])
    return Sniffed(container, begin + at if at else _decoder_start(file, begin))


def _decoder_start(file: BinaryIO, sound: int) -> int:
    """Return 0 if only ID3 tags come before the sound: both decoders skip them."""
    offset = 0
    while offset < sound:
        size = mpeg.id3_bytes(read_at(file, offset, 10))
        if not size:
            return sound
        offset += size
    return 0


def has_too_many_chunks(file: BinaryIO, container: Container, start: int = 0) -> bool:
    """Return whether a WAV, AIFF or MP4 has more than ``MAX_CHUNKS`` chunks, or boxes, in a row.

    Decoders take microseconds for each, empty ones too, so 25 MB of them take longer than a clip.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.
    container, start
        The result of `sniff`.
    """
    if container not in (WAV, AIFF, MP4):
        return False
    at = start or _skip_tags(file)
    big = container is not WAV or read_at(file, at, 4) == b"RIFX"
    at += 0 if container is MP4 else 12
    end = file.seek(0, os.SEEK_END)
    for _ in range(MAX_CHUNKS):
        if at > end:  # a chunk may claim more bytes than a file can have
            return False
        head = read_at(file, at, 16)
        if len(head) < 8:
            return False
        if container is MP4:
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:], "big")
            if size < 8:  # to the end of the file, or damaged
                return False
            at += size
        else:
            size = int.from_bytes(head[4:8], "big" if big else "little")
            at += 8 + size + size % 2
    return True


def describe(file: BinaryIO) -> str:
    """Return a description of an unsupported file, for the sentence "This file is ...".

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.
    """
    head = read_at(file, 0, 2048)
    description = other_kind(head)
    if description:
        return description
    if head and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:512]):
        return "text and not audio"
    return "in no audio format that genrec supports"


def _skip_tags(file: BinaryIO) -> int:
    """Return the offset of the first byte after the leading ID3v2 and APE tags."""
    offset = 0
    for _ in range(MAX_TAGS):
        head = read_at(file, offset, 32)
        if head[:8] == b"APETAGEX" and len(head) == 32:
            offset += 32 + int.from_bytes(head[12:16], "little")
            continue
        size = mpeg.id3_bytes(head[:10])
        if not size:
            break
        offset += size
    return offset
