"""Plan of an indexing run: the action for each file, from the scan and the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from db.ingest.failures import Failure
from db.ingest.scan import FileStamp, FolderScan
from genrec.errors import InputRefused


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """A track of a generation, the stamp of its file, if any, and whether it must be repaired."""

    track_id: int
    stamp: FileStamp | None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """State of a scope in the database, by path.

    ``active`` is the active generation, ``building`` that of an interrupted run, and ``failed`` the
    stored failures.
    """

    active: dict[str, IndexedTrack]
    building: dict[str, IndexedTrack]
    failed: Mapping[str, Failure]


@dataclass(slots=True)
class IngestPlan:
    """Actions of a run.

    ``todo`` are paths to analyse, ``copied`` ids of unchanged tracks, ``stale`` ids to drop from
    the interrupted generation, ``failed`` failures that stay, and ``obsolete`` paths of failures
    whose file is gone. ``resumed`` and ``removed`` are counts.
    """

    todo: list[str] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    obsolete: list[str] = field(default_factory=list)
    resumed: int = 0
    removed: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether the active generation is already up to date."""
        return not (self.todo or self.stale or self.resumed or self.removed)


def make_plan(
    folder: Path, found: FolderScan, known: KnownFiles, *, retry_failed: bool = False
) -> IngestPlan:
    """Decide on the action for every file of the folder or the database."""
    plan = IngestPlan()
    wanted: dict[str, FileStamp | None] = dict(found.files)
    for path, track in known.active.items():
        if path not in wanted and not _would_be_found(path, folder, found):
            wanted[path] = track.stamp
    for path, stamp in wanted.items():
        building, active = known.building.get(path), known.active.get(path)
        # A damaged track whose file is not in this folder waits for another run.
        repair = path in found.files
        if building and building.stamp == stamp and not (building.damaged and repair):
            plan.resumed += 1
        elif active and active.stamp == stamp and not (active.damaged and repair):
            plan.copied.append(active.track_id)
        elif (failure := known.failed.get(path)) and failure.stamp == stamp and not retry_failed:
            plan.failed.append(failure)
        else:
            plan.todo.append(path)
    plan.removed = len(known.active.keys() - wanted.keys())
    plan.stale = [
        track.track_id
        for path, track in known.building.items()
        if path not in wanted
        or track.stamp != wanted[path]
        or (track.damaged and path in found.files)
    ]
    plan.obsolete = [
        path
        for path in known.failed
        if path not in found.files and _would_be_found(path, folder, found)
    ]
    return plan


def refuse_sudden_emptiness(folder: Path, found: FolderScan, known: KnownFiles) -> None:
    """Raise InputRefused if a folder has no files but the catalogue has tracks from it.

    Its disk may be unmounted.
    """
    if found.files or not any(Path(path).is_relative_to(folder) for path in known.active):
        return
    raise InputRefused(
        f"The folder {folder} is empty, but the catalogue has tracks from it. Check that its disk"
        " is mounted, or run genrec index with --allow-empty."
    )


def _would_be_found(path: str, folder: Path, found: FolderScan) -> bool:
    """Return whether the scan would have found this path if the file existed."""
    place = Path(path)
    if not place.is_relative_to(folder):
        return False  # of another folder, or not a file
    return not any(place.is_relative_to(unreadable) for unreadable in found.unreadable)
