"""Write files atomically, and convert the errors of files that cannot be opened."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrec.errors import FileMissing


@contextmanager
def open_errors(path: Path) -> Iterator[None]:
    """Raise FileMissing in place of an OSError or ValueError of the block, which opens ``path``."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(
            f'There is no file "{path.name}". Check the name and the folder.'
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FileMissing(
            f'"{path.name}" cannot be opened. Check its name and whether you may read it.'
        ) from error


def check_regular(path: Path, mode: int) -> None:
    """Raise FileMissing unless ``mode`` (``st_mode``) is that of a regular file."""
    if not stat.S_ISREG(mode):
        raise FileMissing(f'"{path.name}" is not a file. Name a sound file.')


@contextmanager
def atomic_write(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` after the block.

    If the block raises, the temporary file is removed and ``path`` keeps its old content. If
    ``path`` is a symbolic link, the link stays and the file it points to is replaced. A device, a
    pipe or a socket cannot be replaced, so its own path is yielded and the block writes to it.

    Parameters
    ----------
    path
        The final path. Its folder must exist.
    private
        Create the file with mode 0600. Otherwise it keeps the mode of the file it replaces, and a
        new file gets the mode that the umask allows.

    Raises
    ------
    OSError
        The file cannot be created, written or renamed; ``path`` is a folder.
    """
    try:
        before = path.stat()  # not of the resolved path: /dev/stdout resolves to no file
    except FileNotFoundError:
        before = None
    if before is not None and stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(21, os.strerror(21), str(path))
    if before is not None and not stat.S_ISREG(before.st_mode):
        yield path
        return
    target = path.resolve()
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part{target.suffix}")
    descriptor = os.open(
        temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666
    )
    try:
        os.close(descriptor)
        if before is not None and not private:
            temporary.chmod(stat.S_IMODE(before.st_mode))
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `atomic_write` for ``path`` that killed processes left."""
    target = path.resolve()
    for temporary in target.parent.glob(f"{target.name}.*.part{target.suffix}"):
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Write the file's data to the disk, so that a power cut after the rename loses nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
