"""Read a section of an open sound file as if it were a whole file."""

from __future__ import annotations

import numpy as np

from genrec.audio.readers import Samples, SoundReader
from genrec.types import Section

# An index of a file has an entry for so many seconds, or for fewer.
INDEX_STEP_S = 10.0


class SectionReader:
    """Reader of one section; its attributes and methods are those of `readers.SoundReader`.

    Parameters
    ----------
    reader
        The open file.
    section
        The section, which may end after the file does.
    """

    def __init__(self, reader: SoundReader, section: Section) -> None:
        self._reader, self._section = reader, section
        self.sr = reader.sr
        self.channels = reader.channels
        self.tolerance_s = reader.tolerance_s
        # None for the end of a file of unknown length.
        ends = [end for end in (section.end_s, reader.duration_s) if end is not None]
        self.duration_s = max(0.0, min(ends) - section.start_s) if ends else None

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        """Return at most ``length_s`` of mono samples from ``start_s`` of the section on."""
        if self.duration_s is not None:
            length_s = min(length_s, self.duration_s - start_s)
        if length_s <= 0:
            return np.empty(0, np.float32), self.sr
        return self._reader.read(self._section.start_s + start_s, length_s)

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        """Return some mono samples at a time of the section, and their rate."""
        # Samples from some seconds earlier would be those of the song before.
        exact = exact or at_s < INDEX_STEP_S
        return self._reader.probe(self._section.start_s + at_s, length_s, exact=exact)
