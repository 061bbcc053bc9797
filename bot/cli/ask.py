"""``genrec recommend`` and ``genrec genre``: analyse one clip and format the result."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.answer_json import NO_PLACES
from bot.cli.music_text import full_line, preset_tags, tags_line, tempo_and_key
from bot.cli.recommended_list import places_of, write_list
from bot.config import Settings, load_settings
from bot.i18n import ENGLISH, Localizer, Translations
from bot.own_genre_cache import OwnGenreCache
from bot.runtime.resources import Resources, open_recommender
from bot.runtime.secrets import protect_secrets
from bot.starter_policy import Policy, ScopeChoice, StarterPolicy
from bot.ui.answer_lines import origins
from bot.ui.reasons import reason_text
from db.tags import match_label, read_tags
from db.tracks import LIBRARY
from genrec.errors import DataError, FileMissing, UnsupportedFormat
from genrec.names import artist_key
from genrec.pictures import PICTURE_SUFFIXES
from genrec.preset import Preset
from genrec.questions import Question, Rules
from genrec.types import Analysis, Clip, Recommendation
from genrec.workers.protocol import printable

if TYPE_CHECKING:
    from bot.sources import PageSong

LONGEST_PLACE = 4096
BAR = 24  # characters of a full probability bar


def recommend(
    source: str,
    rules: Rules,
    *,
    preset: Path | None = None,
    starter: Policy | None = None,
    private: bool = False,
    output: Path | None = None,
) -> tuple[Recommendation, dict[int, str]]:
    """Analyse one clip; return its genre and similar tracks, and path or link of each track.

    The genre of the ``rules`` may be in any case; their scopes follow from the starter policy.
    ``output`` is a file for the list of the tracks.

    ``starter`` replaces the setting GENREC_STARTER. With ``private`` nothing is stored, and only
    the starter catalogue is searched.
    """
    settings = settings_of(preset)
    policy: Policy = "always" if private else starter or settings.starter
    asking = partial(_recommend, source=source, rules=rules, policy=policy, output=output)
    if not private:
        return asyncio.run(asking(settings))
    with tempfile.TemporaryDirectory(prefix="genrec-") as folder:
        settings = replace_database(settings, Path(folder) / "genrec.db")
        return asyncio.run(asking(settings))


def genre(source: str, *, preset: Path | None = None) -> Recommendation:
    """Analyse one clip and return its genre, without tracks."""
    return asyncio.run(_genre(settings_of(preset), source))


def replace_database(settings: Settings, database: Path) -> Settings:
    """Return the settings with another database."""
    return settings.model_copy(update={"database": database})


def as_text(
    result: Recommendation, places: Mapping[int, str] = NO_PLACES, *, heading: str = ""
) -> str:
    """Return the result as terminal text: bars of the three top genres, and the tracks.

    ``places`` are the paths or links of the tracks, by their ids. ``heading`` replaces the genre.
    """
    console = Console(highlight=False)
    with console.capture() as capture:
        found = result.genre or "No music found"
        heading = heading or (f"Unsure, perhaps {found}" if result.unsure else found)
        console.print(f"[bold]{escape(heading)}[/bold]")
        for score in result.scores[:3]:
            filled = round(score.probability * BAR)
            bar = f"[cyan]{'█' * filled}[/cyan][dim]{'░' * (BAR - filled)}[/dim]"
            console.print(f"  {escape(score.label):<10} {bar} {score.probability:4.0%}")
        if result.description is not None:
            console.print(f"  [dim]{full_line(result.description)}[/dim]")
        if result.tags:
            console.print(f"  [dim]{escape(tags_line(result.tags))}[/dim]")
        if result.words:
            words = [f"{escape(word.label)} {word.probability:.0%}" for word in result.words]
            console.print(f"In your library: [bold]{', '.join(words)}[/bold]")
        if result.known is not None:
            known = [result.known.artist] if artist_key(result.known.artist) else []
            name = ", ".join([*known, result.known.title])
            console.print(f"\nI know this one: [bold]{escape(name)}[/bold]")
        if result.tracks:
            console.print(_tracks(result))
            console.print(_reasons(result), soft_wrap=True)
            console.print(f"[dim]{_origin(result)}[/dim]")
            if places:
                console.print(_places(result, places), soft_wrap=True)
        if result.note:
            console.print(f"\n{escape(result.note)}")
    return capture.get()


def _origin(result: Recommendation) -> str:
    if result.fallback:
        return "No own track is similar enough, so these are from the starter catalogue."
    names = {"library": "your library", "starter": "the starter catalogue"}
    return f"Found in: {', '.join(names[kind] for kind in origins(result) if kind in names)}"


def _tracks(result: Recommendation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column("", justify="right", style="dim")
    for heading in ("Artist", "Title", "Genre", "Tempo and key"):
        table.add_column(heading, overflow="fold")
    table.add_column("Similarity", justify="right")
    for place, neighbour in enumerate(result.tracks, start=1):
        track = neighbour.track
        table.add_row(
            str(place),
            escape(track.artist),
            escape(track.title),
            escape(track.genre),
            tempo_and_key(neighbour.description),
            f"{neighbour.similarity:.2f}",
        )
    return table


def _reasons(result: Recommendation) -> str:
    """Return a line with the reasons for each track; the terminal may wrap it."""
    localizer = Localizer(Translations.load((ENGLISH,)), ENGLISH)
    # Without scores a link named a track of the catalogue, and the tracks are similar to that one.
    seed = None if result.scores else result.known
    reasons = [
        reason_text(localizer, neighbour, result, seed, genre=neighbour.track.genre)
        for neighbour in result.tracks
    ]
    lines = [f"{place:>2}  {escape(why)}" for place, why in enumerate(reasons, start=1)]
    return "\n".join(["", *lines, ""])


def _places(result: Recommendation, places: Mapping[int, str]) -> str:
    """Return a line with path or link for each track; the terminal may wrap it."""
    lines = [
        f"{place:>2}  {escape(printable(places.get(neighbour.track.id, ''), LONGEST_PLACE))}"
        for place, neighbour in enumerate(result.tracks, start=1)
    ]
    return "\n".join(["", *lines])


async def _recommend(
    settings: Settings,
    *,
    source: str,
    rules: Rules,
    policy: Policy,
    output: Path | None,
) -> tuple[Recommendation, dict[int, str]]:
    start = time.perf_counter()
    async with open_clip(settings, source) as clip:
        fetched = time.perf_counter()
        async with open_recommender(settings, workers=1) as opened:
            check_kind(opened.preset, source)
            rules = await complete_rules(opened, rules, policy)
            opening = _ms(fetched)
            if not isinstance(clip, Clip):
                from bot.cli.linked_song import recommend_linked

                result = await recommend_linked(opened.recommender, clip, rules)
            else:
                result = await recommend_clip(opened, clip, rules, own_genres_of(opened))
            places = await recommended_places(opened, settings, result, output)
            return timed(result, start, opening), places


async def _genre(settings: Settings, source: str) -> Recommendation:
    start = time.perf_counter()
    async with open_clip(settings, source) as clip:
        fetched = time.perf_counter()
        async with open_recommender(settings, workers=1) as opened:
            check_kind(opened.preset, source)
            opening = _ms(fetched)
            if not isinstance(clip, Clip):
                from bot.cli.linked_song import genre_of_linked

                result = await genre_of_linked(opened.recommender, clip)
            else:
                result = await genre_of_clip(opened, clip, own_genres_of(opened))
            return timed(result, start, opening)


async def recommended_places(
    opened: Resources, settings: Settings, result: Recommendation, output: Path | None
) -> dict[int, str]:
    """Return path or link of each track, and write the tracks to ``output`` if it is given."""
    catalogue = opened.recommender.catalogue
    tracks = [neighbour.track for neighbour in result.tracks]
    places = await places_of(catalogue, settings, tracks)
    if output is not None and tracks:
        await write_list(output, catalogue, opened.preset.model_id, settings, tracks)
    return places


async def recommend_clip(
    opened: Resources, clip: Clip, rules: Rules, own: OwnGenreCache
) -> Recommendation:
    """Return genre and similar tracks of a clip, also in the words of the operator's library."""
    analysis = await opened.recommender.analyze(clip)
    seed = opened.recommender.clip_seed(analysis, clip)
    result = await opened.recommender.answer(Question((seed,), rules))
    return await _with_words(result, analysis, own)


