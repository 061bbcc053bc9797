"""Plan of an indexing run: the action for each file, from the scan and the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from db.ingest.failures import Failure
from db.ingest.presence import MissingFiles
from db.ingest.scan import FileStamp, FolderScan
from genrec.errors import InputRefused

# Long enough to index the folder to which a file was moved, without a new analysis.
KEEP_GONE_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """A track of a generation.

    ``stamp`` is that of its file, if any; ``damaged`` tracks must be analysed again; ``gone_at`` is
    when the file was found to be gone, in seconds since 1970.
    """

    track_id: int
    stamp: FileStamp | None
    damaged: bool = False
    gone_at: float | None = None


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

    ``todo`` are paths to analyse, ``stale`` ids to drop from the interrupted generation. ``failed``
    are failures that stay or moved, and ``obsolete`` paths of failures whose file is gone. Of the
    active tracks, by id: ``unchanged``; ``hidden``, whose file is gone since the last run;
    ``returned``, whose file is back; ``removed``, the hidden ones whose folder is there;
    ``expired``, to be deleted; and ``lost``, all whose file is gone. ``resumed`` is a count.
    """

    todo: list[str] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    expired: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    obsolete: list[str] = field(default_factory=list)
    resumed: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether the active generation is already up to date."""
        changes = (self.todo, self.stale, self.hidden, self.returned, self.expired)
        return not (any(changes) or self.resumed)


def make_plan(
    folder: Path,
    found: FolderScan,
    known: KnownFiles,
    missing: MissingFiles,
    *,
    now: float = 0.0,
    retry_failed: bool = False,
    allow_empty: bool = False,
) -> IngestPlan:
    """Decide on the action for every file of the folder or the database.

    ``now`` is in seconds since 1970. With ``allow_empty`` tracks of missing files are deleted at
    once, if they are of this folder.
    """
    plan = IngestPlan()
    wanted: dict[str, FileStamp | None] = dict(found.files)
    for path, track in known.active.items():
        if path in missing:
            forget = allow_empty and Path(path).is_relative_to(folder)
            _plan_missing(plan, path, track, missing, now=now, forget=forget)
        elif path not in wanted:
            wanted[path] = track.stamp
    moved = _moved_failures(known, missing)
    for path, stamp in wanted.items():
        building, active = known.building.get(path), known.active.get(path)
        # A damaged track whose file is not in this folder waits for another run.
        repair = path in found.files
        if building and building.stamp == stamp and not (building.damaged and repair):
            plan.resumed += 1
        elif active and active.stamp == stamp and not (active.damaged and repair):
            plan.unchanged.append(active.track_id)
            if active.gone_at is not None and (repair or path in missing.present):
                plan.returned.append(active.track_id)
        elif (failure := _failure(path, stamp, known, moved)) is not None and not retry_failed:
            plan.failed.append(failure)
        else:
            plan.todo.append(path)
    plan.stale = [
        track.track_id
        for path, track in known.building.items()
        if path not in wanted
        or track.stamp != wanted[path]
        or (track.damaged and path in found.files)
    ]
    reused = {(Path(failure.path).name, failure.stamp) for failure in plan.failed}
    plan.obsolete = [
        path
        for path, failure in known.failed.items()
        if path in missing.gone
        or (path in missing.absent and (Path(path).name, failure.stamp) in reused)
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
        " is mounted; if the music moved, run genrec library move, and to remove the tracks, run"
        " genrec library forget or genrec index with --allow-empty."
    )


def _plan_missing(
    plan: IngestPlan,
    path: str,
    track: IndexedTrack,
    missing: MissingFiles,
    *,
    now: float,
    forget: bool,
) -> None:
    plan.lost.append(track.track_id)
    if track.gone_at is None:
        plan.hidden.append(track.track_id)
        if forget or path in missing.gone:
            plan.removed.add(track.track_id)
    expired = path in missing.gone and now - (track.gone_at or now) > KEEP_GONE_S
    if forget or expired:
        plan.expired.append(track.track_id)


def _moved_failures(
    known: KnownFiles, missing: MissingFiles
) -> dict[tuple[str, FileStamp], Failure]:
    """Return the failures of files that are gone: a file with that name and stamp has moved."""
    return {
        (Path(path).name, failure.stamp): failure
        for path, failure in known.failed.items()
        if path in missing
    }


def _failure(
    path: str,
    stamp: FileStamp | None,
    known: KnownFiles,
    moved: Mapping[tuple[str, FileStamp], Failure],
) -> Failure | None:
    failure = known.failed.get(path)
    if failure is not None and failure.stamp == stamp:
        return failure
    if stamp is None or path in known.active:
        return None
    failure = moved.get((Path(path).name, stamp))
    return None if failure is None else replace(failure, path=path)
