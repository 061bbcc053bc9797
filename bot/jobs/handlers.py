"""Handlers of /recommend, /genre and More like this: from a checked source to the response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bot.client.responders import MakeFile
from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.runner import Handler, Progress, Response
from bot.recommender import SCOPES, Recommender
from bot.sources import CheckedSource, Sources
from bot.ui import answer
from bot.ui.custom_ids import response_key
from bot.ui.track_links import DEFAULT_LINKS, LinkChoice, TrackLinks
from genrec.errors import ClipTooShort, NoMusic, SilentAudio
from genrec.types import Analysis, Clip, Recommendation

DrawPicture = Callable[[Analysis], bytes | None]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options of one request; ``localizer`` is of the user's locale."""

    localizer: Localizer
    count: int = 5
    genre: str | None = None
    scopes: tuple[str, ...] = SCOPES
    links: LinkChoice = DEFAULT_LINKS


class RequestHandlers:
    """Makes the handlers of requests about a clip or a track."""

    def __init__(self, *, sources: Sources, recommender: Recommender, draw: DrawPicture) -> None:
        self._sources = sources
        self._recommender = recommender
        self._draw = draw

    def recommend(
        self, source: CheckedSource, options: RequestOptions, *, watched: bool = False
    ) -> Handler:
        """Return the handler of /recommend: genre and similar tracks of a clip.

        With ``watched``, for an upload that may be no question, a clip without music gets no
        response. Nor does a silent or a very short one.
        """

        async def handle(progress: Progress) -> Response:
            started = time.monotonic()
            if await self._recommender.is_empty(options.scopes):
                raise RequestDeclined("library_empty")
            try:
                async with self._sources.fetch(source, owner=progress.request.guild_id) as clip:
                    progress.now("analyzing")
                    analysis = await self._recommender.analyze(clip)
            except (SilentAudio, ClipTooShort) as error:
                if not watched:
                    raise
                return Response(None, outcome=error.code)
            progress.now("comparing")
            rec = await self._recommender.recommend(
                analysis,
                clip=clip,
                k=options.count,
                genre=options.genre,
                scopes=options.scopes,
            )
            if not rec.music:
                return _no_music(rec, clip, analysis, options.localizer, watched=watched)
            files = await self._picture(clip, analysis, options.localizer)
            view = partial(
                answer.recommendation,
                options.localizer,
                _timed(rec, started),
                key=_key(rec),
                name=clip.title,
                count=options.count,
                analyzed_s=analysis.analyzed_s,
                links=await self._links(rec, options),
            )
            return Response(view(picture=bool(files)), files, without_files=view)

        return handle

    def genre(self, source: CheckedSource, options: RequestOptions) -> Handler:
        """Return the handler of /genre: genre of a clip."""

        async def handle(progress: Progress) -> Response:
            async with self._sources.fetch(source, owner=progress.request.guild_id) as clip:
                progress.now("analyzing")
                analysis = await self._recommender.analyze(clip)
            progress.now("comparing")
            rec = self._recommender.genre(analysis)
            if not rec.music:
                return _no_music(rec, clip, analysis, options.localizer)
            files = await self._picture(clip, analysis, options.localizer)
            view = partial(
                answer.genre,
                options.localizer,
                rec,
                key=_key(rec),
                name=clip.title,
                analyzed_s=analysis.analyzed_s,
            )
            return Response(view(picture=bool(files)), files, without_files=view)

        return handle

    def more(self, track_id: int, options: RequestOptions) -> Handler:
        """Return the handler of More like this: tracks similar to a track of the catalogue."""

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            seeds = await self._recommender.tracks([track_id], options.scopes)
            if not seeds:
                raise RequestDeclined("track_gone")
            seed = seeds[0]
            rec = await self._recommender.like(
                seed, k=options.count, genre=options.genre, scopes=options.scopes
            )
            view = answer.recommendation(
                options.localizer,
                rec,
                key=_key(rec),
                name=seed.title,
                count=options.count,
                seed=seed,
                links=await self._links(rec, options),
            )
            return Response(view)

        return handle

    async def _links(self, rec: Recommendation, options: RequestOptions) -> TrackLinks:
        """Return the links of the tracks of a response."""
        ids = [neighbour.track.id for neighbour in rec.tracks]
        return TrackLinks(options.links, await self._recommender.catalogue.details(ids))

    async def _picture(
        self, clip: Clip, analysis: Analysis, localizer: Localizer
    ) -> tuple[MakeFile, ...]:
        png = await asyncio.to_thread(self._draw, analysis)
        if png is None:
            return ()
        return (lambda: answer.picture_file(localizer, png, clip.title),)


def _no_music(
    rec: Recommendation,
    clip: Clip,
    analysis: Analysis,
    localizer: Localizer,
    *,
    watched: bool = False,
) -> Response:
    """Return the response to a clip without music: for a watched upload none."""
    if watched:
        return Response(None, outcome=NoMusic.code)
    view = answer.no_music(
        localizer, rec, key=_key(rec), name=clip.title, analyzed_s=analysis.analyzed_s
    )
    return Response(view, outcome=NoMusic.code)


def _key(rec: Recommendation) -> str:
    return response_key([neighbour.track.id for neighbour in rec.tracks])


def _timed(rec: Recommendation, started: float) -> Recommendation:
    """Return the recommendation with the time since ``started`` as its total."""
    total_ms = round(1000 * (time.monotonic() - started), 3)
    return replace(rec, timings_ms={**rec.timings_ms, "total": total_ms})
