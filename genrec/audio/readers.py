"""Types that both decoders share: an open sound file, and the samples of its decoded part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class RawAudio:
    """Unchecked samples at the file's own sample rate.

    Attributes
    ----------
    y
        float32 (n,), the mono mix of the channels.
    sr
        Samples per second.
    duration_s
        Length of the file in seconds according to its header; None if unknown.
    complete
        False if the decoder failed, or the file is shorter than its header states.
    stream, streams
        Number of the decoded audio stream, from 1, and the number of audio streams.
    parts
        Where the samples lie in the file or its section, as (start, end) in seconds, in order.
    """

    y: Samples
    sr: int
    duration_s: float | None
    complete: bool
    stream: int = 1
    streams: int = 1
    parts: tuple[tuple[float, float], ...] = ()


class SoundReader(Protocol):
    """An open sound file or stream, as libsndfile and FFmpeg read it.

    Attributes
    ----------
    sr
        Samples per second according to the header.
    channels
        Number of channels according to the header.
    duration_s
        Length in seconds according to the header; None if unknown.
    tolerance_s
        A complete part may be this much shorter than the header states, in seconds.
    """

    sr: int
    channels: int
    duration_s: float | None
    tolerance_s: float

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        """Return at most ``length_s`` of mono samples from ``start_s`` on, and their sample rate.

        What cannot be decoded is missing, so the samples may be fewer or none.
        """
        ...

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        """Return some mono samples at a time, and their rate; cheaper than `read`.

        Unless ``exact``, they may come from some seconds earlier, where the file has an index.
        """
        ...


class ByteSource(Protocol):
    """Protocol of a file, or a part of one, for the decoders."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position and return it."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...


def join_parts(parts: Sequence[tuple[Samples, int]]) -> tuple[Samples, int]:
    """Return samples of several rates as one, at the rate of the longest, and that rate.

    Parameters
    ----------
    parts
        At least one pair of samples, float32 (n,), and their samples per second.
    """
    if len(parts) == 1:
        return parts[0]
    rate = max(parts, key=lambda part: part[0].size / part[1])[1]
    return np.concatenate([_resampled(y, sr, rate) for y, sr in parts]), rate


def _resampled(y: Samples, sr: int, rate: int) -> Samples:
    return y if sr == rate else np.asarray(soxr.resample(y, sr, rate, quality="HQ"), np.float32)


# Checks the header of an open file, chooses the parts to read and reads them. It raises
# InputRefused if the header is outside the limits.
ReadPlan = Callable[[SoundReader], RawAudio]
