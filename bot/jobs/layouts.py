"""Responses with a genre or tracks, in the layout that the request's options choose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bot.client.responders import MakeFile
from bot.i18n import Localizer
from bot.jobs.excerpts import Excerpts
from bot.jobs.runner import Response
from bot.recommender import SCOPES, Recommender
from bot.ui import answer, compact
from bot.ui.custom_ids import DetailsSource, response_key
from bot.ui.track_links import DEFAULT_LINKS, LinkChoice, TrackLinks
from db.tracks import STARTER
from genrec.types import Analysis, Recommendation, Track

DrawPicture = Callable[[Analysis], bytes | None]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options of one request; ``localizer`` is of the user's locale.

    ``compact`` chooses the compact layout for the tracks. ``fallback`` are the scopes that are
    searched if ``scopes`` hold nothing similar enough.
    """

    localizer: Localizer
    count: int = 5
    genre: str | None = None
    scopes: tuple[str, ...] = SCOPES
    links: LinkChoice = DEFAULT_LINKS
    compact: bool = False
    fallback: tuple[str, ...] = ()

    @property
    def visible(self) -> tuple[str, ...]:
        """The scopes whose tracks an earlier response may have, also under another policy."""
        return tuple(dict.fromkeys((STARTER, *self.scopes)))

    def visible_to_one(self, private: bool) -> RequestOptions:
        """Return the options of a response; one that only the user sees has the full layout."""
        return replace(self, compact=self.compact and not private)


class Layouts:
    """Makes the responses about a clip or a track."""

    def __init__(self, *, recommender: Recommender, draw: DrawPicture, excerpts: Excerpts) -> None:
        self._recommender = recommender
        self._excerpts = excerpts
        self._draw = draw

    async def recommendation(
        self, rec: Recommendation, options: RequestOptions, *, about: Analysis | Track,
        name: str, sha256: str = "", remark: str = "",
    ) -> Response:  # fmt: skip
        """Return the response with similar tracks of a clip or, for a track, of that one.

        ``name`` and ``sha256`` are those of the clip. ``remark`` is a line below the track.
        """
        seed = about if isinstance(about, Track) else None
        links = TrackLinks(
            options.links,
            await self._recommender.catalogue.details(_shown(rec)),
            self._excerpts.offered(neighbour.track for neighbour in rec.tracks),
        )
        if options.compact:
            source = DetailsSource(track_id=seed.id) if seed else DetailsSource(sha256=sha256)
            view = compact.recommendation(
                options.localizer, rec, source=source, key=response_key(_ids(rec)), name=name,
                count=options.count, seed=seed, links=links, remark=remark,
            )  # fmt: skip
            return Response(view)
        analyzed_s = None if isinstance(about, Track) else about.analyzed_s
        files = () if isinstance(about, Track) else await self._picture(about, name, options)
        full = partial(
            answer.recommendation, options.localizer, rec, key=response_key(_ids(rec)), name=name,
            count=options.count, analyzed_s=analyzed_s, seed=seed, links=links, remark=remark,
        )  # fmt: skip
        return Response(full(picture=bool(files)), files, without_files=full)

    async def genre(
        self, rec: Recommendation, options: RequestOptions, *, about: Analysis, name: str
    ) -> Response:
        """Return the response with the genre of a clip."""
        files = await self._picture(about, name, options)
        view = partial(
            answer.genre, options.localizer, rec, key=response_key(_ids(rec)), name=name,
            analyzed_s=about.analyzed_s,
        )  # fmt: skip
        return Response(view(picture=bool(files)), files, without_files=view)

    async def _picture(
        self, analysis: Analysis, name: str, options: RequestOptions
    ) -> tuple[MakeFile, ...]:
        png = await asyncio.to_thread(self._draw, analysis)
        if png is None:
            return ()
        return (lambda: answer.picture_file(options.localizer, png, name),)


def _shown(rec: Recommendation) -> list[int]:
    """Return the ids of all tracks that a response names."""
    return _ids(rec) + ([rec.known.id] if rec.known is not None else [])


def _ids(rec: Recommendation) -> list[int]:
    return [neighbour.track.id for neighbour in rec.tracks]
