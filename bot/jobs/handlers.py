"""What is done for each kind of question: from something to hear to the answer's message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.client.responders import MakeFile
from bot.errors import Declined
from bot.jobs.runner import Handler, Progress, Response
from bot.sources import Attachment, SourcePolicy, Sources, check_attachment
from bot.sources.policy import check_url, site_of
from bot.ui.custom_ids import reply_key
from bot.ui.messages import Replies
from db.tracks import Catalogue
from genrec.preset import Preset
from genrec.types import Analysis, Clip, Recommendation

DrawPicture = Callable[[Analysis], bytes | None]


class Listener(Protocol):
    """What is needed of ``bot.recommender.Recommender``."""

    async def analyze(self, clip: Clip) -> Analysis:
        """Hear a clip, or remember having heard it."""

    async def recommend(
        self, clip: Clip, *, k: int, genre: str | None, scopes: tuple[str, ...]
    ) -> Recommendation:
        """Find what sounds like a clip."""

    async def like(
        self, track_id: int, *, k: int, genre: str | None, scopes: tuple[str, ...]
    ) -> Recommendation:
        """Find what sounds like a track of the catalogue."""

    async def reload(self) -> None:
        """Take up what has changed in the catalogue."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How somebody wants an answer."""

    locale: str
    count: int = 5
    genre: str | None = None
    scopes: tuple[str, ...] = ("starter", "library")


class RequestHandlers:
    """Makes the work for each kind of question."""

    def __init__(
        self,
        *,
        sources: Sources,
        policy: SourcePolicy,
        recommender: Listener,
        catalogue: Catalogue,
        preset: Preset,
        replies: Replies,
        draw: DrawPicture,
    ) -> None:
        self._sources = sources
        self._policy = policy
        self._recommender = recommender
        self._catalogue = catalogue
        self._preset = preset
        self._replies = replies
        self._draw = draw

    def check(self, source: Attachment | str) -> None:
        """Refuse at once what can be seen to be of no use."""
        if isinstance(source, Attachment):
            check_attachment(source, self._policy)
        else:
            site_of(check_url(source, self._policy), self._policy)

    def recommend(self, source: Attachment | str, wanted: Wanted) -> Handler:
        """Hear a clip and name tracks that sound like it."""

        async def work(progress: Progress) -> Response:
            began = time.monotonic()
            if not await self._catalogue.count(self._preset.model_id):
                raise Declined("library_empty")
            async with self._sources.fetch(source) as clip:
                progress.now("listening")
                analysis = await self._recommender.analyze(clip)
                progress.now("comparing")
                found = await self._recommender.recommend(
                    clip, k=wanted.count, genre=wanted.genre, scopes=wanted.scopes
                )
            files = await self._picture(clip, analysis, wanted.locale)
            view = self._replies.recommendation(
                _timed(found, began),
                wanted.locale,
                key=reply_key(neighbour.track.id for neighbour in found.tracks),
                name=clip.title,
                asked=wanted.count,
                heard_s=analysis.analyzed_s,
                picture=bool(files),
            )
            return Response(view, files)

        return work

    def genre(self, source: Attachment | str, wanted: Wanted) -> Handler:
        """Hear a clip and tell its genre."""

        async def work(progress: Progress) -> Response:
            async with self._sources.fetch(source) as clip:
                progress.now("listening")
                analysis = await self._recommender.analyze(clip)
            progress.now("comparing")
            files = await self._picture(clip, analysis, wanted.locale)
            view = self._replies.genre(
                analysis,
                wanted.locale,
                key=reply_key(()),
                name=clip.title,
                picture=bool(files),
                unsure=analysis.scores[0].probability < self._preset.calibration.unsure_below,
            )
            return Response(view, files)

        return work

    def more(self, track_id: int, wanted: Wanted) -> Handler:
        """Name tracks that sound like one of the catalogue."""

        async def work(progress: Progress) -> Response:
            progress.now("comparing")
            known = await self._catalogue.tracks(self._preset.model_id, [track_id])
            seed = known.get(track_id)
            if seed is None:
                raise Declined("track_gone")
            found = await self._recommender.like(
                track_id, k=wanted.count, genre=wanted.genre, scopes=wanted.scopes
            )
            view = self._replies.recommendation(
                found,
                wanted.locale,
                key=reply_key(neighbour.track.id for neighbour in found.tracks),
                name=seed.title,
                asked=wanted.count,
                heard_s=None,
                picture=False,
                seed=seed,
            )
            return Response(view)

        return work

    async def _picture(self, clip: Clip, analysis: Analysis, locale: str) -> tuple[MakeFile, ...]:
        png = await asyncio.to_thread(self._draw, analysis)
        if png is None:
            return ()
        return (lambda: self._replies.picture(png, locale, name=clip.title),)


def _timed(found: Recommendation, began: float) -> Recommendation:
    """Let the total be what the person waited for, from the fetching on."""
    total_ms = round(1000 * (time.monotonic() - began), 3)
    return replace(found, timings_ms={**found.timings_ms, "total": total_ms})
