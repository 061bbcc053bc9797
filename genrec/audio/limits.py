"""Limits of accepted files, and the part of them that is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genrec.errors import ClipTooLong, UnsupportedFormat
from genrec.types import MAX_ANALYZED_S, Section

# In Hz. libsndfile would also accept 1 Hz and 4 GHz.
MIN_RATE, MAX_RATE = 8_000, 192_000
# 7.1 surround. libsndfile would also accept 1,024.
MAX_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits of accepted files, and the part of them that is decoded.

    Attributes
    ----------
    max_bytes
        Largest file. The default allows a whole CD as WAV.
    min_seconds
        Smallest number of seconds that must be decodable.
    max_seconds
        Largest number of seconds that are decoded.
    start
        Decoded part of a file longer than ``max_seconds``: ``middle``, away from intros and
        fade-outs, or ``start``.
    max_duration_s
        Largest length of the whole file, in seconds, according to its header.
    section
        Section of the file that is decoded as if it were a file; None for the whole file.
    """

    max_bytes: int = 2**30
    min_seconds: float = 1.0
    max_seconds: float = MAX_ANALYZED_S
    start: Literal["middle", "start"] = "middle"
    max_duration_s: float = 12 * 3600.0
    section: Section | None = None


def check_format(sr: int, channels: int) -> None:
    """Raise UnsupportedFormat if the sample rate or the number of channels is outside the limits.

    Parameters
    ----------
    sr
        Sample rate in Hz.
    channels
        Number of channels.
    """
    if not MIN_RATE <= sr <= MAX_RATE:
        raise UnsupportedFormat(
            f"This file's sample rate is {sr:,} Hz; genrec takes {MIN_RATE // 1000} to "
            f"{MAX_RATE // 1000} kHz. Save it at 44.1 kHz and send that."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedFormat(
            f"This file has {channels:,} channels; genrec takes 1 to {MAX_CHANNELS}. "
            "Save it as stereo and send that."
        )


def check_duration(duration_s: float, limits: DecodeLimits) -> None:
    """Raise ClipTooLong if a file's length in seconds exceeds ``limits.max_duration_s``."""
    if duration_s > limits.max_duration_s:
        raise ClipTooLong(
            f"This file is {duration_s / 3600:,.1f} h long according to its header; genrec takes "
            f"up to {limits.max_duration_s / 3600:g} h. Cut out a part and send that."
        )
