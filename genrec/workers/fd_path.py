"""A clip on its way into a worker: opened by the parent, handed over open, read there.

So a worker needs no right to open files: what it is handed is all it can read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PosixPath
from typing import BinaryIO

from genrec.errors import FileMissing


class FdPath(PosixPath):
    """The path of a file that is open already: `stat` and `open` use its descriptor."""

    fd: int

    @classmethod
    def at(cls, fd: int, name: str) -> FdPath:
        """Return the file behind ``fd``, to be called ``name`` in sentences."""
        path = cls(name)
        path.fd = fd
        return path

    def stat(self, **_: bool) -> os.stat_result:
        """Look at the open file."""
        return os.fstat(self.fd)

    def open(self, mode: str = "rb", buffering: int = -1, *_: None) -> BinaryIO:  # type: ignore[override]
        """Read the open file from its start."""
        if mode != "rb":
            raise ValueError(f"A clip is only read, not opened as {mode!r}.")
        os.lseek(self.fd, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self.fd), "rb", buffering)


def open_clip(path: Path) -> int:
    """Open a clip for reading and return its descriptor, to be closed by the caller.

    Raises
    ------
    FileMissing
        There is no such file, or it is a folder or a device, or it may not be read.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise FileMissing(
            f'There is no file "{path.name}". Check the name and the folder.'
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FileMissing(
            f'"{path.name}" cannot be opened. Check its name and whether you may read it.'
        ) from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileMissing(f'"{path.name}" is not a file. Name a sound file.')
