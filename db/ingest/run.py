"""Index a music folder: analyse changed files only, and resume an interrupted run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from db import folders, generations
from db.connection import Database, SqlSession
from db.damaged import damaged_of_generation
from db.generations import BATCH, CATALOGUE, Generation, KnownTrack, NewTrack
from db.ingest.analyze import FileAnalyzer, FileOutcome, FileRules, PoolFileAnalyzer
from db.ingest.cluster_files import ClusterFileAnalyzer, ClusterTasks
from db.ingest.failures import Failure, delete_failures, load_failures, save_failures
from db.ingest.moved import adopt_moved
from db.ingest.plan import IndexedTrack, IngestPlan, KnownFiles, make_plan, refuse_sudden_emptiness
from db.ingest.presence import MissingFiles, find_missing
from db.ingest.scan import FileStamp, FolderScan, open_folder, refuse_long_paths, scan_folder
from db.ingest.scope_lock import ScopeLock, scope_lock
from db.ingest.undescribed import mark_undescribed
from db.tracks import LIBRARY
from genrec.errors import FileMissing, ModelMismatch, NoMusic
from genrec.types import Analyzer


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestJob:
    """Settings of an indexing run.

    Files whose probability of music is below ``music_below`` are left out; 0 keeps all.
    ``labels`` are the preset's genres, ``concurrency`` is the number of files in work at once.
    ``allow_empty`` allows a folder without music to remove its tracks. ``reread_tags`` reads the
    tags of unchanged files too; these files are not analysed again. ``describe`` analyses tracks
    again that have no music description.
    """

    folder: Path
    model_id: str
    dimension: int
    labels: Sequence[str] = ()
    scope: str = LIBRARY
    concurrency: int = 4
    retry_failed: bool = False
    allow_empty: bool = False
    music_below: float = 0.0
    backup: bool = False
    reread_tags: bool = False
    describe: bool = False


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Progress of a run: counts of files, the last path, files per second, and an estimate."""

    done: int
    total: int
    failed: int
    current: str
    rate: float
    seconds_left: float | None


@dataclass(slots=True)
class IngestReport:
    """Result of a run: active tracks at its end, counts of files, and failures.

    ``reused`` files were not analysed, because their bytes are known; ``moved`` are those of them
    whose track only got a new path. ``absent`` counts the tracks of each folder that is missing or
    empty. ``switched`` tells whether the run changed the catalogue. ``music_s`` is the length of
    the analysed files, ``seconds`` the duration of the run. ``scan`` has every
    file of the folder, ``unchanged_paths`` those that the catalogue had already.
    """

    tracks: int = 0
    analyzed: int = 0
    reused: int = 0
    unchanged: int = 0
    resumed: int = 0
    removed: int = 0
    moved: int = 0
    absent: dict[str, int] = field(default_factory=dict)
    switched: bool = False
    seconds: float = 0.0
    music_s: float = 0.0
    backup: Path | None = None
    failures: list[Failure] = field(default_factory=list)
    scan: FolderScan = field(default_factory=FolderScan)
    unchanged_paths: frozenset[str] = frozenset()


async def ingest(
    db: Database,
    analyzer: Analyzer,
    job: IngestJob,
    progress: Callable[[IngestProgress], None] | None = None,
    *,
    cluster: ClusterTasks | None = None,
) -> IngestReport:
    """Index a folder: store the differences in a building generation, and activate them at the end.

    With a ``cluster`` its workers read and analyse the files, and ``analyzer`` has nothing to do.

    A file that moved, from anywhere in the scope, keeps its track. A track whose file is gone is
    kept for 30 days, without being served; in a folder that is missing or empty it is kept until
    the folder is back or forgotten. A cancelled or killed run changes nothing that is served but
    the paths of moved files, and the next run resumes it.
    """
    started = time.monotonic()
    folder = await _open(db, job)
    async with scope_lock(db, job.scope) as lock:
        await generations.sweep(db)
        found = await asyncio.to_thread(scan_folder, folder)
        if db.engine == "postgres":
            refuse_long_paths(found, generations.MAX_SOURCE_BYTES)
        run = _IngestRun(db, job, folder, found, lock)
        if await run.prepare():
            await run.work(await run.files(analyzer, cluster), progress)
            await run.activate()
            await generations.sweep(db)
            await folders.drop_empty(db, job.scope, str(folder))
            if job.backup:
                run.report.backup = await db.backup()
    run.report.seconds = time.monotonic() - started
    return run.report


