"""Coding of a sound file: lossless or not, and bits per second, from its first bytes and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# (offset, bytes) of containers with samples or lossless codes only.
_LOSSLESS = (
    (0, b"fLaC"), (8, b"WAVE"), (8, b"AIFF"), (8, b"AIFC"), (0, b".snd"), (0, b"caff"),
    (0, b"wvpk"), (0, b"MAC "), (0, b"TTA1"),
)  # fmt: skip
_OGG, _FLAC_IN_OGG = b"OggS", slice(29, 33)
# MP4 and Matroska hold either. Lossy codecs use less than this, ALAC and FLAC nearly always more.
_EITHER = ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"))
_LOSSLESS_FROM_BIT_S = 450_000
_HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class FileQuality:
    """Coding of a file; ``bit_rate`` is in bits per second. None means unknown."""

    lossless: bool | None = None
    bit_rate: int | None = None


UNKNOWN_QUALITY = FileQuality()


def file_quality(path: Path, duration_s: float) -> FileQuality:
    """Return the coding of a file of this duration; unknown if it cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return UNKNOWN_QUALITY
    bit_rate = round(8 * size / duration_s) if duration_s > 0 else None
    if any(head[at : at + len(mark)] == mark for at, mark in _LOSSLESS):
        return FileQuality(True, bit_rate)
    if head.startswith(_OGG):
        return FileQuality(head[_FLAC_IN_OGG] == b"FLAC", bit_rate)
    if any(head[at : at + len(mark)] == mark for at, mark in _EITHER):
        return FileQuality((bit_rate or 0) >= _LOSSLESS_FROM_BIT_S, bit_rate)
    return FileQuality(False, bit_rate)
