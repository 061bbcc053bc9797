"""Decides what an indexing run does with each file, from what is there and what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from db.ingest.failures import Failure
from db.ingest.scan import FileStamp, FolderScan
from genrec.errors import InputRefused


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """A track that a generation holds, and the stamp of its file, if it came from one."""

    track_id: int
    stamp: FileStamp | None


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """What the database knows of a scope, each by path.

    ``served`` is the active generation, ``built`` what a cut-off run left, ``failed`` the files not
    to try again.
    """

    served: Mapping[str, IndexedTrack]
    built: Mapping[str, IndexedTrack]
    failed: Mapping[str, Failure]


@dataclass(slots=True)
class IngestPlan:
    """What to do: files to work on, tracks to take over and to drop; and what stays as it is."""

    todo: list[str] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)
    resumed: int = 0
    removed: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether what is served is what should be."""
        return not (self.todo or self.stale or self.resumed or self.removed)


def make_plan(
    folder: Path, found: FolderScan, known: KnownFiles, *, retry_failed: bool = False
) -> IngestPlan:
    """Decide what to do with every file that was found or is known."""
    plan = IngestPlan()
    wanted: dict[str, FileStamp | None] = dict(found.files)
    for path, held in known.served.items():
        if path not in wanted and not _is_ours(path, folder, found):
            wanted[path] = held.stamp
    for path, stamp in wanted.items():
        if (built := known.built.get(path)) and built.stamp == stamp:
            plan.resumed += 1
        elif (served := known.served.get(path)) and served.stamp == stamp:
            plan.copied.append(served.track_id)
        elif (failure := known.failed.get(path)) and failure.stamp == stamp and not retry_failed:
            plan.failed.append(failure)
        else:
            plan.todo.append(path)
    plan.removed = len(known.served.keys() - wanted.keys())
    plan.stale = [
        held.track_id
        for path, held in known.built.items()
        if path not in wanted or held.stamp != wanted[path]
    ]
    plan.forgiven = [
        path for path in known.failed if path not in found.files and _is_ours(path, folder, found)
    ]
    return plan


def refuse_sudden_emptiness(folder: Path, found: FolderScan, known: KnownFiles) -> None:
    """Refuse to empty the catalogue because a disk is not mounted."""
    if found.files or not any(Path(path).is_relative_to(folder) for path in known.served):
        return
    raise InputRefused(
        f"The folder {folder} holds no music any more, and the catalogue has tracks from it: check"
        " that its disk is there, or allow an empty folder."
    )


def _is_ours(path: str, folder: Path, found: FolderScan) -> bool:
    """Whether a path that was not found would have been, were it there."""
    place = Path(path)
    if not place.is_relative_to(folder):
        return False  # from another folder, or no file at all
    return not any(place.is_relative_to(unreadable) for unreadable in found.unreadable)
