"""Decode with libsndfile, which is the faster decoder for most formats.

The decoder reads an open file and gets no path, so that a file cannot refer to another one.
"""

from __future__ import annotations

import contextlib
from typing import BinaryIO

import numpy as np
import soundfile

from genrec.audio.channels import MEAN, ChannelStats, MonoMix
from genrec.audio.readers import RawAudio, ReadPlan, Samples
from genrec.audio.views import FileView

# Frames per read, 2 MB of stereo. soundfile seeks after each read, so with blocks of 16,384 an MP3
# takes 40 % longer.
BLOCK = 2**18
# libsndfile's length of a stream of unknown length.
UNKNOWN_FRAMES = 2**62


class LibsndfileReader:
    """`SoundReader` of an open `soundfile.SoundFile` whose length is known."""

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self._sound = sound
        self._frames = sound.frames
        self._block = np.empty((0, sound.channels), np.float32)
        self.sr: int = sound.samplerate
        self.channels: int = sound.channels
        known = 0 < self._frames < UNKNOWN_FRAMES
        self.duration_s = self._frames / self.sr if known else None
        self.tolerance_s = 0.5 / max(self.sr, 1)

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        """Return at most ``length_s`` of mono samples from ``start_s`` on, and their rate."""
        if self.duration_s is None:
            return np.empty(0, np.float32), self.sr
        start = round(start_s * self.sr)
        y = np.empty(max(0, min(round(length_s * self.sr), self._frames - start)), np.float32)
        stats = ChannelStats()
        count = self._fill(y, start, MEAN, stats)
        mix = stats.mix()
        if mix is not MEAN:
            count = self._fill(y, start, mix, None)
        return y[:count], self.sr

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        """Return some mono samples at a time, and their rate."""
        del exact  # libsndfile always is
        return self.read(at_s, length_s)

    def has_end(self) -> bool:
        """Return whether the last sample can be decoded; takes 0.2 ms in a whole FLAC."""
        with contextlib.suppress(soundfile.SoundFileError, RuntimeError):
            self._sound.seek(self._frames - 1)
            return len(self._sound.read(1)) > 0
        return False

    def _fill(self, y: Samples, start: int, mix: MonoMix, stats: ChannelStats | None) -> int:
        """Decode into ``y`` from frame ``start``; return the number of decoded frames."""
        count = 0
        if len(self._block) < min(y.size, BLOCK):
            self._block = np.empty((min(y.size, BLOCK), self.channels), np.float32)
        with contextlib.suppress(soundfile.SoundFileError, RuntimeError):  # earlier blocks count
            if self._sound.tell() != start:
                self._sound.seek(start)
            while count < y.size:
                part = self._sound.read(out=self._block[: y.size - count])
                if len(part) == 0:
                    break
                mix.apply(part.T, out=y[count : count + len(part)])
                if stats is not None:
                    stats.add(part.T)
                count += len(part)
        return count


def decode_with_libsndfile(
    file: BinaryIO | FileView, plan: ReadPlan, *, check_end: bool
) -> RawAudio | None:
    """Return the planned part of a file, decoded by libsndfile.

    Parameters
    ----------
    file
        An unbuffered file, open for reading, or a part of one.
    plan
        Checks the header, chooses the part and reads it.
    check_end
        Also check that the last sample can be decoded.

    Returns
    -------
    RawAudio or None
        None if libsndfile cannot open the file, or its length is unknown.
    """
    file.seek(0)
    try:
        # Reading a WAV by its descriptor takes two thirds of the time of the file object.
        source = file if isinstance(file, FileView) else file.fileno()
        sound = soundfile.SoundFile(source, closefd=False)
    except (soundfile.SoundFileError, RuntimeError):
        return None
    with sound:
        reader = LibsndfileReader(sound)
        raw = plan(reader)
        if reader.duration_s is None:
            return None
        if check_end and not reader.has_end():
            return RawAudio(raw.y[:0], raw.sr, raw.duration_s, complete=False)
        return raw
