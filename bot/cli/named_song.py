"""``--track NAME`` of the command line: the track of the catalogue that a typed name means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from bot.cli.ask import complete_rules, recommended_places, settings_of, timed
from bot.errors import RequestDeclined
from bot.jobs.track_names import declined
from bot.named_tracks import NamedTracks
from bot.runtime.resources import Resources, open_recommender
from bot.starter_policy import Policy
from genrec.errors import InputRefused, SongUnknown
from genrec.questions import SCOPES, Question, Rules
from genrec.types import Recommendation, Track


async def track_named(named: NamedTracks, text: str, scopes: Collection[str] = SCOPES) -> Track:
    """Return the track of the scopes that a name means.

    Raises
    ------
    SongUnknown
        The name fits several songs or none; the sentence has the nearest names.
    """
    match = await named.match(text, scopes)
    if match.track is None:
        raise SongUnknown(str(declined(text, match)))
    return match.track


def recommend_named(
    text: str,
    rules: Rules,
    *,
    preset: Path | None = None,
    starter: Policy | None = None,
    output: Path | None = None,
) -> tuple[Recommendation, dict[int, str]]:
    """Return tracks similar to the one that a name means, which is ``known``, and their places.

    The options are those of `bot.cli.ask.recommend`.

    Raises
    ------
    SongUnknown
        The name fits several songs or none.
    """
    settings = settings_of(preset)

    async def answer() -> tuple[Recommendation, dict[int, str]]:
        start = time.perf_counter()
        async with open_recommender(settings, workers=1) as opened:
            complete = await complete_rules(opened, rules, starter or settings.starter)
            opening = _ms(start)
            recommender = opened.recommender
            scopes = (*complete.scopes, *complete.fallback)
            track = await track_named(NamedTracks(recommender), text, scopes)
            question = Question((await recommender.track_seed(track),), complete)
            found = replace(await recommender.answer(question), known=track)
            places = await recommended_places(opened, settings, found, output)
            return timed(found, start, opening), places

    return asyncio.run(answer())


def genre_named(text: str, *, preset: Path | None = None) -> Recommendation:
    """Return the catalogue's genre of the track that a name means, which is ``known``.

    Raises
    ------
    SongUnknown
        The name fits several songs or none.
    InputRefused
        The track has no genre.
    """
    settings = settings_of(preset)

    async def answer() -> Recommendation:
        start = time.perf_counter()
        async with open_recommender(settings, workers=1) as opened:
            opening = _ms(start)
            return timed(await _genre(opened, text), start, opening)

    return asyncio.run(answer())


async def _genre(opened: Resources, text: str) -> Recommendation:
    track = await track_named(NamedTracks(opened.recommender), text)
    if not track.genre:
        raise InputRefused(str(RequestDeclined("track_no_genre", song=track.title)))
    name = " - ".join(part for part in (track.artist, track.title) if part)
    return Recommendation(
        model_id=opened.preset.model_id,
        genre=track.genre,
        unsure=False,
        scores=(),
        tracks=(),
        note=f'The genre of "{name}" as the catalogue has it.',
    )


def _ms(since: float) -> float:
    return round(1000 * (time.perf_counter() - since), 3)
