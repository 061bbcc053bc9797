"""Details: the full layout of a compact response, from the cached analysis and the index."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.errors import RequestDeclined
from bot.jobs.layouts import Layouts, RequestOptions
from bot.jobs.runner import Response
from bot.recommender import Recommender
from bot.ui.custom_ids import details_source, track_ids
from genrec.types import Recommendation

AT_ONCE = 2  # they count against no limit on requests


class DetailsHandler:
    """Makes the full layout of a response, also one that was sent before a restart."""

    def __init__(self, *, recommender: Recommender, layouts: Layouts) -> None:
        self._recommender = recommender
        self._layouts = layouts
        self._free = asyncio.Semaphore(AT_ONCE)

    async def respond(self, about: str, key: str, name: str, options: RequestOptions) -> Response:
        """Return the full response; ``about`` and ``key`` are those of the custom id of Details.

        ``name`` is the clip's.

        Raises
        ------
        RequestDeclined
            The analysis or the track is no longer stored.
        """
        ids = track_ids(key)
        options = replace(options, compact=False, count=len(ids))
        async with self._free:
            return await self._respond(about, ids, name, options)

    async def _respond(
        self, about: str, ids: tuple[int, ...], name: str, options: RequestOptions
    ) -> Response:
        source = details_source(about)
        if source is None:
            raise RequestDeclined("answer_gone")
        if source.track_id:
            return await self._of_track(source.track_id, ids, options)
        analysis = await self._recommender.cached(source.sha256)
        if analysis is None:
            raise RequestDeclined("answer_gone")
        tracks = await self._recommender.compare(analysis.embedding, ids, options.visible)
        rec = replace(self._recommender.genre(analysis), tracks=tracks, timings_ms={})
        rec = await self._recommender.explain(_with_gone(rec, ids), options.visible)
        return await self._layouts.recommendation(rec, options, about=analysis, name=name)

    async def _of_track(
        self, track_id: int, ids: tuple[int, ...], options: RequestOptions
    ) -> Response:
        seeds = await self._recommender.tracks([track_id], options.visible)
        embedding = await self._recommender.embedding(track_id)
        if not seeds or embedding is None:
            raise RequestDeclined("track_gone")
        rec = Recommendation(
            model_id=self._recommender.preset.model_id,
            genre=seeds[0].genre,
            unsure=False,
            scores=(),
            tracks=await self._recommender.compare(embedding, ids, options.visible),
            description=await self._recommender.description(track_id),
        )
        rec = await self._recommender.explain(_with_gone(rec, ids), options.visible)
        return await self._layouts.recommendation(rec, options, about=seeds[0], name=seeds[0].title)


def _with_gone(rec: Recommendation, ids: tuple[int, ...]) -> Recommendation:
    """Return a recommendation that says so if tracks of the compact response are gone."""
    return replace(rec, left_out=("gone",)) if len(rec.tracks) < len(ids) else rec