async def genre_of_clip(opened: Resources, clip: Clip, own: OwnGenreCache) -> Recommendation:
    """Return the genre of a clip, also in the words of the operator's library."""
    analysis = await opened.recommender.analyze(clip)
    return await _with_words(opened.recommender.genre(analysis), analysis, own)


def own_genres_of(opened: Resources) -> OwnGenreCache:
    """Return the genres of the operator's library, which are learned when they are first needed."""
    return OwnGenreCache(
        index=opened.recommender.index,
        db=opened.db,
        labels=opened.preset.labels,
        dimension=opened.preset.dimension,
    )


async def _with_words(
    result: Recommendation, analysis: Analysis, own: OwnGenreCache
) -> Recommendation:
    """Add the clip's genres in the words of the operator's library."""
    if not result.music:
        return result
    return replace(result, words=await own.words((LIBRARY,), analysis.embedding, patient=True))


async def complete_rules(opened: Resources, rules: Rules, policy: Policy) -> Rules:
    """Return rules with genre and tags as the preset writes them, and the scopes of the policy.

    Raises
    ------
    DataError
        The preset has no such genre or tag, or the scopes hold no track.
    """
    label = genre_label(rules.genre, opened.preset.labels)
    music = preset_tags(rules.music, opened.preset)
    choice = await searched_scopes(opened, policy)
    return replace(rules, genre=label, music=music, scopes=choice.scopes, fallback=choice.fallback)


