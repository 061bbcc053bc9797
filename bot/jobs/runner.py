"""A question from its admission to the last word: commands, menus, buttons, uploads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import discord
from discord.ui import LayoutView

from bot.client.error_handler import ErrorHandler, outcome_of
from bot.client.responders import MakeFile, Responder
from bot.client.retry import GONE
from bot.jobs.admission import Admission, Job
from bot.jobs.recovery import ReplyRecovery
from bot.metrics import Metrics
from bot.ui.messages import Replies

log = logging.getLogger(__name__)

_FIRST_PROGRESS_S = 1.0
_PROGRESS_EVERY_S = 3.0
_LAST_WORD_S = 4.0


@dataclass(frozen=True, slots=True)
class Response:
    """What is shown at the end."""

    view: LayoutView
    files: Sequence[MakeFile] = ()


@dataclass(slots=True)
class Progress:
    """What is being done for a question just now; the work sets it, the progress shows it."""

    job: Job
    step: str = "fetching"
    picture: Callable[[], LayoutView] | None = None
    """What to show instead, for work with a progress of its own."""

    def now(self, step: str) -> None:
        """Go on to the next step; only one that listens waits for a worker."""
        self.step = step
        self.job.analysing = step == "listening"


Handler = Callable[[Progress], Awaitable[Response]]


class JobRunner:
    """Runs questions: acknowledged in time, noted in the journal, answered or corrected."""

    def __init__(
        self,
        *,
        admission: Admission,
        recovery: ReplyRecovery,
        replies: Replies,
        errors: ErrorHandler,
        metrics: Metrics,
        progress_every_s: float = _PROGRESS_EVERY_S,
    ) -> None:
        self._admission = admission
        self._recovery = recovery
        self._replies = replies
        self._errors = errors
        self._metrics = metrics
        self._progress_every_s = progress_every_s

    async def run(
        self, answer: Responder, kind: str, work: Handler, *, at_once: bool = False
    ) -> None:
        """Admit, acknowledge, work and answer; what goes wrong on the way is said in the answer.

        Only what is declined before the acknowledgement is raised: it is told to the person alone.
        """
        with (
            self._metrics.declining(),
            self._admission.admit(answer.user_id, answer.guild_id, at_once=at_once) as job,
        ):
            await self._see_through(answer, kind, work, job)

    async def run_background(self, answer: Responder, kind: str, work: Handler) -> None:
        """Do the same for a long task, which counts against nobody's questions."""
        with self._admission.admit_background(answer.user_id, answer.guild_id) as job:
            await self._see_through(answer, kind, work, job)

    async def _see_through(self, answer: Responder, kind: str, work: Handler, job: Job) -> None:
        with self._metrics.asked(kind) as asked:
            entry = await self._open(answer, kind, asked.acknowledged)
            try:
                reply = await self._worked(answer, work, Progress(job))
            except asyncio.CancelledError:
                asked.outcome = "interrupted"
                await self._interrupted(answer, entry)
                raise
            except Exception as error:  # noqa: BLE001 - each becomes words: no answer stays owed
                asked.outcome = outcome_of(error)
                reply = Response(self._errors.explain(error, answer.locale))
            # Before the answer is seen, or a quick reader's next question would be declined.
            self._admission.release(job)
            await self._close(answer, entry, reply)
        log.info("%s: %s", kind, asked.outcome)

    async def _open(self, answer: Responder, kind: str, acknowledged: Callable[[], None]) -> int:
        """Acknowledge and note the debt at the same time: neither may wait for the other."""
        if not answer.known_at_once:
            await answer.acknowledge()
            acknowledged()
            return await self._recovery.open(kind, answer)
        noted = asyncio.create_task(self._recovery.open(kind, answer))
        try:
            await answer.acknowledge()
            acknowledged()
        except BaseException:
            await self._recovery.close(await noted)
            raise
        return await noted

    async def _worked(self, answer: Responder, work: Handler, progress: Progress) -> Response:
        async with self._progress(answer, progress):
            return await work(progress)

    async def _close(self, answer: Responder, entry: int, reply: Response) -> None:
        try:
            await answer.finish(reply.view, reply.files)
        except discord.HTTPException as error:
            if error.code not in GONE and error.status != 404:
                # Discord did not take the answer as it was: the person still gets a word.
                await answer.finish(self._errors.explain(error, answer.locale))
        await self._recovery.close(entry)

    async def _interrupted(self, answer: Responder, entry: int) -> None:
        """Say that the bot is stopping; what cannot be said in time stays in the journal."""
        view = self._replies.decline("interrupted", answer.locale)
        try:
            async with asyncio.timeout(_LAST_WORD_S):
                await answer.show(view)
                await self._recovery.close(entry)
        except (discord.HTTPException, OSError, TimeoutError) as error:
            log.warning("an interrupted answer is left to the next start: %s", error)

    @asynccontextmanager
    async def _progress(self, answer: Responder, progress: Progress) -> AsyncIterator[None]:
        done = asyncio.Event()
        shower = asyncio.create_task(self._show_progress(answer, progress, done))
        try:
            yield
        finally:
            # An edit on its way is waited for, or it could arrive after the answer.
            done.set()
            await asyncio.wait([shower])

    async def _show_progress(
        self, answer: Responder, progress: Progress, done: asyncio.Event
    ) -> None:
        shown: tuple[str, int] | None = None
        pause_s = min(_FIRST_PROGRESS_S, self._progress_every_s)
        while not await _happens(done, pause_s):
            pause_s = self._progress_every_s
            if progress.picture is not None:
                await self._try_to_show(answer, progress.picture())
                continue
            place = self._admission.place(progress.job) if progress.step == "listening" else 0
            now = ("queued", place) if place else (progress.step, 0)
            if now != shown:
                shown = now
                view = self._replies.progress(now[0], answer.locale, place=place)
                await self._try_to_show(answer, view)

    async def _try_to_show(self, answer: Responder, view: LayoutView) -> None:
        try:
            await answer.show(view)
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("progress was not shown: %s", type(error).__name__)


async def _happens(event: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False
