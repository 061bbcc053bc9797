"""Read files that are several files in a row as one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, Self

import numpy as np

from genrec.audio.ffmpeg import AV_ERRORS, FfmpegReader, FfmpegSource, av_errors
from genrec.audio.ogg import OggLink
from genrec.audio.readers import RawAudio, ReadPlan, Samples, join_parts
from genrec.audio.views import FileView
from genrec.errors import InputRefused


class ChainReader:
    """`SoundReader` of a chained Ogg file; a context manager. Each link is opened when needed."""

    def __init__(self, file: BinaryIO, links: Sequence[OggLink]) -> None:
        self._file, self._links = file, links
        self._open: dict[int, FfmpegReader] = {}
        self._stack = ExitStack()
        self.duration_s: float | None = sum(link.seconds for link in links)
        self.tolerance_s = 0.1 * len(links)
        first = self._reader(0)
        self.sr, self.channels = first.sr, first.channels

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        """Return at most ``length_s`` of mono samples from ``start_s`` on, and their rate."""
        parts: list[tuple[Samples, int]] = []
        at_s, left_s = 0.0, length_s
        for number, link in enumerate(self._links):
            inside_s = max(0.0, start_s - at_s)
            at_s += link.seconds
            if inside_s >= link.seconds:
                continue
            with contextlib.suppress(*AV_ERRORS, InputRefused):  # a damaged link is left out
                length_s = min(left_s, link.seconds - inside_s)
                parts.append(self._reader(number).read(inside_s, length_s))
            left_s -= link.seconds - inside_s
            if left_s <= 0:
                break
        return join_parts(parts) if parts else (np.empty(0, np.float32), self.sr)

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        """Return some mono samples at a time, and their rate."""
        del exact
        return self.read(at_s, length_s)

    def _reader(self, number: int) -> FfmpegReader:
        if number not in self._open:
            link = self._links[number]
            view = FileView(self._file, link.start, link.end)
            reader = FfmpegReader(FfmpegSource(view, "ogg", link.seconds))
            self._open[number] = self._stack.enter_context(reader)
        return self._open[number]


def decode_chain(file: BinaryIO, links: Sequence[OggLink], plan: ReadPlan) -> RawAudio:
    """Return the planned part of a chained Ogg file.

    Parameters
    ----------
    file
        Open for reading, seekable.
    links
        The result of `ogg.chained_links`.
    plan
        Checks the header, chooses the part and reads it.

    Raises
    ------
    UnreadableAudio
        FFmpeg finds no audio in the file.
    UnsupportedFormat
        A codec is not in `ffmpeg.CODECS`.
    """
    with av_errors(), ChainReader(file, links) as reader:
        return plan(reader)