async def searched_scopes(opened: Resources, policy: Policy) -> ScopeChoice:
    """Return the scopes that a request without a guild searches.

    Raises
    ------
    DataError
        They hold no track.
    """
    choosing = StarterPolicy(index=opened.recommender.index, db=opened.db, policy=policy)
    choice = await choosing.choose(None)
    if opened.recommender.is_empty((*choice.scopes, *choice.fallback)):
        raise DataError(
            "There are no tracks yet: index a music folder with `genrec index FOLDER`, or"
            " pass --starter auto."
        )
    return choice


def genre_label(genre: str | None, labels: Sequence[str]) -> str | None:
    """Return the label that a genre names in any spelling; None for None.

    Raises
    ------
    DataError
        There is no such label.
    """
    label = match_label(genre, labels) if genre is not None else None
    if label == "":
        raise DataError(f"There is no genre {genre!r}; choose from {', '.join(labels)}.")
    return label


def check_kind(preset: Preset, source: str) -> None:
    """Raise UnsupportedFormat if a preset hears sound and a file's name is that of a picture.

    The worker refuses every other mistake by the file's content.
    """
    if preset.image.source == "audio" and Path(source).suffix.lower() in PICTURE_SUFFIXES:
        raise UnsupportedFormat(
            f"{Path(source).name} is a picture and the preset {preset.name} hears sound: pass"
            " --preset with a preset that was trained on pictures, or pass the sound file."
        )


def timed(result: Recommendation, start: float, opening: float) -> Recommendation:
    """Return a result with its timings ``open`` and ``total`` in milliseconds."""
    timings = {"open": opening, **result.timings_ms, "total": _ms(start)}
    return replace(result, timings_ms=timings)


@asynccontextmanager
async def open_clip(settings: Settings, source: str) -> AsyncIterator[Clip | PageSong]:
    """Yield the clip of a path or a link, or the song's name where a link gives no sound."""
    if "://" in source or source.startswith("spotify:"):
        from bot.cli.linked_song import lookup_refusal
        from bot.runtime.source_policy import source_policy
        from bot.sources import SongLookupError, fetch_or_look_up

        try:
            async with fetch_or_look_up(source, policy=source_policy(settings)) as found:
                yield found
        except SongLookupError as error:
            raise lookup_refusal(error) from error
        return
    yield await asyncio.to_thread(file_clip, source)


def file_clip(name: str) -> Clip:
    """Return the clip of a file, with its tags.

    Raises
    ------
    FileMissing
        The file cannot be opened.
    """
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise FileMissing(
            f"{path} cannot be opened ({reason}): name a readable sound file."
        ) from error
    tags = read_tags(path, path.parent)
    return Clip(path, digest, title=tags.title, artist=tags.artist, source=str(path))


def settings_of(preset: Path | None) -> Settings:
    """Return the settings, with another preset if one is given, and protect their secrets."""
    settings = load_settings()
    protect_secrets()  # a link starts a process that reads web pages
    return settings if preset is None else settings.model_copy(update={"preset": preset})


def _ms(since: float) -> float:
    return round(1000 * (time.perf_counter() - since), 3)
