"""Handlers of /path and Another way: from two named ends to the response."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from discord.ui import LayoutView

from bot.client.error_handler import ErrorHandler, outcome_of
from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.asked_seeds import AskedSeed, SeedFinder, SeedRefused
from bot.jobs.layouts import Layouts, RequestOptions
from bot.jobs.runner import Handler, Progress, Response
from bot.path_finder import PathFinder, Way
from bot.recommender import Recommender
from bot.ui.custom_ids import DetailsSource, about_key, details_source
from bot.ui.way import WayPicture, another_id, draw_way, way_answer
from genrec.errors import CatalogueError, NoMusic
from genrec.paths import MAX_SONGS, MIN_SONGS
from genrec.questions import Seed
from genrec.types import Clip

CHANCES = 10_000  # chance seeds are below it
_MOST_NAMES = 500  # of clips that Another way finds again

DrawWay = Callable[[Localizer, Way], WayPicture]


class WayHandlers:
    """Makes the handlers of requests for a way of songs.

    The names of clips are kept in memory: an earlier response names a clip by its digest alone.
    """

    def __init__(
        self,
        *,
        finder: SeedFinder,
        recommender: Recommender,
        layouts: Layouts,
        errors: ErrorHandler,
        draw: DrawWay = draw_way,
    ) -> None:
        self._finder = finder
        self._recommender = recommender
        self._layouts = layouts
        self._errors = errors
        self._draw = draw
        self._paths = PathFinder(recommender)
        self._names: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def way(
        self,
        start: AskedSeed,
        goal: AskedSeed,
        options: RequestOptions,
        *,
        songs: int,
        chance_seed: int = 0,
    ) -> Handler:
        """Return the handler of /path: a way of songs from one end to the other.

        Raises
        ------
        RequestDeclined
            An end is a list of songs.
        """
        if "list" in (start.kind, goal.kind):
            raise RequestDeclined("way_list")

        async def handle(progress: Progress) -> Response:
            chosen = await self._chosen(options)
            try:
                ends = [
                    (await self._finder.seeds([end], _scopes(chosen), progress))[0]
                    for end in (start, goal)
                ]
                progress.now("comparing")
                return await self._answer(ends, chosen, songs, chance_seed)
            except SeedRefused as refused:
                if isinstance(refused.error, NoMusic):
                    raise RequestDeclined("seed_no_music", name=refused.name) from refused
                locale = options.localizer.locale
                view = self._errors.message_of(refused.error, locale, clip=refused.name)
                return Response(view, outcome=outcome_of(refused.error), refusal=True)

        return handle

    def another(
        self, start: str, goal: str, options: RequestOptions, *, songs: int, chance_seed: int
    ) -> Handler:
        """Return the handler of Another way; the ends are keys of an earlier response.

        Raises
        ------
        RequestDeclined
            The number of songs or the chance seed is out of range.
        """
        if not MIN_SONGS <= songs <= MAX_SONGS or not 0 <= chance_seed < CHANCES:
            raise RequestDeclined("answer_gone")

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            chosen = await self._chosen(options)
            ends = [await self._known(key, chosen) for key in (start, goal)]
            return await self._answer(ends, chosen, songs, chance_seed)

        return handle

    async def _chosen(self, options: RequestOptions) -> RequestOptions:
        chosen = await options.with_scopes()
        if self._recommender.is_empty((*chosen.scopes, *chosen.fallback)):
            raise RequestDeclined("library_empty")
        return chosen

    async def _known(self, key: str, options: RequestOptions) -> Seed:
        """Return the seed of an end that an earlier response names."""
        source = details_source(key)
        if source is None:
            raise RequestDeclined("answer_gone")
        if source.sha256:
            analysis = await self._recommender.cached(source.sha256)
            if analysis is None:
                raise RequestDeclined("answer_gone")
            title, artist = self._names.get(key, ("", ""))
            clip = Clip(Path(), source.sha256, title=title, artist=artist)
            return self._recommender.clip_seed(analysis, clip)
        tracks = await self._recommender.tracks([source.track_id], options.visible)
        if not tracks:
            raise RequestDeclined("track_gone")
        try:
            return await self._recommender.track_seed(tracks[0])
        except CatalogueError as error:
            raise RequestDeclined("track_gone") from error

    async def _answer(
        self, ends: Sequence[Seed], options: RequestOptions, songs: int, chance_seed: int
    ) -> Response:
        way = await self._paths.find(
            ends[0], ends[1], options.rules, songs=songs, chance_seed=chance_seed
        )
        keys = [self._key(end) for end in ends]
        again = another_id(keys[0], keys[1], songs, (chance_seed + 1) % CHANCES)
        links = await self._layouts.links(way.tracks, options)
        picture = await asyncio.to_thread(self._draw, options.localizer, way)

        def view(alt: str = "") -> LayoutView:
            return way_answer(
                options.localizer, way, links=links, alt=alt,
                again_id=again if len(way.songs) > 2 else "",
            )  # fmt: skip

        return Response(view(picture.alt), (picture.file,), without_files=view)

    def _key(self, end: Seed) -> str:
        """Return the key of an end, and keep the names of a clip."""
        if end.track is not None:
            return about_key(DetailsSource(track_id=end.track.id))
        key = about_key(DetailsSource(sha256=end.sha256))
        self._names[key] = (end.title, end.artist)
        self._names.move_to_end(key)
        while len(self._names) > _MOST_NAMES:
            self._names.popitem(last=False)
        return key


def _scopes(options: RequestOptions) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*options.scopes, *options.fallback)))
