"""Run a request from its admission to its response: commands, menus, buttons and uploads."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import discord
from discord.ui import LayoutView

from bot.client.channel_permissions import MISSING_PERMISSIONS, PostingRefused, is_refused
from bot.client.error_handler import ErrorHandler, outcome_of
from bot.client.responders import MakeFile, Responder
from bot.client.retry import GONE
from bot.i18n import Localizer, Translations
from bot.jobs.admission import Admission, Request
from bot.jobs.recovery import ReplyRecovery
from bot.metrics import Metrics
from bot.ui import messages

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_FIRST_PROGRESS_S = 1.0
_PROGRESS_EVERY_S = 3.0
_INTERRUPTED_S = 4.0


@dataclass(frozen=True, slots=True)
class Response:
    """The final content of a request's message; without a ``view`` no message stays.

    ``without_files`` makes the content for a channel in which the bot may not attach files.
    ``outcome`` is the label of the request in the metrics. A ``refusal`` is for the user alone.
    """

    view: LayoutView | None
    files: Sequence[MakeFile] = ()
    without_files: Callable[[], LayoutView] | None = None
    outcome: str = "answered"
    refusal: bool = False


@dataclass(slots=True)
class Progress:
    """The stage of a running request: the handler sets it, the runner shows it."""

    request: Request
    stage: str = "fetching"
    layout: Callable[[], LayoutView] | None = None
    """Makes the progress message of a handler that has a layout of its own."""
    quiet: bool = False
    """Whether no progress is posted, because there may be no response."""

    def now(self, stage: str) -> None:
        """Enter the next stage; only "analyzing" waits for a worker."""
        self.stage = stage
        self.request.analyzing = stage == "analyzing"


Handler = Callable[[Progress], Awaitable[Response]]


class RequestRunner:
    """Runs requests: each is acknowledged in time, and its message finished or corrected."""

    def __init__(
        self,
        *,
        admission: Admission,
        recovery: ReplyRecovery,
        translations: Translations,
        errors: ErrorHandler,
        metrics: Metrics,
        progress_every_s: float = _PROGRESS_EVERY_S,
    ) -> None:
        self._admission = admission
        self._recovery = recovery
        self._translations = translations
        self._errors = errors
        self._metrics = metrics
        self._progress_every_s = progress_every_s

    async def run(
        self,
        responder: Responder,
        kind: str,
        handler: Handler,
        *,
        link: bool = False,
        quick: bool = False,
    ) -> None:
        """Admit and acknowledge a request, run its handler and send the response.

        Errors of the handler become the response. Only a request that is declined before its
        acknowledgement raises, so that the error message is private.
        """
        steps = [(responder, handler)]
        await self.run_series(kind, steps, link=link, quick=quick)

    async def run_series(
        self,
        kind: str,
        steps: Sequence[tuple[Responder, Handler]],
        *,
        link: bool = False,
        quick: bool = False,
        may_wait: bool = True,
    ) -> None:
        """Admit one request of several clips, and run its handlers one after the other.

        Each has a message of its own. A message that cannot be posted does not stop the next ones,
        unless it is the first. ``quick`` and ``may_wait`` are those of `Admission.admit`.
        """
        (first, _), last = steps[0], len(steps) - 1
        with self._admission.admit(
            first.user_id, first.guild_id, link=link, quick=quick, may_wait=may_wait
        ) as request:
            for number, (responder, handler) in enumerate(steps):
                try:
                    await self._run(responder, kind, handler, request, last=number == last)
                except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                    if number == 0 or is_refused(error):
                        raise
                    log.warning("clip %d of a message not answered: %s", number + 1, error)

    async def run_background(self, responder: Responder, kind: str, handler: Handler) -> None:
        """Run a long request that counts against no limit."""
        with self._admission.admit_background(responder.user_id, responder.guild_id) as request:
            await self._run(responder, kind, handler, request)

    async def _run(
        self,
        responder: Responder,
        kind: str,
        handler: Handler,
        request: Request,
        *,
        last: bool = True,
    ) -> None:
        with self._metrics.request(kind) as counted:
            reply_id = await self._open(responder, kind, request, counted.acknowledged)
            try:
                response = await self._handle(responder, reply_id, handler, Progress(request))
                counted.outcome = response.outcome
            except asyncio.CancelledError:
                counted.outcome = "interrupted"
                await self._interrupt(responder, reply_id)
                raise
            except Exception as error:  # noqa: BLE001 - every error becomes the response
                counted.outcome = outcome_of(error)
                response = Response(
                    self._errors.message_of(error, responder.locale, clip=responder.clip),
                    refusal=True,
                )
            request.answered |= response.view is not None
            if last:
                # Before the response is visible, or a quick user's next request is declined.
                self._admission.release(request, cooldown=request.answered)
            request.analyzing = False
            await self._finish(responder, reply_id, response)
        log.info("request finished: %s: %s", kind, counted.outcome)

    async def _open(
        self, responder: Responder, kind: str, request: Request, acknowledged: Callable[[], None]
    ) -> int:
        """Save the pending reply, then acknowledge: a crash in between leaves no message open."""
        reply_id = await self._recovery.open(kind, responder)
        waiting = self._progress_view(responder, Progress(request)) if request.waits else None
        try:
            await responder.acknowledge(waiting)
            if not responder.silent:
                acknowledged()
        except (aiohttp.ClientError, OSError, TimeoutError):
            # Discord may have posted the message, so the next start corrects it.
            raise
        except BaseException:
            await self._recovery.close(reply_id)
            raise
        self._recovery.posted(reply_id, responder)
        return reply_id

    async def _handle(
        self, responder: Responder, reply_id: int, handler: Handler, progress: Progress
    ) -> Response:
        """Wait for the user's turn, then run the handler; show the progress meanwhile."""
        if progress.request.waits:
            turn = self._admission.turn(progress.request)
            await self._in_task(responder, reply_id, turn, progress)
        return await self._in_task(responder, reply_id, handler(progress), progress)

    async def _in_task(
        self, responder: Responder, reply_id: int, work: Awaitable[_Result], progress: Progress
    ) -> _Result:
        """Return the result of work that runs in a task of its own, while progress is shown."""
        handling = asyncio.ensure_future(work)
        try:
            await self._show_progress(responder, reply_id, progress, handling)
        except BaseException:
            handling.cancel()
            await asyncio.wait([handling])
            raise
        return handling.result()

    async def _show_progress(
        self,
        responder: Responder,
        reply_id: int,
        progress: Progress,
        handling: asyncio.Future[_Result],
    ) -> None:
        """Edit the message with the current stage until the handler is done.

        An edit in flight is awaited.
        """
        shown: tuple[str, int] | None = None
        pause_s = min(_FIRST_PROGRESS_S, self._progress_every_s)
        while not (await asyncio.wait([handling], timeout=pause_s))[0]:
            pause_s = self._progress_every_s
            if progress.quiet and responder.silent:
                continue
            if progress.layout is not None:
                await self._try_to_show(responder, reply_id, progress.layout())
                continue
            now = self._stage(progress)
            if now != shown:
                shown = now
                view = self._progress_view(responder, progress)
                await self._try_to_show(responder, reply_id, view)

    def _progress_view(self, responder: Responder, progress: Progress) -> LayoutView:
        stage, number = self._stage(progress)
        localizer = Localizer(self._translations, responder.locale)
        return messages.progress(localizer, stage, place=number, wait_s=number)

    def _stage(self, progress: Progress) -> tuple[str, int]:
        """Return the stage that is shown, with the place in the queue or the seconds to wait."""
        if progress.request.waits:
            stage = "cooldown" if progress.request.first.is_set() else "waiting"
            return stage, max(1, math.ceil(self._admission.wait_s(progress.request)))
        waits = progress.stage == "analyzing"
        place = self._admission.place(progress.request) if waits else 0
        return ("queued", place) if place else (progress.stage, 0)

    async def _try_to_show(self, responder: Responder, reply_id: int, view: LayoutView) -> None:
        known = responder.target.message_id
        try:
            await responder.show(view)
            if responder.target.message_id != known:
                self._recovery.posted(reply_id, responder)
        except (
            PostingRefused, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError
        ) as error:  # fmt: skip
            log.info("progress not shown: %s", type(error).__name__)

    async def _finish(self, responder: Responder, reply_id: int, response: Response) -> None:
        try:
            await _send(responder, response)
        except PostingRefused:
            await self._recovery.close(reply_id)
            raise
        except discord.HTTPException as error:
            if error.status >= 500:
                log.warning("response not sent: %s", error)
                return
            if is_refused(error):
                await self._recovery.close(reply_id)
                raise
            if error.code not in GONE and error.status != 404:
                # Discord rejected the content, so the user gets an error message instead.
                await responder.finish(self._errors.message_of(error, responder.locale))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Discord was unreachable for minutes. The next start corrects the message.
            log.warning("response not sent: %s", type(error).__name__)
            return
        await self._recovery.close(reply_id)

    async def _interrupt(self, responder: Responder, reply_id: int) -> None:
        """Report that the bot is stopping; if there is no time, the next start does."""
        if responder.silent:
            await self._recovery.close(reply_id)
            return
        localizer = Localizer(self._translations, responder.locale)
        view = messages.decline(localizer, "interrupted")
        try:
            async with asyncio.timeout(_INTERRUPTED_S):
                await responder.show(view)
                await self._recovery.close(reply_id)
        except (
            PostingRefused, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError
        ) as error:  # fmt: skip
            log.warning("interrupted reply left to the next start: %s", error)


async def _send(responder: Responder, response: Response) -> None:
    """Send the response, without its files where the bot may not or no longer attach any."""
    if response.view is None:
        await responder.discard()
        return
    if response.refusal:
        await responder.refuse(response.view)
        return
    plain = response.without_files if response.files else None
    if plain is not None and not responder.may_attach:
        await responder.finish(plain())
        return
    try:
        await responder.finish(response.view, response.files)
    except discord.HTTPException as error:
        if plain is None or error.code != MISSING_PERMISSIONS:
            raise
        await responder.finish(plain())
