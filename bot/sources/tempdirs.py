"""Temporary directories that are always removed, even those of a killed process."""

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
# Prefix of a directory before it is locked, and the longest time that locking may take.
_UNLOCKED_PREFIX, _UNLOCKED_MAX_S = "genrec-new-", 60.0


@contextmanager
def clip_dir(root: Path | None) -> Iterator[Path]:
    """Make a private directory under ``root`` (default: the system's) and always remove it.

    The directory is locked while it is in use. The kernel releases the lock when the process ends,
    so `remove_stale` can recognise the directories of a killed process.
    """
    folder = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=root))
    try:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = folder.rename(
                folder.with_name(PREFIX + folder.name.removeprefix(_UNLOCKED_PREFIX))
            )
            yield folder
        finally:
            os.close(lock)
    finally:
        _remove(folder)


def remove_stale(root: Path | None) -> int:
    """Remove the directories that killed processes left under ``root``; return their number."""
    removed, parent = 0, Path(root or tempfile.gettempdir())
    for folder in (*parent.glob(f"{PREFIX}*"), *parent.glob(f"{_UNLOCKED_PREFIX}*")):
        try:
            age_s = time.time() - folder.lstat().st_mtime
            if folder.name.startswith(_UNLOCKED_PREFIX) and age_s < _UNLOCKED_MAX_S:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # already removed, or owned by another user
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


def directory_size(folder: Path) -> int:
    """Return the bytes in ``folder``; files that vanish meanwhile are skipped."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:  # renamed or removed meanwhile
                continue
    return total


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _log.warning("temporary directory not removed, it still holds a clip: %s", folder)
