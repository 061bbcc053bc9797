"""Temporary directories that are always removed, also those of a process that was killed."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

PREFIX = "genrec-clip-"
# What a directory is called until it is locked, and for how long that may take at most.
_NEWBORN, _NEWBORN_S = "genrec-new-", 60.0


@contextmanager
def clip_dir(root: Path | None) -> Iterator[Path]:
    """Make a private directory under ``root`` (or the system's) and remove it, come what may.

    The directory is locked while it is in use; the kernel drops the lock when the process dies,
    which is how ``sweep`` knows what was left behind.
    """
    folder = Path(tempfile.mkdtemp(prefix=_NEWBORN, dir=root))
    try:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = folder.rename(folder.with_name(PREFIX + folder.name.removeprefix(_NEWBORN)))
            yield folder
        finally:
            os.close(lock)
    finally:
        _remove(folder)


def sweep(root: Path | None) -> int:
    """Remove the directories that killed processes left under ``root``; return how many."""
    removed, place = 0, Path(root or tempfile.gettempdir())
    for folder in (*place.glob(f"{PREFIX}*"), *place.glob(f"{_NEWBORN}*")):
        try:
            age_s = time.time() - folder.lstat().st_mtime
            if folder.name.startswith(_NEWBORN) and age_s < _NEWBORN_S:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone, or another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use
            continue
        else:
            _remove(folder)
            removed += 1
        finally:
            os.close(lock)
    return removed


def size_of(folder: Path) -> int:
    """Return the bytes that ``folder`` takes, as far as they can be seen while it changes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:  # renamed or removed under our eyes
                continue
    return total


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _log.warning("could not remove %s; it holds a clip", folder)
