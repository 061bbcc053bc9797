"""Detect the container of a file by its bytes, not by its name, suffix or content type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from genrec.audio import kinds
from genrec.audio.kinds import SoundKind

# Largest number of other bytes before the first MP3 or AAC frame, as in a recorded radio stream.
SYNC_SEARCH_BYTES = 4096
# Tags in a row that are skipped; more of them are an attack.
MAX_ID3_TAGS = 4
# Recorders write ten chunks. A streamed MP4 has two boxes for each second or so.
MAX_CHUNKS = 20_000

MP3_KBPS = {
    # (MPEG-1?, layer) -> kbit/s by the header's index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MP3_HZ = (44100, 48000, 32000)


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
OGG = Container(kinds.OGG, "ogg", libsndfile=True)
# libsndfile takes two to three times as long as FFmpeg for Opus.
OPUS = Container(kinds.OGG, "ogg", libsndfile=False)
MP4 = Container(kinds.M4A, "mov", libsndfile=False)
AAC = Container(kinds.AAC, "aac", libsndfile=False)
MATROSKA = Container(kinds.WEBM, "matroska", libsndfile=False)
WMA = Container(kinds.WMA, "asf", libsndfile=False)
WAVPACK = Container(kinds.WAVPACK, "wv", libsndfile=False)

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

# Other files that users send by mistake, with a description for the error.
OTHER_FILES = (
    (b"MThd", "a MIDI file, which has notes and no audio"),
    (b"MAC ", "a Monkey's Audio file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"#EXTM3U", "a playlist, which genrec does not follow"),
    (b"ffconcat", "a playlist, which genrec does not follow"),
    (b"[playlist]", "a playlist, which genrec does not follow"),
)


def sniff(file: BinaryIO) -> Container | None:
    """Return the container of an open file, detected from its first bytes.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.

    Returns
    -------
    Container or None
        None if no supported container matches.
    """
    start = _skip_id3(file)
    head = _read_at(file, start, 64)
    for container, signature in SIGNATURES:
        if all(head[at : at + len(magic)] == magic for at, magic in signature):
            return container
    return _sniff_frames(_read_at(file, start, 3 * SYNC_SEARCH_BYTES))


def has_too_many_chunks(file: BinaryIO, container: Container) -> bool:
    """Return whether a WAV, AIFF or MP4 has more than ``MAX_CHUNKS`` chunks, or boxes, in a row.

    Decoders take microseconds for each, empty ones too, so 25 MB of them take longer than a clip.

    Parameters
    ----------
    file
        Open for reading and seekable. Its position changes.
    container
        The result of `sniff`.
    """
    if container not in (WAV, AIFF, MP4):
        return False
    at = _skip_id3(file)
    big = container is not WAV or _read_at(file, at, 4) == b"RIFX"
    at += 0 if container is MP4 else 12
    for _ in range(MAX_CHUNKS):
        head = _read_at(file, at, 16)
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
    head = _read_at(file, 0, 512)
    for magic, description in OTHER_FILES:
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic):
            return description
    if head and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return "text and not audio"
    return "in no audio format that genrec supports"


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _skip_id3(file: BinaryIO) -> int:
    """Return the offset of the first byte after the leading ID3v2 tags."""
    offset = 0
    for _ in range(MAX_ID3_TAGS):
        head = _read_at(file, offset, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        footer = 10 if head[5] & 0x10 else 0
        offset += 10 + size + footer
    return offset


def _sniff_frames(data: bytes) -> Container | None:
    """Return MP3 or AAC if two frames follow each other, or a single frame is the whole data."""
    data = data.lstrip(b"\0")  # many taggers pad with zeros
    for at in range(min(SYNC_SEARCH_BYTES, len(data) - 3)):
        if data[at] != 0xFF:
            continue
        for container, frame_bytes in ((MP3, _mp3_frame_bytes), (AAC, _adts_frame_bytes)):
            size = frame_bytes(data[at : at + 7])
            if not size:
                continue
            following = data[at + size : at + size + 7]
            if frame_bytes(following) or (at == 0 and not following):
                return container
    return None


def _mp3_frame_bytes(head: bytes) -> int:
    """Return the length in bytes of the MPEG audio frame with this header; 0 if it is not one."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    mpeg1 = version == 3
    bps = 1000 * MP3_KBPS[mpeg1, layer][bitrate]
    hz = MP3_HZ[rate] >> (0 if mpeg1 else 1 if version == 2 else 2)
    padding = head[2] >> 1 & 1
    if layer == 1:
        return 4 * (12 * bps // hz + padding)
    samples = 576 if layer == 3 and not mpeg1 else 1152
    return samples // 8 * bps // hz + padding


def _adts_frame_bytes(head: bytes) -> int:
    """Return the length in bytes of the ADTS frame with this header; 0 if it is not one."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0
