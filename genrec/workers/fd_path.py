"""Clips as open file descriptors: opened in the parent, passed to the worker and read there.

So the sandbox of a worker needs no permission to open clips.
"""

from __future__ import annotations

import os
from pathlib import Path, PosixPath
from typing import BinaryIO

from genrec.files import check_regular, open_errors


class FdPath(PosixPath):
    """Path of a file that is already open: `stat` and `open` use its descriptor."""

    fd: int

    @classmethod
    def at(cls, fd: int, name: str) -> FdPath:
        """Return a path for the descriptor ``fd``; errors show ``name``."""
        path = cls(name)
        path.fd = fd
        return path

    def stat(self, **_: bool) -> os.stat_result:
        """Return the status of the open file."""
        return os.fstat(self.fd)

    def open(self, mode: str = "rb", buffering: int = -1, *_: None) -> BinaryIO:  # type: ignore[override]
        """Return a file object at the start of the file, on a copy of the descriptor."""
        if mode != "rb":
            raise ValueError(f"mode={mode!r}: expected 'rb'")
        os.lseek(self.fd, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self.fd), "rb", buffering)


def open_clip(path: Path) -> int:
    """Open a clip for reading and return its descriptor. The caller closes it.

    Raises
    ------
    FileMissing
        The file does not exist, is not a regular file, or may not be read.
    """
    with open_errors(path):
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        check_regular(path, os.fstat(fd).st_mode)
    except BaseException:
        os.close(fd)
        raise
    return fd
