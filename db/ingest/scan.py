"""Scan a music folder for audio files, with their size and modification time."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from genrec.errors import FileMissing

# A first filter; whether a file is audio is decided by the decoder.
AUDIO_SUFFIXES = frozenset(
    {
        ".aac", ".aif", ".aiff", ".flac", ".m4a", ".m4b", ".mka", ".mkv",
        ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Size in bytes and modification time in ns; a file with an equal stamp counts as unchanged."""

    size: int
    mtime_ns: int


@dataclass(slots=True)
class FolderScan:
    """Result of a scan: file stamps by absolute path, and the reason for each unreadable path."""

    files: dict[str, FileStamp] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def open_folder(path: Path) -> Path:
    """Return a folder's absolute path with links resolved; raise FileMissing if unreadable."""
    folder = path.resolve()
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise FileMissing(
            f"The folder {path} cannot be opened ({error.strerror}): name your music folder."
        ) from error
    return folder


def scan_folder(root: Path) -> FolderScan:
    """Return the audio files under a folder, each once, without hidden files and folders.

    A file counts as audio by its suffix. Linked folders are scanned after all others, and no folder
    is scanned twice.
    """
    found = FolderScan()
    scanned: set[tuple[int, int]] = set()
    plain, linked = deque([str(root)]), deque[str]()
    while plain or linked:
        folder = (plain or linked).popleft()
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in scanned:
                continue
            scanned.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listing = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable[printable(folder)] = f"The folder cannot be read ({error.strerror})."
            continue
        for entry in listing:
            if not entry.name.startswith("."):
                _add(entry, found, linked if entry.is_symlink() else plain)
    return found


def file_stamp(path: str) -> FileStamp:
    """Return the size and modification time of a file; raises OSError."""
    status = Path(path).stat()
    return FileStamp(status.st_size, status.st_mtime_ns)


def file_sha256(path: str) -> str:
    """Return the SHA-256 of a file as hex; raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(path: str) -> str:
    """Return a path in which bytes that are not UTF-8 are escaped."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _add(entry: os.DirEntry[str], found: FolderScan, folders: deque[str]) -> None:
    try:
        if entry.is_dir():
            folders.append(entry.path)
        elif entry.is_file() and Path(entry.name).suffix.casefold() in AUDIO_SUFFIXES:
            entry.path.encode("utf-8")
            status = entry.stat()
            found.files[entry.path] = FileStamp(status.st_size, status.st_mtime_ns)
    except UnicodeEncodeError:
        found.unreadable[printable(entry.path)] = "The file's name is not UTF-8: rename it."
    except OSError as error:
        found.unreadable[printable(entry.path)] = f"The file cannot be read ({error.strerror})."
