"""Estimate the length of MPEG audio and ADTS files that state none, or a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genrec.audio.mpeg import (
    MAX_FRAME_BYTES,
    Frame,
    find_frames,
    frames_in,
    id3_bytes,
    parse_frame,
)


@dataclass(frozen=True, slots=True)
class StatedLength:
    """The Xing, Info or VBRI header in the first frame of an MP3; 0 stands for "not stated".

    Attributes
    ----------
    frames, size
        Number of frames, and of bytes.
    fields
        Where the two numbers are, as offsets in the frame.
    """

    frames: int
    size: int
    fields: tuple[int, int]


@dataclass(frozen=True, slots=True)
class EstimatedLength:
    """Length of a file that states none, or a wrong one.

    Attributes
    ----------
    seconds
        Estimated from its frames.
    wrong
        Offsets in the file of a wrong statement, which decoders must not see.
    """

    seconds: float
    wrong: tuple[int, int] = (0, 0)


def stated_length(first: bytes) -> StatedLength | None:
    """Return what the first frame of an MP3 states of its length, or None.

    Parameters
    ----------
    first
        The bytes of the frame, with its header.
    """
    for at in (13, 15, 21, 23, 36, 38):  # after the side information, with a checksum or without
        if first[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(first[at + 4 : at + 8], "big")
            fields = [int.from_bytes(first[i : i + 4], "big") for i in (at + 8, at + 12)]
            frames = fields.pop(0) if flags & 1 else 0
            end = at + 8 + 4 * (flags & 1) + 2 * (flags & 2)
            return StatedLength(frames, fields[0] if flags & 2 else 0, (at + 8, end))
    if first[36:40] == b"VBRI":
        size, frames = (int.from_bytes(first[i : i + 4], "big") for i in (46, 50))
        return StatedLength(frames, size, (46, 54))
    return None


# Files below this many bytes are counted frame by frame.
COUNTED_BYTES = 400_000
SAMPLED_PLACES, SAMPLED_BYTES = 12, 6000
# Bytes after the stated end in which frames are looked for.
JOINT_BYTES = 4 * MAX_FRAME_BYTES

ReadAt = Callable[[int, int], bytes]


def estimated_length(read_at: ReadAt, start: int, size: int) -> EstimatedLength | None:
    """Return the length of MPEG or ADTS frames that state no length, or a wrong one.

    Frames are counted in a small file and sampled at some places of a larger one, so the length of
    a file of variable bit rate is off by some percent.

    Parameters
    ----------
    read_at
        Returns the bytes at an offset, at most so many.
    start, size
        Offset of the first frame, and the length of the file, in bytes.

    Returns
    -------
    EstimatedLength or None
        None if the first frame states the right number of frames, or if no frames are found.
    """
    rate, tolerance = _seconds_per_byte(read_at, start, size - start)
    first = read_at(start, MAX_FRAME_BYTES)
    frame = parse_frame(first)
    if frame is None or not rate:
        return None
    estimated = rate * (size - start)
    stated = None if frame.adts else stated_length(first[: frame.size])
    if stated is None:
        return EstimatedLength(estimated)
    seconds = stated.frames * frame.samples / frame.sr
    low, high = estimated / tolerance - 0.1, estimated * tolerance + 0.1
    if stated.size > size - start:  # cut off: the whole had this length
        high = float("inf")
    if low <= seconds <= high and not _is_joined(read_at, start + stated.size, start, size):
        return None
    return EstimatedLength(estimated, (start + stated.fields[0], start + stated.fields[1]))


def _is_joined(read_at: ReadAt, end: int, start: int, size: int) -> bool:
    """Return whether frames follow the stated end, as where files were joined."""
    if not start < end < size:
        return False
    end += id3_bytes(read_at(end, 10))
    return find_frames(read_at(end, max(0, min(size - end, JOINT_BYTES)))) is not None


def _seconds_per_byte(read_at: ReadAt, start: int, size: int) -> tuple[float, float]:
    """Return the mean of frames, 0 if there are none, and the factor of its uncertainty."""
    if size < COUNTED_BYTES:
        frames = list(frames_in(read_at(start, size)))
        if frames and frames[-1][0] + frames[-1][1].size > size - MAX_FRAME_BYTES:
            return _mean([frame for _, frame in frames]), 1.1
    sampled: list[Frame] = []
    for place in range(SAMPLED_PLACES):
        data = read_at(start + place * size // SAMPLED_PLACES, SAMPLED_BYTES)
        found = find_frames(data)
        if found is not None and not found.free_format:
            sampled += [frame for _, frame in frames_in(data, found.offset)]
    return _mean(sampled), 1.5


def _mean(frames: list[Frame]) -> float:
    size = sum(frame.size for frame in frames)
    return sum(frame.samples / frame.sr for frame in frames) / size if size else 0.0
