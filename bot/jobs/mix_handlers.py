"""Handlers of /mix and /radio: from the named seeds to the response."""

from __future__ import annotations

import io
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import discord

from bot.client.error_handler import ErrorHandler, outcome_of
from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.asked_seeds import AskedSeed, PartlyKnown, SeedFinder, SeedRefused
from bot.jobs.layouts import Layouts, RequestOptions
from bot.jobs.mix_baskets import MOST_SEEDS
from bot.jobs.runner import Handler, Progress, Response
from bot.radio_station import RadioList, RadioStation
from bot.recommender import Recommender
from bot.ui.components import small
from bot.ui.custom_ids import track_ids
from bot.ui.markdown import escape
from bot.ui.mix_layouts import MixHead, nearest_to, seed_names
from bot.ui.radio_pages import SONGS_PER_PAGE, RadioPages, head_text, page
from bot.ui.track_files import TrackFile, has_location, track_file
from db.list_writers import Format
from genrec.errors import NoMusic
from genrec.questions import Question, Seed
from genrec.types import Recommendation, Track

FEWEST_SEEDS = 2
_NAME_CHARS = 80
RadioFormat = Literal["m3u8", "jspf", "csv", "txt"]


class MixHandlers:
    """Makes the handlers of questions with several seeds; ``root`` is that of playlists' paths."""

    def __init__(
        self,
        *,
        finder: SeedFinder,
        recommender: Recommender,
        layouts: Layouts,
        errors: ErrorHandler,
        root: Path | None,
    ) -> None:
        self._finder = finder
        self._recommender = recommender
        self._layouts = layouts
        self._errors = errors
        self._station = RadioStation(recommender)
        self._root = root

    def mix(self, asked: Sequence[AskedSeed], options: RequestOptions) -> Handler:
        """Return the handler of /mix: tracks that are near all liked seeds."""
        check_liked(asked)

        async def answer(chosen: RequestOptions, progress: Progress) -> Response:
            started = time.monotonic()
            partly: list[PartlyKnown] = []
            seeds = await self._finder.seeds(asked, _visible(chosen), progress, partly)
            if len(seeds) < FEWEST_SEEDS:
                for each in partly[:1]:
                    raise RequestDeclined(
                        "list_too_few", low=FEWEST_SEEDS, high=MOST_SEEDS,
                        name=each.name, known=each.known, total=each.total,
                    )  # fmt: skip
                raise RequestDeclined(
                    "mix_too_few", low=FEWEST_SEEDS, high=MOST_SEEDS, count=len(seeds)
                )
            progress.now("comparing")
            rec = await self._recommender.answer(Question(seeds, chosen.rules))
            total_ms = round(1000 * (time.monotonic() - started), 3)
            rec = replace(rec, timings_ms={**rec.timings_ms, "total": total_ms})
            head = await self._head(options.localizer, seeds, rec, chosen.visible)
            head = replace(head, heading=head.heading + _notes(options.localizer, partly))
            return await self._layouts.mix(rec, chosen, head)

        return self._handler(answer, options)

    def radio(
        self,
        asked: Sequence[AskedSeed],
        options: RequestOptions,
        *,
        chance: int,
        apart: int,
        form: RadioFormat | None,
    ) -> Handler:
        """Return the handler of /radio: a list of ``options.count`` songs, also as a file.

        ``form`` is the file's format, by default a playlist that players open, where there is one.
        """
        check_liked(asked)

        async def answer(chosen: RequestOptions, progress: Progress) -> Response:
            partly: list[PartlyKnown] = []
            seeds = await self._finder.seeds(asked, _visible(chosen), progress, partly)
            progress.now("comparing")
            question = Question(seeds, chosen.rules)
            songs = await self._station.play(question, chance=chance, apart=apart)
            if not songs.tracks:
                raise RequestDeclined("radio_empty")
            return await self._radio(songs, seeds, chosen, form, partly)

        return self._handler(answer, options)

    def _handler(
        self,
        answer: Callable[[RequestOptions, Progress], Awaitable[Response]],
        options: RequestOptions,
    ) -> Handler:
        """Return a handler that names the seed whose error it responds with."""

        async def handle(progress: Progress) -> Response:
            chosen = await options.with_scopes()
            chosen.require_tracks(self._recommender)
            try:
                return await answer(chosen, progress)
            except SeedRefused as refused:
                if isinstance(refused.error, NoMusic):
                    raise RequestDeclined("seed_no_music", name=refused.name) from refused
                locale = options.localizer.locale
                view = self._errors.message_of(refused.error, locale, clip=refused.name)
                return Response(view, outcome=outcome_of(refused.error), refusal=True)

        return handle

    async def _head(
        self,
        localizer: Localizer,
        seeds: Sequence[Seed],
        rec: Recommendation,
        scopes: Sequence[str],
    ) -> MixHead:
        """Return the heading of a mix, and for each track the liked seed that it is nearest to."""
        liked = [seed for seed in seeds if seed.liked]
        nearest: dict[int, str] = {}
        if len(liked) > 1 and rec.tracks:
            ids = [neighbour.track.id for neighbour in rec.tracks]
            best: dict[int, float] = {}
            for seed in liked:
                for near in await self._recommender.compare(seed.embedding, ids, scopes):
                    if near.similarity > best.get(near.track.id, -1.0):
                        best[near.track.id] = near.similarity
                        nearest[near.track.id] = nearest_to(localizer, seed)
        return MixHead(seed_names(localizer, seeds), nearest)

    async def _radio(
        self,
        songs: RadioList,
        seeds: Sequence[Seed],
        options: RequestOptions,
        form: RadioFormat | None,
        partly: Sequence[PartlyKnown],
    ) -> Response:
        localizer, ids = options.localizer, [track.id for track in songs.tracks]
        file = await self._file(songs.tracks, form)
        wanted_form = form in (None, file.name.rpartition(".")[2])
        head = head_text(localizer, songs, seeds, playlist=wanted_form)
        head += _notes(localizer, partly)
        pages = RadioPages.of(head, ids, file.name)
        first = songs.tracks[:SONGS_PER_PAGE]
        links = await self._layouts.links(first, options)
        return Response(
            page(localizer, pages, 0, first, links),
            (lambda: discord.File(io.BytesIO(file.data), file.name),),
            without_files=lambda: page(localizer, replace(pages, filename=""), 0, first, links),
        )

    async def _file(self, tracks: Sequence[Track], form: RadioFormat | None) -> TrackFile:
        """Return the list as a file; JSPF in place of a playlist that would be empty."""
        playable = any(has_location(track.source, self._root) for track in tracks)
        chosen: Format = form or "m3u8"
        if chosen == "m3u8" and not playable:
            chosen = "jspf"
        ids = [track.id for track in tracks]
        catalogue, model_id = self._recommender.catalogue, self._recommender.preset.model_id
        file = await track_file(catalogue, model_id, chosen, ids, root=self._root, analyses=False)
        return replace(file, name=f"radio.{chosen}")

    async def radio_page(
        self, pages: RadioPages, key: str, options: RequestOptions
    ) -> discord.ui.LayoutView:
        """Return another page of a radio list, whose songs ``key`` names."""
        if key not in pages.keys:
            raise RequestDeclined("answer_gone")
        tracks = await self._recommender.tracks(track_ids(key), options.visible)
        links = await self._layouts.links(tracks, options)
        return page(options.localizer, pages, pages.keys.index(key), tracks, links)


def check_liked(asked: Sequence[AskedSeed]) -> None:
    """Raise RequestDeclined if seeds are too many, or all are ones to have less of."""
    if len(asked) > MOST_SEEDS:
        raise RequestDeclined("seeds_too_many", high=MOST_SEEDS, count=len(asked))
    if not any(each.liked for each in asked):
        raise RequestDeclined("only_less")


def _notes(localizer: Localizer, partly: Sequence[PartlyKnown]) -> str:
    """Return a small line for each list of which only some tracks are known."""
    lines = []
    for each in partly:
        counts = {"known": each.known, "total": each.total}
        line = localizer("mix.list_partly", name=escape(each.name, _NAME_CHARS), **counts)
        lines.append(f"\n{small(line)}")
    return "".join(lines)


def _visible(options: RequestOptions) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*options.scopes, *options.fallback)))
