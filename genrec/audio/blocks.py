"""Collect FFmpeg's frames as mono samples in blocks, across changes of rate and channels."""

from __future__ import annotations

import av
import numpy as np

from genrec.audio.channels import ChannelStats, MonoMix
from genrec.audio.limits import check_format
from genrec.audio.readers import Samples, join_parts
from genrec.errors import InputRefused

# Samples per block: small enough for the processor's cache.
BLOCK = 2**14
# Changes of the sample rate that are followed. Recorded radio streams have a few.
MAX_RATE_CHANGES = 32


class MonoCollector:
    """Collects mono samples of a part of a stream, in blocks of `BLOCK` samples.

    Frame by frame would take twice as long.

    Parameters
    ----------
    start_s, length_s
        The part of the stream, in seconds.
    max_skip_s
        If the first frame begins at most this much before ``start_s``, what comes before it is
        left out; else the part begins with the first frame.
    mix
        How the channels are mixed.
    """

    def __init__(self, start_s: float, length_s: float, max_skip_s: float, mix: MonoMix) -> None:
        self.start_s, self._left_s, self._max_skip_s = start_s, length_s, max_skip_s
        self.stats = ChannelStats()
        self._mix = mix
        self._fifo = av.AudioFifo()
        self._shape: tuple[int, str, int] | None = None
        # Samples of earlier sample rates, then those of the present one.
        self._done: list[tuple[Samples, int]] = []
        self._y = np.empty(0, np.float32)
        self._skip = self._count = 0

    def add(self, frame: av.AudioFrame, at_s: float | None) -> bool:
        """Add a frame that begins at ``at_s``; return False when no more are needed.

        Raises
        ------
        InputRefused
            The first frame's sample rate or number of channels is outside the limits.
        """
        shape = (frame.layout.nb_channels, frame.format.name, frame.sample_rate)
        if shape != self._shape and not self._change(shape, at_s):
            return False
        frame.pts = None  # the queue would raise on a gap
        self._fifo.write(frame)
        if self._fifo.samples >= BLOCK and (block := self._fifo.read()):
            self._append(block)
        return self._count < self._y.size

    def finish(self) -> None:
        """Add the samples that wait in the queue."""
        if rest := self._fifo.read():
            self._append(rest)

    def samples(self, *, default_rate: int) -> tuple[Samples, int]:
        """Return the samples, float32 (n,), and their rate; ``default_rate`` if there are none."""
        parts = [*self._done, self._present()] if self._shape else []
        if not parts:
            return np.empty(0, np.float32), default_rate
        return join_parts(parts)

    def _present(self) -> tuple[Samples, int]:
        assert self._shape is not None
        return self._y[self._skip : self._count], self._shape[2]

    def _change(self, shape: tuple[int, str, int], at_s: float | None) -> bool:
        """Begin a stretch of frames of another shape; the queue holds frames of one shape only."""
        channels, _, rate = shape
        first = self._shape is None
        try:
            check_format(rate, channels)  # the frames may differ from the header
        except InputRefused:
            if first:
                raise
            return False
        self.finish()
        self._fifo = av.AudioFifo()
        if first:
            late_s = 0.0 if at_s is None else self.start_s - at_s
            self._skip = round(late_s * rate) if 0 < late_s <= self._max_skip_s else 0
            self._y = np.empty(self._skip + round(self._left_s * rate), np.float32)
        elif self._shape and self._shape[2] != rate:
            y, sr = self._present()
            self._done.append((y.copy(), sr))
            self._left_s -= y.size / sr
            self._y = np.empty(max(0, round(self._left_s * rate)), np.float32)
            self._skip = self._count = 0
        self._shape = shape
        return len(self._done) <= MAX_RATE_CHANGES

    def _append(self, block: av.AudioFrame) -> None:
        planes = _planes(block)
        room = self._y[self._count : self._count + planes.shape[1]]
        planes = planes[:, : room.size]
        self._mix.apply(planes, out=room)
        self.stats.add(planes)
        self._count += room.size


def _planes(frame: av.AudioFrame) -> np.ndarray:
    """Return a frame's samples, float (channels, n), with full scale at 1."""
    samples = frame.to_ndarray()
    channels = frame.layout.nb_channels
    planes = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    if planes.dtype.kind == "f":
        return planes
    full_scale = np.float32(2.0 ** (8 * planes.dtype.itemsize - 1))
    scaled = planes.astype(np.float32)
    if planes.dtype.kind == "u":
        scaled -= full_scale
    scaled *= 1 / full_scale
    return scaled
