"""/reindex: the operator's music folder or a guild's own tracks, one run a scope at a time."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import discord

from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.runner import Handler, Progress, Response
from bot.recommender import Recommender
from bot.sources import Sources
from bot.ui import messages
from bot.ui.markdown import names_path, web_address
from bot.ui.messages import ReindexState
from bot.ui.track_files import csv_file
from db.connection import Database
from db.damaged import damaged_tracks
from db.generations import NewTrack
from db.ingest.analyze import require_music
from db.ingest.cluster_files import ClusterTasks
from db.ingest.file_kinds import LeftOutReason
from db.ingest.report import FileResult, count_files, file_rows
from db.ingest.run import IngestJob, IngestProgress, IngestReport, ingest
from db.taught_genres import is_tagged
from db.tracks import LIBRARY, guild_scope
from genrec.errors import GenrecError, InputRefused
from genrec.types import Track
from genrec.workers.pool import AnalysisPool

OpenCluster = Callable[[], AbstractAsyncContextManager[ClusterTasks | None]]

log = logging.getLogger(__name__)

FAILURES = "failures.csv"
_MAX_FAILURES = 20_000
_PRIVATE_REASON = "The reason names a file outside of the library; the operator can read it."
_UNREAD = LeftOutReason.UNREAD_FORMAT
_AUDIO_GONE = "The audio is not stored, only an older model's analysis: add the track again."


@dataclass(slots=True)
class _Run:
    key: str
    state: ReindexState
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


class Reindexing:
    """Runs re-indexes; each shows its progress in the message of its request."""

    def __init__(
        self,
        *,
        db: Database,
        pool: AnalysisPool,
        recommender: Recommender,
        sources: Sources,
        library: Path | None,
        music_below: float = 0.0,
        open_cluster: OpenCluster = nullcontext,
    ) -> None:
        self._db = db
        self._pool = pool
        self._recommender = recommender
        self._catalogue = recommender.catalogue
        self._preset = recommender.preset
        self._sources = sources
        self._library = library
        self._music_below = music_below
        self._open_cluster = open_cluster
        self._runs: dict[str, _Run] = {}

    def check(self, guild_id: int | None) -> None:
        """Decline a run that cannot start; ``guild_id`` None means the operator's library."""
        if guild_id is None and self._library is None:
            raise RequestDeclined("library_not_set")
        running = self._runs.get(_key(guild_id))
        if running is not None:
            state = running.state
            raise RequestDeclined("reindex_running", done=state.done, total=state.total)

    def cancel(self, key: str) -> None:
        """Cancel a run; a folder run changes nothing, a guild run keeps the tracks it has added."""
        run = self._runs.get(key)
        if run is None or run.task is None:
            raise RequestDeclined("no_reindex")
        run.cancelled = True
        run.task.cancel()

    def handler(self, guild_id: int | None, localizer: Localizer) -> Handler:
        """Return the handler of one run."""

        async def handle(progress: Progress) -> Response:
            self.check(guild_id)
            run = _Run(_key(guild_id), ReindexState("library" if guild_id is None else "server"))
            self._runs[run.key] = run
            progress.layout = lambda: messages.reindex_progress(localizer, run.state, key=run.key)
            body = self._folder(run) if guild_id is None else self._guild(run, guild_id)
            run.task = asyncio.create_task(_timed(body, run, time.monotonic()))
            try:
                await self._finished(run)
            finally:
                del self._runs[run.key]
            return _report(run, localizer)

        return handle

    async def _finished(self, run: _Run) -> None:
        assert run.task is not None
        try:
            await run.task
        except asyncio.CancelledError:
            if not run.cancelled:
                run.task.cancel()
                raise
        await self._recommender.reload()

    async def _folder(self, run: _Run) -> None:
        assert self._library is not None
        root = self._library.resolve()

        def update(now: IngestProgress) -> None:
            run.state = replace(
                run.state,
                done=now.done,
                total=now.total,
                failed=now.failed,
                current=shown_path(now.current, root),
                left_s=now.seconds_left,
                elapsed_s=now.done / now.rate if now.rate else 0.0,
            )

        job = IngestJob(
            folder=self._library,
            model_id=self._preset.model_id,
            dimension=self._preset.dimension,
            labels=self._preset.labels,
            # One worker stays free for requests.
            concurrency=max(1, self._pool.size - 1),
            music_below=self._music_below,
        )
        try:
            async with self._open_cluster() as cluster:
                report = await ingest(self._db, self._pool, job, update, cluster=cluster)
        except InputRefused as error:
            # Its sentence names the folder, which only the operator may read.
            log.warning("music folder refused: %s", error)
            raise RequestDeclined("library_refused") from error
        run.failures = [
            (shown_path(row.path, root), row.code, shown_reason(row.reason, root))
            for row in file_rows(report)
            if row.code and not row.quiet
        ]
        run.state = _summed(run.state, report)

    async def _guild(self, run: _Run, guild_id: int) -> None:
        """Re-analyse a guild's tracks of older models from their source links.

        The tracks without a link, and those that fail, are recorded as failures.
        """
        scope, model_id = guild_scope(guild_id), self._preset.model_id
        damaged = set(await damaged_tracks(self._db, model_id, scope))
        current = await self._all(model_id, scope)
        known = {track.source for track in current if track.id not in damaged}
        stats = await self._catalogue.stats(model_id)
        old = {
            track.source: track
            for other in stats.other_models
            for track in await self._all(other, scope)
            if track.source not in known
        } | {track.source: track for track in current if track.id in damaged}
        run.state = replace(
            run.state, total=len(known) + len(old), done=len(known), unchanged=len(known)
        )
        started = time.monotonic()
        for place, track in enumerate(old.values(), start=1):
            run.state = replace(run.state, current=messages.label(track))
            failure = await self._analyze_again(track, scope)
            if failure is not None:
                run.failures.append(failure)
            elapsed_s = time.monotonic() - started
            run.state = replace(
                run.state,
                done=run.state.done + 1,
                added=run.state.added + (failure is None),
                failed=len(run.failures),
                elapsed_s=elapsed_s,
                left_s=elapsed_s / place * (len(old) - place),
            )

    async def _analyze_again(self, track: Track, scope: str) -> tuple[str, str, str] | None:
        name = messages.label(track)
        if not web_address(track.source):
            return (name, "file_missing", _AUDIO_GONE)
        try:
            async with self._sources.fetch(track.source, owner=scope) as clip:
                analysis = await self._recommender.analyze(clip)
            require_music(analysis, self._music_below)
        except GenrecError as error:
            return (name, error.code, shown_reason(str(error)))
        new = NewTrack.of(
            analysis,
            title=track.title,
            artist=track.artist,
            genre=track.genre,
            source=track.source,
            content=clip.sha256,
        )
        new = replace(new, tagged=await is_tagged(self._db, track.id))
        await self._catalogue.add(scope, self._preset.model_id, [new])
        return None

    async def _all(self, model_id: str, scope: str) -> list[Track]:
        count = await self._catalogue.count(model_id, scope)
        return await self._catalogue.browse(model_id, scope, limit=count)


