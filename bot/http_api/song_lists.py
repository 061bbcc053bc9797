"""Routes of the HTTP interface for lists of songs: ways between two, and radio."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.http_api import answer_bodies as answers
from bot.http_api.openapi import ApiRoute, ServedRoute
from bot.http_api.posted_clips import SEED_ROLES, PostedQuestion, posted_question
from bot.http_api.problems import HttpProblem
from bot.http_api.question_bodies import EndBody, PathQuestion, RadioQuestion, read_body
from bot.http_api.question_reader import QuestionReader, VisibleScopes
from bot.http_api.replies import json_reply, links_of, track_json
from bot.http_api.services import ApiServices
from bot.path_finder import PathFinder, Way
from bot.radio_station import CHANCES, RadioList, RadioStation
from genrec.questions import Question, Seed
from genrec.types import Clip

_ENDS = ("from", "to")


class SongLists:
    """Handlers of the routes that return lists of songs."""

    def __init__(self, services: ApiServices, reader: QuestionReader) -> None:
        self._services = services
        self._reader = reader
        self._paths = PathFinder(services.recommender)
        self._station = RadioStation(services.recommender)

    def served(self) -> Iterator[ServedRoute]:
        """Yield each route with its handler."""
        yield ServedRoute(
            ApiRoute(
                "POST", "/path", "Songs from one to another in even steps", answers.PathBody,
                body=PathQuestion, clips=_ENDS,
            ),
            self.path,
        )  # fmt: skip
        yield ServedRoute(
            ApiRoute(
                "POST", "/radio", "A list of songs near one to five seeds", answers.RadioBody,
                body=RadioQuestion, clips=SEED_ROLES,
            ),
            self.radio,
        )  # fmt: skip

    async def path(self, request: web.Request) -> web.Response:
        """Return a way of songs from one to another."""
        services, reader = self._services, self._reader
        async with posted_question(request, services.sources, roles=_ENDS) as posted:
            body = read_body(PathQuestion, posted.payload)
            visible = await reader.scopes(body.scopes)
            rules = reader.rules(body, visible)
            start = await self._end(posted, body, "from", visible)
            goal = await self._end(posted, body, "to", visible)
        async with services.share.turn():
            way = await self._paths.find(
                start, goal, rules, songs=body.steps, chance_seed=body.random_seed
            )
        return json_reply(await self._path_json(way))

    async def radio(self, request: web.Request) -> web.Response:
        """Return a list of songs near the seeds, no artist twice in a short time."""
        services, reader = self._services, self._reader
        async with posted_question(request, services.sources) as posted:
            body = read_body(RadioQuestion, posted.payload)
            visible = await reader.scopes(body.scopes)
            rules = replace(reader.rules(body, visible), count=body.count)
            seeds = await reader.seeds(posted, body.given, visible)
        chance = secrets.randbelow(CHANCES) if body.random_seed is None else body.random_seed
        async with services.share.turn():
            found = await self._station.play(
                Question(seeds, rules), chance=chance, apart=body.apart
            )
        links = await links_of(services, found.tracks)
        return json_reply(
            {
                "model_id": services.preset.model_id,
                "songs": [track_json(track, links) for track in found.tracks],
                "count": found.wanted,
                "apart": found.apart,
                "random_seed": found.chance,
                "note": _few(found),
            }
        )

    async def _end(
        self, posted: PostedQuestion, body: PathQuestion, name: str, visible: VisibleScopes
    ) -> Seed:
        named = body.start if name == "from" else body.goal
        given: list[EndBody | Clip] = [clip for role, clip in posted.clips if role == name]
        given += [named] if named is not None else []
        if len(given) != 1:
            raise HttpProblem(
                422,
                "wrong_value",
                f"{name}: {len(given)} songs are given; give one track, name, link or clip.",
            )
        return await self._reader.seed(given[0], visible)

    async def _path_json(self, way: Way) -> dict[str, Any]:
        links = await links_of(self._services, way.tracks)
        songs = []
        for song in way.songs:
            known: dict[str, Any] = {"id": None, "source": "", "link": "", "scope": ""}
            if song.track is not None:
                known = track_json(song.track, links)
            step = None if song.similarity is None else round(song.similarity, 4)
            names = {"title": song.title, "artist": song.artist, "genre": song.genre}
            songs.append({**known, **names, "similarity": step})
        return {
            "model_id": self._services.preset.model_id,
            "songs": songs,
            "steps": way.wanted,
            "random_seed": way.chance_seed,
            "note": _short(len(songs), way.wanted) if way.is_short else "",
        }


def _few(found: RadioList) -> str:
    """Return why a list has fewer songs than were asked for; "" if it has them all."""
    if not found.shortage:
        return ""
    why = {
        "similar": "no further song is similar enough: ask for fewer, or index more music",
        "artists": "further ones would repeat an artist too soon: lower apart",
    }[found.shortage]
    return f"The list has {len(found.tracks)} of {found.wanted} songs, because {why}."


def _short(found: int, wanted: int) -> str:
    return (
        f"The way has {found} of {wanted} songs, because the others between them need larger"
        " steps or are by the same artists: ask for fewer steps, or index more music."
    )
