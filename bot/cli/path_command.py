"""``genrec path``: songs that lead from one track or clip to another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.library import AsJson, _print_json
from bot.cli.seed_commands import TagOption
from genrec.errors import DataError

if TYPE_CHECKING:
    from bot.path_finder import Way, WaySong
    from bot.runtime.resources import Resources
    from bot.starter_policy import Policy
    from genrec.questions import Rules, Seed

FEWEST, MOST, USUAL = 3, 20, 8
MOST_CHANCE = 9999
_END = "The name of a track, a sound file or a link"


def path(
    start: Annotated[str, typer.Argument(metavar="FROM", help=f"{_END}: the first song.")],
    goal: Annotated[str, typer.Argument(metavar="TO", help=f"{_END}: the last song.")],
    steps: Annotated[
        int, typer.Option(min=FEWEST, max=MOST, help="Number of songs with both ends.")
    ] = USUAL,
    random_seed: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_CHANCE, help="Another path; the same number gives the same path."
        ),
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write the songs to a .m3u8, .csv, .json, .jspf or .txt file.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also draw the path on a map of the tracks near it."),
    ] = None,
    genre: Annotated[
        str | None, typer.Option(help="Only tracks of this genre between the ends.")
    ] = None,
    tag: TagOption = None,
    starter: Annotated[
        Literal["auto", "always", "never"] | None,
        typer.Option(help="Whether to use the starter catalogue; default: GENREC_STARTER."),
    ] = None,
    preset: Annotated[
        Path | None, typer.Option("--preset", help="Preset folder; default: GENREC_PRESET.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find songs that lead from one song to another in small, even steps."""
    from bot.cli import library_lists
    from bot.cli.music_text import wish
    from genrec.questions import Rules

    if output is not None:
        library_lists.format_of(output, None)
    if picture is not None and picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture.name} is no picture: name a .png file")
    rules = Rules(genre=genre, music=wish(tag=tag))
    way, places = asyncio.run(
        _find((start, goal), steps, random_seed, rules, output, starter, preset)
    )
    if picture is not None:
        _draw(way, picture)
    if as_json:
        _print_json(way_json(way, places))
    else:
        print(way_text(way))


def way_json(way: Way, places: Mapping[int, str]) -> dict[str, Any]:
    """Return the JSON object of docs/cli.md; its keys are stable."""
    return {
        "steps": way.wanted,
        "random_seed": way.chance_seed,
        "songs": [
            {
                **_song_json(song, places),
                "similarity": None if song.similarity is None else round(song.similarity, 4),
                "x": round(float(x), 4),
                "y": round(float(y), 4),
            }
            for song, (x, y) in zip(way.songs, way.places, strict=True)
        ],
        "note": shortage(way),
    }


def _song_json(song: WaySong, places: Mapping[int, str]) -> dict[str, Any]:
    """Return a song of a way; an end that is a file has no id, source, link and scope."""
    from bot.answer_json import track_json

    if song.track is not None:
        return track_json(song.track, places.get(song.track.id, ""))
    names = {"title": song.title, "artist": song.artist, "genre": song.genre}
    return {"id": None, **names, "source": "", "link": "", "scope": ""}


def shortage(way: Way) -> str:
    """Return a sentence if a way has fewer songs than were asked for, else ""."""
    if not way.is_short:
        return ""
    if len(way.songs) == 2:
        return "No song lies between these two: choose songs that differ more, or add more music."
    return (
        f"Only {len(way.songs)} of {way.wanted} songs: the others between these two need"
        " larger steps or are by the same artists."
    )


def way_text(way: Way) -> str:
    """Return a way as terminal text: a table of its songs, and how to get it again."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", justify="right", style="dim")
    for heading in ("Artist", "Title", "Genre"):
        table.add_column(heading, overflow="fold")
    table.add_column("Similarity", justify="right")
    for place, song in enumerate(way.songs, start=1):
        step = "" if song.similarity is None else f"{song.similarity:.2f}"
        texts = (escape(song.artist), escape(song.title or "clip"), escape(song.genre))
        table.add_row(str(place), *texts, step)
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
        console.print("[dim]Similarity is that to the song before.[/dim]")
        if note := shortage(way):
            console.print(f"\n{note}")
        if way.chance_seed:
            console.print(f"[dim]The same path again: --random-seed {way.chance_seed}[/dim]")
    return capture.get().rstrip("\n")


async def _find(
    ends: tuple[str, str],
    steps: int,
    chance_seed: int,
    rules: Rules,
    output: Path | None,
    starter: Policy | None,
    preset: Path | None,
) -> tuple[Way, dict[int, str]]:
    from bot.cli.ask import complete_rules, settings_of
    from bot.cli.recommended_list import places_of, write_list
    from bot.path_finder import PathFinder
    from bot.runtime.resources import open_recommender

    settings = settings_of(preset)
    policy = starter or settings.starter
    async with open_recommender(settings, workers=1) as opened:
        rules = await complete_rules(opened, rules, policy)
        start, goal = [await _end(opened, text, policy) for text in ends]
        finder = PathFinder(opened.recommender)
        way = await finder.find(start, goal, rules, songs=steps, chance_seed=chance_seed)
        catalogue = opened.recommender.catalogue
        if output is not None:
            await write_list(output, catalogue, opened.preset.model_id, settings, way.tracks)
        return way, await places_of(catalogue, settings, way.tracks)


async def _end(opened: Resources, text: str, policy: Policy) -> Seed:
    """Return the seed of an end: a link or an existing file, else a track by its name."""
    from bot.cli.ask import check_kind, open_clip, searched_scopes
    from bot.cli.linked_song import track_of_linked
    from bot.cli.named_song import track_named
    from bot.named_tracks import NamedTracks
    from genrec.types import Clip

    recommender = opened.recommender
    if (
        "://" not in text
        and not text.startswith("spotify:")
        and not await asyncio.to_thread(_is_file, text)
    ):
        choice = await searched_scopes(opened, policy)
        scopes = (*choice.scopes, *choice.fallback)
        return await recommender.track_seed(
            await track_named(NamedTracks(recommender), text, scopes)
        )
    async with open_clip(opened.settings, text) as clip:
        if not isinstance(clip, Clip):
            return await recommender.track_seed(await track_of_linked(recommender, clip))
        check_kind(opened.preset, text)
        analysis = await recommender.analyze(clip)
        recommender.require_music(analysis)
        return recommender.clip_seed(analysis, clip)


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False  # too long for a path, or with a null character


def _draw(way: Way, file: Path) -> None:
    """Write the picture of a way.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    from bot.i18n import ENGLISH, Localizer, Translations
    from bot.ui.way import draw_way
    from genrec.files import atomic_write

    png = draw_way(Localizer(Translations.load((ENGLISH,)), ENGLISH), way).png
    try:
        with atomic_write(file) as path:
            path.write_bytes(png)
    except OSError as error:
        raise DataError(
            f"{file} cannot be written ({error.strerror}): name a file in a writable folder."
        ) from error