class _IngestRun:
    def __init__(
        self, db: Database, job: IngestJob, folder: Path, found: FolderScan, lock: ScopeLock
    ) -> None:
        self.db = db
        self.lock = lock
        self.job = job
        self.folder = folder
        self.found = found
        self.report = IngestReport(scan=found)
        self.todo: deque[str] = deque()
        self.total = 0
        self.current = ""
        self.contents: dict[tuple[str, FileStamp], str] = {}
        self.plan = IngestPlan()
        self.absent: dict[int, str] = {}  # missing or empty folders by id of track
        self.new: Generation

    async def prepare(self) -> bool:
        """Plan the run; return False if the active generation is up to date."""
        job, report = self.job, self.report
        await self.lock.keep()
        async with self.db.transaction(lock=CATALOGUE) as tx:
            old = await generations.find(tx, job.scope, job.model_id, "active")
            self.new = await generations.ensure(
                tx, job.scope, job.model_id, job.dimension, "building"
            )
            known = KnownFiles(
                active=await _tracks_of(tx, old),
                building=await _tracks_of(tx, self.new),
                failed=await self._failed(tx),
            )
        for tracks, generation in ((known.active, old), (known.building, self.new)):
            damaged = await damaged_of_generation(self.db, generation.id) if generation else ()
            for path, track in tracks.items():
                if track.track_id in damaged:
                    tracks[path] = replace(track, damaged=True)
            if job.describe:
                await mark_undescribed(self.db, generation, tracks)
        if old is not None and old.dimension != job.dimension:
            raise ModelMismatch(
                f"The embeddings of {job.scope} have {old.dimension} dimensions, and the model"
                f" {job.model_id} has {job.dimension}: install the preset again."
            )
        if not job.allow_empty:
            refuse_sudden_emptiness(self.folder, self.found, known)
        if job.reread_tags:
            self.contents = await _contents_of(self.db, old)
            for path in known.active.keys() & self.found.files.keys():
                known.active[path] = replace(known.active[path], stamp=None)
        missing = await self._missing(known)
        self.plan = plan = make_plan(
            self.folder, self.found, known, missing, now=time.time(),
            retry_failed=job.retry_failed, allow_empty=job.allow_empty,
        )  # fmt: skip
        self.todo.extend(plan.todo)
        self.total = len(plan.todo) + len(plan.unchanged) + plan.resumed + len(plan.failed)
        report.unchanged, report.resumed = len(plan.unchanged), plan.resumed
        report.removed = len(plan.removed)
        self.absent = {
            track.track_id: missing.absent[path]
            for path, track in known.active.items()
            if path in missing.absent
        }
        self._count_absent(set(plan.expired))
        unchanged = set(plan.unchanged)
        report.unchanged_paths = frozenset(
            path for path, track in known.active.items() if track.track_id in unchanged
        )
        report.failures = [*plan.failed, *self._unreadable()]
        async with self.lock.writing(self.new) as tx:
            await delete_failures(tx, job.scope, job.model_id, plan.obsolete)
            await save_failures(tx, job.scope, job.model_id, plan.failed)
            if old is not None and plan.is_idle:
                await self._register(tx)
                report.tracks = old.tracks
                return False
        await self._in_batches(plan.stale, lambda tx, ids: generations.drop(tx, self.new, ids))
        return True

    async def _register(self, tx: SqlSession) -> None:
        """Add the folder to the indexed ones, unless nothing in it could be sound."""
        if self.found.files:
            await folders.register(tx, self.job.scope, str(self.folder))

    async def _missing(self, known: KnownFiles) -> MissingFiles:
        roots = await folders.registered(self.db, self.job.scope)
        paths = [*known.active, *known.failed]
        return await asyncio.to_thread(find_missing, paths, self.folder, self.found, roots)

    async def files(self, analyzer: Analyzer, cluster: ClusterTasks | None) -> FileAnalyzer:
        """Return what analyses the files of this run: a cluster if there is one, or the pool."""
        job = self.job
        rules = FileRules(
            folder=self.folder, model_id=job.model_id, labels=job.labels,
            dimension=job.dimension, music_below=job.music_below, describe=job.describe,
            songs=self.found.songs, contents=self.contents, stamps=self.found.files,
        )  # fmt: skip
        if cluster is not None:
            return await ClusterFileAnalyzer.open(self.db, cluster, rules, self.todo)
        return PoolFileAnalyzer(self.db, analyzer, rules, concurrency=max(1, job.concurrency))

    async def work(
        self, files: FileAnalyzer, progress: Callable[[IngestProgress], None] | None
    ) -> None:
        """Analyse the remaining files concurrently, and store each outcome at once."""
        started, rest = time.monotonic(), len(self.todo)
        worked = 0
        pending: set[asyncio.Task[list[FileOutcome]]] = set()
        try:
            while True:
                while self.todo and len(pending) < files.concurrency:
                    pending.add(asyncio.create_task(files.analyze(self._batch(files))))
                if progress is not None:
                    rate = worked / max(time.monotonic() - started, 1e-6)
                    left = (rest - worked) / rate if rate else None
                    done = self.total - rest + worked
                    failed = len(self.report.failures)
                    progress(IngestProgress(done, self.total, failed, self.current, rate, left))
                if not pending:
                    break
                done_now, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                stored, again = await self._store(files, done_now)
                self.todo.extend(again)
                worked += stored - len(again)
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def activate(self) -> None:
        """Make the tracks of the building generation active, and hide those of gone files."""
        plan, report, job = self.plan, self.report, self.job
        moved = await adopt_moved(self.db, self.new, plan.lost, self.lock)
        hidden = [track_id for track_id in plan.hidden if track_id not in moved]
        async with self.lock.writing(self.new, durable=True) as tx:
            old = await generations.find(tx, job.scope, job.model_id, "active")
            if old is None:
                await generations.activate(tx, self.new)
                active = self.new
            else:
                active = await generations.merge(tx, self.new, old)
            await generations.set_gone(tx, active, plan.returned, None)
            await generations.set_gone(tx, active, hidden, time.time())
            await generations.drop(tx, active, set(plan.expired) - moved)
            copied = await generations.drop_moved(tx, active)
            await generations.record_changes(tx, job.model_id, "put", plan.returned)
            await generations.record_changes(tx, job.model_id, "remove", hidden)
            report.tracks = await generations.count(tx, active)
            await self._register(tx)
        report.moved, report.removed = len(moved), len(plan.removed - moved)
        self._count_absent({*plan.expired, *moved, *copied})
        report.switched = True

    def _batch(self, files: FileAnalyzer) -> list[str]:
        """Return the paths of the next task; at the end tasks are small, for all to have some."""
        share = -(-len(self.todo) // files.concurrency)
        return [self.todo.popleft() for _ in range(max(1, min(files.batch, share)))]

    async def _store(
        self, files: FileAnalyzer, tasks: set[asyncio.Task[list[FileOutcome]]]
    ) -> tuple[int, list[str]]:
        """Store outcomes, return their number and the paths that must be analysed again."""
        fatal = [error for task in tasks if (error := task.exception()) is not None]
        done = [task for task in tasks if task.exception() is None]
        outcomes = [outcome for task in done for outcome in task.result()]
        results = [outcome.result for outcome in outcomes]
        new = [result for result in results if isinstance(result, NewTrack)]
        known = [result for result in results if isinstance(result, KnownTrack)]
        failed = [result for result in results if isinstance(result, Failure)]
        scope, model_id = self.job.scope, self.job.model_id
        async with self.lock.writing(self.new) as tx:
            await generations.put(tx, self.new, new)
            lost = await generations.put_known(tx, self.new, known)
            await delete_failures(tx, scope, model_id, [outcome.path for outcome in outcomes])
            await save_failures(tx, scope, model_id, failed)
        files.release(outcomes, lost)
        self.report.analyzed += len(new)
        self.report.music_s += sum(track.duration_s for track in new)
        self.report.reused += len(known) - len(lost)
        self.report.failures.extend(failed)
        if fatal:
            raise fatal[0]
        self.current = outcomes[-1].path
        return len(outcomes), [track.source for track in lost]

    async def _in_batches(
        self, track_ids: list[int], step: Callable[[SqlSession, list[int]], Awaitable[None]]
    ) -> None:
        for start in range(0, len(track_ids), BATCH):
            async with self.lock.writing(self.new) as tx:
                await step(tx, track_ids[start : start + BATCH])

    def _count_absent(self, without: set[int]) -> None:
        """Count the tracks of each missing or empty folder, without those dealt with."""
        places = Counter(
            place for track_id, place in self.absent.items() if track_id not in without
        )
        self.report.absent = dict(places.most_common())

    async def _failed(self, session: SqlSession) -> dict[str, Failure]:
        """Return the stored failures; files without music are none if all files are kept."""
        failed = await load_failures(session, self.job.scope, self.job.model_id)
        if self.job.music_below > 0:
            return failed
        return {path: each for path, each in failed.items() if each.code != NoMusic.code}

    def _unreadable(self) -> list[Failure]:
        return [
            Failure(path, FileStamp(0, 0), FileMissing.code, reason, lasting=False)
            for path, reason in self.found.unreadable.items()
        ]


async def _contents_of(
    db: Database, generation: Generation | None
) -> dict[tuple[str, FileStamp], str]:
    """Return the SHA-256 of the files of a generation, by path and stamp."""
    rows = await db.all(
        "SELECT t.source, e.size, e.mtime_ns, m.content FROM entry AS e"
        " JOIN track AS t ON t.id = e.track_id JOIN embedding AS m ON m.id = e.embedding_id"
        " WHERE e.generation_id = ? AND e.size IS NOT NULL",
        (generation.id if generation else None,),
    )
    return {(source, FileStamp(size, mtime)): content for source, size, mtime, content in rows}


async def _tracks_of(session: SqlSession, generation: Generation | None) -> dict[str, IndexedTrack]:
    rows = await session.all(
        "SELECT t.source, e.track_id, e.size, e.mtime_ns, e.gone_at FROM entry AS e"
        " JOIN track AS t ON t.id = e.track_id WHERE e.generation_id = ?",
        (generation.id if generation else None,),
    )
    return {
        source: IndexedTrack(
            track_id, None if size is None else FileStamp(size, mtime_ns), gone_at=gone_at
        )
        for source, track_id, size, mtime_ns, gone_at in rows
    }


async def _open(db: Database, job: IngestJob) -> Path:
    """Return the folder's absolute path; the error for a missing one names the ways out."""
    try:
        return await asyncio.to_thread(open_folder, job.folder)
    except FileMissing as error:
        if not await folders.has_tracks(db, job.scope, str(await _absolute(job.folder))):
            raise
        raise FileMissing(
            f"The folder {job.folder} cannot be opened, but the catalogue has tracks from it. Mount"
            " its disk; if the music moved, index its new folder or run genrec library move, and"
            " to remove the tracks, run genrec library forget."
        ) from error


async def _absolute(folder: Path) -> Path:
    return await asyncio.to_thread(folder.resolve)
