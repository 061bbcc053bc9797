"""Scan a music folder: sound files with their stamps, and the reason for each other file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from db.ingest.cue import MIN_ALBUM_BYTES, CueSong, album_songs, embedded_songs, is_sheet
from db.ingest.file_kinds import (
    LeftOutFile,
    LeftOutReason,
    is_snapshot,
    kind_of,
    reason_to_leave_out,
    system_folder,
)
from db.sections import section_source
from genrec.errors import FileMissing


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Size in bytes and modification time in ns; a file with an equal stamp counts as unchanged."""

    size: int
    mtime_ns: int


@dataclass(slots=True)
class FolderScan:
    """Result of a scan: stamps of sound files by path, reasons by unreadable path, files left out.

    Every file below the folder is in one of the three. A folder of snapshots counts as one file.
    An album in one file with a CUE sheet is in ``files`` as its ``songs``, by their sources.
    """

    files: dict[str, FileStamp] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOutFile] = field(default_factory=list)
    songs: dict[str, CueSong] = field(default_factory=dict)


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
    """Return the sound files under a folder, each once, and the other files with their reasons.

    Names that begin with a dot are scanned like any other. Linked folders are scanned after all
    others, and no folder is scanned twice.
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
            _add(entry, found, linked if entry.is_symlink() else plain)
        _divide_albums([entry.path for entry in listing], found)
    return found


def refuse_long_paths(found: FolderScan, limit: int) -> None:
    """Move the files whose path has more than ``limit`` bytes to the unreadable ones."""
    for path in [path for path in found.files if len(path.encode()) > limit]:
        del found.files[path]
        found.unreadable[path] = (
            f"The path has {len(path.encode()):,} bytes, and PostgreSQL stores {limit:,} at most:"
            " shorten the names of its folders, or set GENREC_DATABASE to a file."
        )


def file_stamp(path: str) -> FileStamp:
    """Return the size and modification time of a file; raises OSError."""
    status = Path(path).stat()
    return FileStamp(status.st_size, status.st_mtime_ns)


def song_stamp(song: CueSong) -> FileStamp:
    """Return the stamp of a song: of the album file and its CUE sheet; raises OSError."""
    album, sheet = file_stamp(song.path), file_stamp(song.sheet)
    return FileStamp(album.size + sheet.size, max(album.mtime_ns, sheet.mtime_ns))


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
            if kind := system_folder(entry.path, entry.name):
                found.left_out.extend(_system_files(entry, kind))
            else:
                folders.append(entry.path)
            return
        left_out = reason_to_leave_out(entry.path, entry.name) if entry.is_file() else _dead(entry)
        if left_out is not None:
            found.left_out.append(replace(left_out, path=printable(entry.path)))
        else:
            entry.path.encode("utf-8")
            status = entry.stat()
            found.files[entry.path] = FileStamp(status.st_size, status.st_mtime_ns)
    except UnicodeEncodeError:
        found.unreadable[printable(entry.path)] = "The file's name is not UTF-8: rename it."
    except OSError as error:
        found.unreadable[printable(entry.path)] = f"The file cannot be read ({error.strerror})."


def _divide_albums(paths: list[str], found: FolderScan) -> None:
    """Put the songs of CUE sheets in a folder, or among tags, in place of their album files."""
    sounds = [path for path in paths if path in found.files]
    for sheet in paths:
        # An unreadable sheet leaves the album as it is.
        with contextlib.suppress(OSError, UnicodeError):
            if is_sheet(sheet):
                _divide(album_songs(sheet, sounds), found)
    for path in sounds:
        stamp = found.files.get(path)
        if stamp is not None and stamp.size >= MIN_ALBUM_BYTES:
            with contextlib.suppress(OSError):
                _divide(embedded_songs(path), found)


def _divide(songs: list[CueSong], found: FolderScan) -> None:
    songs = [song for song in songs if song.path in found.files]
    stamps = {section_source(song.path, song.section): (song, song_stamp(song)) for song in songs}
    for source, (song, stamp) in stamps.items():
        found.files.pop(song.path, None)
        found.files[source], found.songs[source] = stamp, song


def _system_files(folder: os.DirEntry[str], kind: str) -> Iterator[LeftOutFile]:
    """Yield the files below a system's folder; links in it are not followed."""
    if is_snapshot(kind):
        yield LeftOutFile(printable(folder.path), LeftOutReason.SYSTEM_FOLDER, kind)
        return
    for parent, _, names in os.walk(folder.path):
        for name in names:
            path = printable(os.path.join(parent, name))  # noqa: PTH118 - a path may be a byte path
            yield LeftOutFile(path, LeftOutReason.SYSTEM_FOLDER, kind)


def _dead(entry: os.DirEntry[str]) -> LeftOutFile:
    """Return why neither a file nor a folder is at this place."""
    dead = entry.is_symlink() and not Path(entry.path).exists()
    reason = LeftOutReason.DEAD_LINK if dead else LeftOutReason.NO_FILE
    return LeftOutFile(entry.path, reason, kind_of(entry.name))
