"""Find MPEG audio and ADTS frames among other bytes.

Players decode an MP3 from its first frames on, wherever they are: after tags of a wrong size, zeros
or the rest of a frame. Frame headers: ISO/IEC 11172-3, 13818-3 and 13818-7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Frames this near to the beginning need one successor, because little else can be there.
NEAR_BYTES = 4096
# Frames further on need so many frames in a row: a picture has one by chance.
FRAMES_IN_A_ROW = 5
# The longest ADTS frame; MPEG frames have up to 2,880 bytes, or 4,608 in free format.
MAX_FRAME_BYTES = 8192
# Possible headers that are looked at. A picture of 4 MB has 13,000; more of them are an attack.
MAX_CANDIDATES = 50_000
MAX_FREE_FORMAT_TRIES = 50
# Frames of free format are longer than those of the usual bit rates. Decoders take long for a file
# of millions of tiny ones.
MIN_FREE_FORMAT_BYTES = 96

KBPS = {
    # (MPEG-1?, layer) -> kbit/s by the header's index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44100, 48000, 32000)

_CANDIDATE = re.compile(rb"(?=\xff[\xe2-\xe7\xf0-\xff][^\xf0-\xff])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Frame:
    """Header of one frame.

    Attributes
    ----------
    form
        What stays the same from frame to frame: MPEG version, layer and sample rate, or ADTS.
    size
        Length in bytes with the header; 0 in free format, where no header states it.
    samples, sr
        Samples for each channel, and samples per second.
    adts
        Whether it is an ADTS frame, which holds AAC.
    """

    form: tuple[int, int]
    size: int
    samples: int
    sr: int
    adts: bool = False


@dataclass(frozen=True, slots=True)
class FoundFrames:
    """Offset of the first frame in some bytes, and the kind of the frames."""

    offset: int
    adts: bool
    free_format: bool


def parse_frame(data: bytes, at: int = 0) -> Frame | None:
    """Return the frame whose header is at ``data[at:]``, or None if it is no header."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    if data[at + 1] & 0xF6 == 0xF0:
        return _parse_adts(data[at : at + 7])
    return _parse_mpeg(data[at + 1], data[at + 2])


@lru_cache(maxsize=1024)
def _parse_mpeg(second: int, third: int) -> Frame | None:
    """Parse the second and third byte of a header; the headers of one file differ little."""
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    bitrate, rate = third >> 4, third >> 2 & 3
    if version == 1 or layer == 4 or bitrate == 15 or rate == 3:
        return None
    mpeg1 = version == 3
    bps = 1000 * KBPS[mpeg1, layer][bitrate]
    sr = RATES[rate] >> (0 if mpeg1 else 1 if version == 2 else 2)
    padding = third >> 1 & 1
    form = (second & 0xFE, rate)
    if layer == 1:
        return Frame(form, 4 * (12 * bps // sr + padding) if bps else 0, 384, sr)
    samples = 576 if layer == 3 and not mpeg1 else 1152
    return Frame(form, samples // 8 * bps // sr + padding if bps else 0, samples, sr)


def find_frames(data: bytes) -> FoundFrames | None:
    """Return the first frames in ``data`` that others of the same form follow, or None.

    A single frame that is the whole of ``data`` counts as well.
    """
    begin = len(data) - len(data.lstrip(b"\0"))  # many taggers pad with zeros
    free_tries = 0
    for count, found in enumerate(_CANDIDATE.finditer(data, begin)):
        if count >= MAX_CANDIDATES:
            return None
        at = found.start()
        frame = parse_frame(data, at)
        if frame is None:
            continue
        if not frame.size:
            free_tries += 1
            if free_tries <= MAX_FREE_FORMAT_TRIES and _free_format_size(data, at, frame):
                return FoundFrames(at, adts=False, free_format=True)
            continue
        wanted = 2 if at - begin < NEAR_BYTES else FRAMES_IN_A_ROW
        row, end = _row(data, at, wanted)
        if row >= wanted or (end == len(data) and (row > 1 or at == begin)):
            return FoundFrames(at, frame.adts, free_format=False)
    return None


def frames_in(data: bytes, at: int = 0) -> Iterator[tuple[int, Frame]]:
    """Yield each frame from ``data[at:]`` on with its offset, as long as they follow each other."""
    frame = parse_frame(data, at)
    form = frame.form if frame else None
    while frame is not None and frame.form == form and frame.size:
        yield at, frame
        at += frame.size
        frame = parse_frame(data, at)


def _row(data: bytes, at: int, wanted: int) -> tuple[int, int]:
    """Return how many frames follow each other, up to ``wanted``, and where they end."""
    row, end = 0, at
    for start, one in frames_in(data, at):
        row, end = row + 1, start + one.size
        if row == wanted:
            break
    return row, end


def _parse_adts(head: bytes) -> Frame | None:
    if len(head) < 7 or head[2] >> 2 & 15 > 12:
        return None
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if size <= 7:
        return None
    rate = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
    return Frame((head[1], head[2] & 0xFC), size, 1024, rate[head[2] >> 2 & 15], adts=True)


def _free_format_size(data: bytes, at: int, frame: Frame) -> int:
    """Return the length of free-format frames without padding, found by their distance; 0 if none.

    All frames have the same length but for the padding, which is 4 bytes in layer 1, else 1 byte.
    """
    unit = 4 if frame.samples == 384 else 1

    def padding(offset: int) -> int:
        return unit * (data[offset + 2] >> 1 & 1)

    following = re.compile(re.escape(data[at : at + 2]) + rb"[\x00-\x0f]", re.DOTALL)
    for match in following.finditer(data, at + 4, at + MAX_FRAME_BYTES):
        if match.start() < at + MIN_FREE_FORMAT_BYTES:
            return 0
        size = match.start() - at - padding(at)
        end, row = match.start(), 1
        while row < FRAMES_IN_A_ROW and _same_free_frame(data, end, frame):
            end += size + padding(end)
            row += 1
        if row >= FRAMES_IN_A_ROW or (row > 2 and end == len(data)):
            return size
    return 0


def _same_free_frame(data: bytes, at: int, frame: Frame) -> bool:
    other = parse_frame(data, at)
    return other is not None and other.form == frame.form and not other.size


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag that begins with these 10 bytes; 0 if it is none."""
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)
