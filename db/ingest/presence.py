"""Find the files of known tracks that are no longer where they were indexed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from db.folders import within
from db.ingest.scan import FolderScan
from db.sections import file_of


@dataclass(slots=True)
class MissingFiles:
    """Known paths without their files.

    ``gone`` are paths in folders that are there. ``absent`` maps each path in a missing or empty
    folder, perhaps a disk that is not mounted, to that folder. ``present`` are paths outside the
    scanned folder whose files are there. A path in none of them could not be checked.
    """

    gone: set[str] = field(default_factory=set)
    absent: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)

    def __contains__(self, path: str) -> bool:
        return path in self.gone or path in self.absent


def is_file_source(source: str) -> bool:
    """Return whether a track's source is the absolute path of a file."""
    return Path(source).is_absolute()


def file_exists(source: str) -> bool:
    """Return whether a track's file exists; True for a track without a file."""
    return not is_file_source(source) or os.path.lexists(file_of(source))


def find_missing(
    paths: Iterable[str], folder: Path, found: FolderScan, roots: Collection[str] = ()
) -> MissingFiles:
    """Check the files of known paths: in the scan, or by listing each folder outside of it once.

    ``roots`` are the indexed folders. A folder that the scan found under another name, as after a
    change of case or of a bind mount, counts as gone under the old name. If the scan only reached
    it by a symbolic link, its files stay with the folder itself, and are removed from ``found``.
    """
    check = _Check(folder, found, (*roots, str(folder)))
    missing = MissingFiles()
    for path in paths:
        if is_file_source(path) and path not in found.files:
            check.classify(path, missing)
    return missing


def is_gone(path: str, roots: Iterable[str]) -> bool:
    """Return whether a file is missing although the indexed folder around it is there.

    False if there is no such folder in ``roots``, or if it is missing, empty or unreadable: its
    disk may not be mounted, or this machine may never have had it.
    """
    roots = tuple(roots)
    if file_exists(path) or not any(within(path, root) for root in roots):
        return False
    missing = MissingFiles()
    _Check(Path(os.devnull), FolderScan(), roots).classify(path, missing)
    return path in missing.gone


class _Check:
    """Listings of folders, each read once."""

    def __init__(self, folder: Path, found: FolderScan, roots: tuple[str, ...]) -> None:
        self._folder = folder
        self._found = found
        self._roots = roots
        self._listings: dict[str, frozenset[str] | None] = {}
        self._unreadable: set[str] = set()
        self._found_dirs: dict[tuple[int, int], str] | None = None

    def classify(self, path: str, missing: MissingFiles) -> None:
        scanned = within(path, str(self._folder))
        if scanned and any(within(path, unread) for unread in self._found.unreadable):
            return
        place = Path(file_of(path))
        parent, name = str(place.parent), place.name
        names = self._listing(parent)
        if parent in self._unreadable:
            return
        if names is None or not names:
            self._without_folder(path, parent, missing)
        elif scanned or name not in names or self._renamed(parent, name):
            missing.gone.add(path)
        else:
            missing.present.add(path)

    def _without_folder(self, path: str, parent: str, missing: MissingFiles) -> None:
        """Classify a path by the nearest folder above it that exists."""
        top = parent
        while (names := self._listing(parent)) is None and parent not in self._unreadable:
            top, parent = parent, str(Path(parent).parent)
        if parent in self._unreadable:
            return
        inside = [root for root in self._roots if within(parent, root)]
        if names and inside:
            missing.gone.add(path)
            return
        place = top if names else parent
        above = [root for root in self._roots if within(root, place) and within(path, root)]
        missing.absent[path] = min(above, key=len, default=place)

    def _listing(self, folder: str) -> frozenset[str] | None:
        """Return the names in a folder, or None if it is not there."""
        if folder not in self._listings:
            try:
                with os.scandir(folder) as entries:
                    self._listings[folder] = frozenset(entry.name for entry in entries)
            except (FileNotFoundError, NotADirectoryError):
                self._listings[folder] = None
            except OSError:
                self._unreadable.add(folder)
                self._listings[folder] = None
        return self._listings[folder]

    def _renamed(self, parent: str, name: str) -> bool:
        """Return whether the scan found the file under another name of its folder."""
        if self._found_dirs is None:
            self._found_dirs = {}
            for folder in {str(Path(path).parent) for path in self._found.files}:
                if (identity := _identity(folder)) is not None:
                    self._found_dirs[identity] = folder
        identity = _identity(parent)
        other = None if identity is None else self._found_dirs.get(identity)
        if other is None or other == parent or str(Path(other, name)) not in self._found.files:
            return False
        if os.path.realpath(other) == parent:
            del self._found.files[str(Path(other, name))]
            return False
        return True


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