async def _timed(body: Awaitable[None], run: _Run, started: float) -> None:
    try:
        await body
    finally:
        run.state = replace(run.state, elapsed_s=time.monotonic() - started)


def _report(run: _Run, localizer: Localizer) -> Response:
    view = messages.reindex_done(localizer, run.state, cancelled=run.cancelled)
    if not run.failures:
        return Response(view)
    data = csv_file(("file", "code", "reason"), run.failures[:_MAX_FAILURES])
    return Response(view, (lambda: discord.File(io.BytesIO(data), FAILURES),))


def _summed(state: ReindexState, report: IngestReport) -> ReindexState:
    counts = count_files(report)
    left_out = [one for one in counts if one.result is FileResult.LEFT_OUT and not one.quiet]
    return replace(
        state,
        added=report.analyzed + report.reused,
        unchanged=report.unchanged + report.resumed,
        removed=report.removed,
        failed=sum(one.files for one in counts if one.result is FileResult.REFUSED),
        left_out=sum(count.files for count in left_out),
        formats={count.kind: count.files for count in left_out if count.code == _UNREAD},
        moved=report.moved,
        absent=sum(report.absent.values()),
    )


def shown_path(path: str, root: Path) -> str:
    """Return a path relative to the library; nothing outside of it is shown on Discord."""
    if not path:
        return ""
    found = Path(path)
    inside = found.is_relative_to(root) and ".." not in found.parts
    return found.relative_to(root).as_posix() if inside else "…"


def shown_reason(reason: str, root: Path | None = None) -> str:
    """Return the reason of a failure with paths relative to the library, and without any other."""
    if root is not None:
        reason = reason.replace(f"{root}/", "")
        reason = re.sub(rf"{re.escape(str(root))}(?=[\"'.,:;)]+(?:\s|$)|$)", "…", reason)
    return _PRIVATE_REASON if names_path(reason) else reason


def _key(guild_id: int | None) -> str:
    return LIBRARY if guild_id is None else str(guild_id)
