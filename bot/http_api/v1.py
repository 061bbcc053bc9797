"""Routes of the HTTP interface under /v1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.answer_json import as_json, description_json
from bot.http_api import answer_bodies as answers
from bot.http_api.gate import Gate
from bot.http_api.openapi import ApiRoute, ServedRoute, describe
from bot.http_api.posted_clips import SEED_ROLES, posted_question
from bot.http_api.problems import HttpProblem
from bot.http_api.question_bodies import (
    MOST_SEEDS,
    GenreQuestion,
    RecommendQuestion,
    TrackListQuestion,
    payload_of,
    read_body,
)
from bot.http_api.question_reader import QuestionReader, VisibleScopes, no_track
from bot.http_api.replies import LONGEST_LINK, json_reply, links_of, track_json
from bot.http_api.services import ApiServices
from bot.http_api.song_lists import SongLists
from db.details import NO_DETAILS
from db.track_pages import track_page
from db.tracks import LIBRARY
from genrec.questions import Question, Seed
from genrec.types import Recommendation

_MAX_ID = 2**63


class V1:
    """Handlers of the routes under /v1."""

    def __init__(self, services: ApiServices, *, version: str) -> None:
        self._services = services
        self._version = version
        self._reader = QuestionReader(services)
        self._routes = tuple(self._serve())
        self.description: dict[str, Any] = describe(
            [served.route for served in self._routes], version=version
        )

    def application(self, gate: Gate) -> web.Application:
        """Return the application of the routes, each behind the token."""
        app = web.Application(middlewares=[gate.middleware()])
        for served in self._routes:
            method, path = served.route.method, served.route.path
            options: dict[str, Any] = {"allow_head": False} if method == "GET" else {}
            add = app.router.add_get if method == "GET" else app.router.add_post
            add(path, served.handler, **options)
        return app

    def _serve(self) -> Iterator[ServedRoute]:
        """Yield each route with its handler."""
        yield ServedRoute(
            ApiRoute("GET", "", "Version, model, genres, tags, scopes, routes", answers.RootBody),
            self.root,
        )
        yield ServedRoute(ApiRoute("GET", "/openapi.json", "This description"), self.openapi)
        yield ServedRoute(
            ApiRoute(
                "POST", "/recommend", "Genre and similar tracks of one to five seeds",
                answers.RecommendationBody, body=RecommendQuestion, clips=SEED_ROLES,
            ),
            self.recommend,
        )  # fmt: skip
        yield ServedRoute(
            ApiRoute(
                "POST", "/mix", "Tracks that are near all of two to five seeds",
                answers.RecommendationBody, body=RecommendQuestion, clips=SEED_ROLES,
            ),
            self.mix,
        )  # fmt: skip
        yield ServedRoute(
            ApiRoute(
                "POST", "/genre", "Genre of one clip or track", answers.GenreBody,
                body=GenreQuestion, clips=SEED_ROLES,
            ),
            self.genre,
        )  # fmt: skip
        yield from SongLists(self._services, self._reader).served()
        yield ServedRoute(
            ApiRoute(
                "GET", "/tracks", "Tracks by name, in pages", answers.TrackListBody,
                query=TrackListQuestion,
            ),
            self.tracks,
        )  # fmt: skip
        yield ServedRoute(
            ApiRoute("GET", "/tracks/{id}", "One track", answers.TrackBody, missing=True),
            self.track,
        )

    async def root(self, _: web.Request) -> web.Response:
        """Return version, model, genres, tags, scopes and routes."""
        services = self._services
        return json_reply(
            {
                "version": self._version,
                "model_id": services.preset.model_id,
                "genres": list(services.preset.labels),
                "tags": list(services.preset.tags.shown) if services.preset.tags else [],
                "scopes": list(services.scopes),
                "routes": [f"{s.route.method} /v1{s.route.path}" for s in self._routes],
            }
        )

    async def openapi(self, _: web.Request) -> web.Response:
        """Return the OpenAPI description of this interface."""
        return json_reply(self.description)

    async def recommend(self, request: web.Request) -> web.Response:
        """Return genre and similar tracks of one to five seeds."""
        return await self._recommend(request, least=1)

    async def mix(self, request: web.Request) -> web.Response:
        """Return tracks near all of two to five seeds."""
        return await self._recommend(request, least=2)

    async def genre(self, request: web.Request) -> web.Response:
        """Return the genre of one clip or track."""
        services, reader = self._services, self._reader
        async with posted_question(request, services.sources) as posted:
            body = read_body(GenreQuestion, posted.payload)
            visible = await reader.scopes(None, may_be_empty=True)
            (seed,) = await reader.seeds(posted, body.given, visible, most=1)
        if seed.analysis is not None:
            result = await self._with_words(services.recommender.genre(seed.analysis), seed)
        elif seed.genre:
            result = Recommendation(
                model_id=services.preset.model_id, genre=seed.genre, unsure=False, scores=(),
                tracks=(), description=seed.description,
            )  # fmt: skip
        else:
            raise HttpProblem(
                422, "no_genre", "The catalogue has this track without a genre: send a clip."
            )
        return json_reply(as_json(result, tracks=False))

    async def tracks(self, request: web.Request) -> web.Response:
        """Return a page of the tracks with every word of a query."""
        services = self._services
        body = read_body(TrackListQuestion, payload_of(request.query.items()))
        visible = await self._reader.scopes(body.scopes, may_be_empty=True)
        try:
            page = await track_page(
                services.db, services.preset.model_id, visible.all, text=body.query,
                limit=body.limit, after=body.after,
            )  # fmt: skip
        except ValueError:
            raise HttpProblem(
                422, "wrong_value", "after: no cursor of a page; take it from 'next'."
            ) from None
        links = await links_of(services, page.tracks)
        found = [track_json(track, links) for track in page.tracks]
        return json_reply({"tracks": found, "next": page.next})

    async def track(self, request: web.Request) -> web.Response:
        """Return one track with its album, published ids and music description."""
        services, number = self._services, request.match_info["id"]
        is_id = number.isascii() and number.isdigit() and len(number) < 20
        if not is_id or not 0 < int(number) < _MAX_ID:
            raise no_track(number)
        visible = await self._reader.scopes(None, may_be_empty=True)
        track = await self._reader.track(int(number), visible)
        links = await links_of(services, [track])
        details = links.details.get(track.id, NO_DETAILS)
        description = await services.recommender.description(track.id)
        return json_reply(
            {
                **track_json(track, links),
                "album": details.album,
                "year": details.year,
                "isrc": details.isrc,
                "mbid": details.recording_id,
                "description": description_json(description),
            }
        )

    async def _recommend(self, request: web.Request, *, least: int) -> web.Response:
        services, reader = self._services, self._reader
        async with posted_question(request, services.sources) as posted:
            body = read_body(RecommendQuestion, posted.payload)
            visible = await reader.scopes(body.scopes)
            rules = reader.rules(body, visible)
            seeds = await reader.seeds(posted, body.given, visible, least=least, most=MOST_SEEDS)
        async with services.share.turn():
            result = await services.recommender.answer(Question(seeds, rules))
        if len(seeds) == 1:
            result = await self._with_words(result, seeds[0])
        return json_reply(await self._json(result, visible))

    async def _json(self, result: Recommendation, visible: VisibleScopes) -> dict[str, Any]:
        tracks = [neighbour.track for neighbour in result.tracks]
        links = await links_of(self._services, tracks)
        places = {track.id: links.address(track, LONGEST_LINK) for track in tracks}
        if result.known is not None and result.known.scope not in visible.all:
            result = replace(result, known=None)
        return as_json(result, places=places, public=True)

    async def _with_words(self, result: Recommendation, seed: Seed) -> Recommendation:
        """Add the clip's genres in the words of the operator's library."""
        services = self._services
        if seed.analysis is None or not result.music or LIBRARY not in services.scopes:
            return result
        return replace(result, words=await services.own.words((LIBRARY,), seed.embedding))
