"""Handlers of /recommend, /genre and More like this: from a checked source to the response."""

from __future__ import annotations

import time
from dataclasses import replace

from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.layouts import Layouts, RequestOptions
from bot.jobs.runner import Handler, Progress, Response
from bot.jobs.song_links import SongLinks
from bot.jobs.track_names import declined
from bot.named_tracks import NamedTracks
from bot.recommender import Recommender
from bot.sources import CheckedSource, Sources
from bot.ui import answer, song_choice
from bot.ui.custom_ids import response_key
from bot.ui.song_choice import SongChoice
from genrec.errors import ClipTooShort, NoMusic, SilentAudio
from genrec.questions import Question
from genrec.types import Analysis, Clip, Recommendation, Track


class RequestHandlers:
    """Makes the handlers of requests about a clip or a track."""

    def __init__(
        self,
        *,
        sources: Sources,
        recommender: Recommender,
        layouts: Layouts,
        named: NamedTracks,
    ) -> None:
        self._named = named
        self._sources = sources
        self._recommender = recommender
        self._layouts = layouts
        self._songs = SongLinks(sources=sources, recommender=recommender)

    def recommend(
        self, source: CheckedSource, options: RequestOptions, *, watched: bool = False
    ) -> Handler:
        """Return the handler of /recommend: genre and similar tracks of a clip.

        With ``watched``, for an upload that may be no question, a clip without music gets no
        response. Nor does a silent or a very short one.
        """

        async def handle(progress: Progress) -> Response:
            started = time.monotonic()
            chosen = await options.with_scopes()
            chosen.require_tracks(self._recommender)
            try:
                async with self._sources.fetch(source, owner=progress.request.guild_id) as clip:
                    progress.now("analyzing")
                    analysis = await self._recommender.analyze(clip)
            except (SilentAudio, ClipTooShort) as error:
                if not watched:
                    raise
                return Response(None, outcome=error.code)
            progress.now("comparing")
            seed = self._recommender.clip_seed(analysis, clip)
            rec = await self._recommender.answer(Question((seed,), chosen.rules))
            if not rec.music:
                return _no_music(rec, clip, analysis, options.localizer, watched=watched)
            return await self._layouts.recommendation(
                _timed(rec, started), chosen, about=analysis, name=clip.title, sha256=clip.sha256
            )

        if source.song is None:
            return handle
        return self._songs.handler(
            source,
            "recommend",
            options,
            lambda track: self._like(track, options, named=True),
            analyze=None if source.no_sound else handle,
            watched=watched,
        )

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
            return await self._layouts.genre(rec, options, about=analysis, name=clip.title)

        if source.song is None:
            return handle
        return self._songs.handler(
            source,
            "genre",
            options,
            lambda track: self._catalogue_genre(track, options),
            analyze=None if source.no_sound else handle,
        )

    def more(self, track_id: int, options: RequestOptions) -> Handler:
        """Return the handler of More like this: tracks similar to a track of the catalogue."""

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            return await self._like(await self._seed(track_id, options), options)

        return handle

    def typed(self, text: str, kind: str, options: RequestOptions) -> Handler:
        """Return the handler of /recommend or /genre for a typed name, or for a choice of one.

        ``kind`` is "recommend" or "genre". A name that several songs fit leads to a list.
        """

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            chosen = await options.with_scopes()
            scopes = (*chosen.scopes, *chosen.fallback)
            chosen.require_tracks(self._recommender)
            match = await self._named.match(text, scopes)
            if match.track is not None:
                if kind == "genre":
                    return await self._catalogue_genre(match.track, options, linked=False)
                return await self._like(match.track, options)
            if not match.unclear:
                raise declined(text, match)
            custom_id = song_choice.custom_id(
                "track_genre" if kind == "genre" else "track",
                progress.request.user_id,
                options.count,
                options.genre,
                options.music,
                any_artist=not options.new_artists,
                reach=options.reach,
            )
            view = song_choice.typed_choices(
                options.localizer, match.unclear, typed=text, custom_id=custom_id
            )
            return Response(view, outcome="song_choice")

        return handle

    def chosen_song(self, choice: SongChoice, track_id: int, options: RequestOptions) -> Handler:
        """Return the handler of a choice among the songs that a link or a name may mean."""

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            seed = await self._seed(track_id, options)
            if choice.command == "genre":
                return await self._catalogue_genre(seed, options, linked=choice.linked)
            return await self._like(seed, options, named=choice.linked)

        return handle

    async def _seed(self, track_id: int, options: RequestOptions) -> Track:
        seeds = await self._recommender.tracks([track_id], options.visible)
        if not seeds:
            raise RequestDeclined("track_gone")
        return seeds[0]

    async def _like(self, seed: Track, options: RequestOptions, *, named: bool = False) -> Response:
        """Return the tracks similar to ``seed``; with ``named``, a link led to it by its name."""
        options = await options.with_scopes()
        question = Question((await self._recommender.track_seed(seed),), options.rules)
        rec = await self._recommender.answer(question)
        remark = options.localizer("songs.by_name") if named else ""
        return await self._layouts.recommendation(
            rec, options, about=seed, name=seed.title, remark=remark
        )

    async def _catalogue_genre(
        self, track: Track, options: RequestOptions, *, linked: bool = True
    ) -> Response:
        if not track.genre:
            raise RequestDeclined("song_no_genre" if linked else "track_no_genre", song=track.title)
        return Response(song_choice.genre(options.localizer, track, linked=linked))


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
        localizer, key=_key(rec), name=clip.title, analyzed_s=analysis.analyzed_s
    )
    return Response(view, outcome=NoMusic.code)


def _key(rec: Recommendation) -> str:
    return response_key([neighbour.track.id for neighbour in rec.tracks])


def _timed(rec: Recommendation, started: float) -> Recommendation:
    """Return the recommendation with the time since ``started`` as its total."""
    total_ms = round(1000 * (time.monotonic() - started), 3)
    return replace(rec, timings_ms={**rec.timings_ms, "total": total_ms})
