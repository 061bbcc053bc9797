"""Parts of an open file that read like a file of their own."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class FileView:
    """The bytes of a file from ``start`` to ``end``, as an unbuffered file object.

    It has no name and no close(), because a decoder could pass on the name or close the file.

    Parameters
    ----------
    file
        Open for reading, seekable. Its position is not used: other views may read it too.
    start, end
        Offsets in bytes; None for the end of the file.
    hidden
        Offsets in the file between which the view has zeros.
    """

    def __init__(
        self,
        file: BinaryIO,
        start: int = 0,
        end: int | None = None,
        *,
        hidden: tuple[int, int] = (0, 0),
    ) -> None:
        size = file.seek(0, os.SEEK_END)
        self._hidden = hidden
        self._file, self._start = file, start
        self._end = size if end is None else min(end, size)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; all of the rest if it is negative."""
        left = max(0, self._end - self._start - self._at)
        at = self._start + self._at
        self._file.seek(at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        first, last = (min(max(0, one - at), len(data)) for one in self._hidden)
        return data if first == last else data[:first] + bytes(last - first) + data[last:]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end - self._start}
        self._at = max(0, base[whence] + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at
