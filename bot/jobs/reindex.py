"""/reindex: the operator's music folder or a server's own tracks, one run a scope at a time."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from pathlib import Path

import discord

from bot.errors import Declined
from bot.jobs.handlers import Listener
from bot.jobs.runner import Handler, Progress, Response
from bot.sources import Sources
from bot.ui.markdown import web_address
from bot.ui.messages import ReindexState, Replies
from bot.ui.track_files import csv_file
from db.connection import Database
from db.generations import NewTrack
from db.ingest.run import IngestJob, IngestProgress, IngestReport, ingest
from db.tracks import LIBRARY, Catalogue, guild_scope
from genrec.errors import GenrecError
from genrec.preset import Preset
from genrec.types import Track
from genrec.workers.pool import AnalysisPool

FAILURES = "failures.csv"
_MOST_FAILURES = 20_000
_AUDIO_GONE = "its audio is not kept, only what an older model heard in it: add it again"


@dataclass(slots=True)
class _Run:
    key: str
    state: ReindexState
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


class Reindexing:
    """Runs re-indexes; what it shows is the message of whoever asked."""

    def __init__(
        self,
        *,
        db: Database,
        pool: AnalysisPool,
        catalogue: Catalogue,
        recommender: Listener,
        preset: Preset,
        sources: Sources,
        replies: Replies,
        library: Path | None,
    ) -> None:
        self._db = db
        self._pool = pool
        self._catalogue = catalogue
        self._recommender = recommender
        self._preset = preset
        self._sources = sources
        self._replies = replies
        self._library = library
        self._runs: dict[str, _Run] = {}

    def check(self, guild_id: int | None) -> None:
        """Decline what cannot be begun; ``guild_id`` None means the operator's library."""
        if guild_id is None and self._library is None:
            raise Declined("library_not_set")
        running = self._runs.get(_key(guild_id))
        if running is not None:
            state = running.state
            raise Declined("reindex_running", done=state.done, total=state.total)

    def cancel(self, key: str) -> None:
        """End a run; what is served stays as it was."""
        run = self._runs.get(key)
        if run is None or run.task is None:
            raise Declined("no_reindex")
        run.cancelled = True
        run.task.cancel()

    def work(self, guild_id: int | None, locale: str) -> Handler:
        """Return the work of one run."""

        async def work(progress: Progress) -> Response:
            self.check(guild_id)
            run = _Run(_key(guild_id), ReindexState("library" if guild_id is None else "server"))
            self._runs[run.key] = run
            progress.picture = lambda: self._replies.reindex_progress(
                run.state, locale, key=run.key
            )
            body = self._folder(run) if guild_id is None else self._server(run, guild_id)
            began = time.monotonic()
            run.task = asyncio.create_task(_timed(body, run, began))
            try:
                await self._finished(run)
            finally:
                del self._runs[run.key]
            return self._report(run, locale)

        return work

    async def _finished(self, run: _Run) -> None:
        assert run.task is not None
        try:
            await run.task
        except asyncio.CancelledError:
            if not run.cancelled:
                run.task.cancel()
                raise
        await self._recommender.reload()

    def _report(self, run: _Run, locale: str) -> Response:
        name = FAILURES if run.failures else None
        view = self._replies.reindex_done(run.state, locale, csv=name, cancelled=run.cancelled)
        if name is None:
            return Response(view)
        data = csv_file(("file", "code", "reason"), run.failures[:_MOST_FAILURES])
        return Response(view, (lambda: discord.File(io.BytesIO(data), FAILURES),))

    async def _folder(self, run: _Run) -> None:
        assert self._library is not None

        def progressed(now: IngestProgress) -> None:
            run.state = replace(
                run.state,
                done=now.done,
                total=now.total,
                failed=now.failed,
                current=now.current,
                left_s=now.seconds_left,
                elapsed_s=now.done / now.rate if now.rate else 0.0,
            )

        job = IngestJob(
            folder=self._library,
            model_id=self._preset.model_id,
            dimension=self._preset.dimension,
            labels=self._preset.labels,
            # A worker stays free for people who ask meanwhile.
            concurrency=max(1, self._pool.size - 1),
        )
        report = await ingest(self._db, self._pool, job, progressed)
        run.failures = [(f.path, f.code, f.reason) for f in report.failures]
        run.state = _summed(run.state, report)

    async def _server(self, run: _Run, guild_id: int) -> None:
        """Hear again what an older model heard, where there is still something to hear."""
        scope, model_id = guild_scope(guild_id), self._preset.model_id
        known = {track.source for track in await self._all(model_id, scope)}
        stats = await self._catalogue.stats(model_id)
        old = {
            track.source: track
            for other in stats.other_models
            for track in await self._all(other, scope)
            if track.source not in known
        }
        run.state = replace(
            run.state, total=len(known) + len(old), done=len(known), unchanged=len(known)
        )
        began = time.monotonic()
        for place, track in enumerate(old.values(), start=1):
            run.state = replace(run.state, current=self._replies.label(track))
            failure = await self._again(track, scope)
            if failure is not None:
                run.failures.append(failure)
            elapsed_s = time.monotonic() - began
            run.state = replace(
                run.state,
                done=run.state.done + 1,
                added=run.state.added + (failure is None),
                failed=len(run.failures),
                elapsed_s=elapsed_s,
                left_s=elapsed_s / place * (len(old) - place),
            )

    async def _again(self, track: Track, scope: str) -> tuple[str, str, str] | None:
        name = self._replies.label(track)
        if not web_address(track.source):
            return (name, "file_missing", _AUDIO_GONE)
        try:
            async with self._sources.fetch(track.source) as clip:
                analysis = await self._recommender.analyze(clip)
        except GenrecError as error:
            return (name, error.code, str(error))
        new = NewTrack.of(
            analysis,
            title=track.title,
            artist=track.artist,
            genre=track.genre,
            source=track.source,
            content=clip.sha256,
        )
        await self._catalogue.add(scope, self._preset.model_id, [new])
        return None

    async def _all(self, model_id: str, scope: str) -> list[Track]:
        count = await self._catalogue.count(model_id, scope)
        return await self._catalogue.browse(model_id, scope, limit=count)


async def _timed(body: Awaitable[None], run: _Run, began: float) -> None:
    try:
        await body
    finally:
        run.state = replace(run.state, elapsed_s=time.monotonic() - began)


def _summed(state: ReindexState, report: IngestReport) -> ReindexState:
    return replace(
        state,
        added=report.analyzed + report.reused,
        unchanged=report.unchanged + report.resumed,
        removed=report.removed,
        failed=len(report.failures),
    )


def _key(guild_id: int | None) -> str:
    return LIBRARY if guild_id is None else str(guild_id)
