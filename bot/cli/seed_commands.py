"""``genrec mix`` and ``genrec radio``: tracks and lists from several seeds."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli import library_lists
from bot.cli.library import AsJson, _print_json

if TYPE_CHECKING:
    from bot.cli.seed_sources import SeedText
    from bot.config import Settings
    from bot.radio_station import RadioList
    from bot.runtime.resources import Resources
    from genrec.questions import Rules, Seed
    from genrec.types import Recommendation

Seeds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SEED]...",
        help="Sound files, links, and lists (.m3u8, .csv, .jspf, .txt) of tracks.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--track", metavar="NAME", help="A track of the catalogue, by artist and title."),
]
Less = Annotated[
    list[str] | None,
    typer.Option("--less", metavar="SEED", help="A file, link or list to have less of."),
]
LessNames = Annotated[
    list[str] | None,
    typer.Option("--less-track", metavar="NAME", help="A track of the catalogue to have less of."),
]
Genre = Annotated[str | None, typer.Option(help="Only tracks of this genre.")]
TagOption = Annotated[
    str | None,
    typer.Option(
        "--tag", metavar="TAG", help="Only tracks with this tag, such as mellow; several: a,b."
    ),
]
AnyArtist = Annotated[
    bool, typer.Option("--any-artist", help="Also tracks by the artists of the seeds.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write the tracks to a .m3u8, .csv, .json, .jspf or .txt file.",
    ),
]
Starter = Annotated[
    Literal["auto", "always", "never"] | None,
    typer.Option(help="Whether to use the starter catalogue; default: GENREC_STARTER."),
]
Preset = Annotated[
    Path | None, typer.Option("--preset", help="Preset folder; default: GENREC_PRESET.")
]


def mix(
    seeds: Seeds = None,
    track: Names = None,
    less: Less = None,
    less_track: LessNames = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=50, help="Most tracks.")] = 5,
    genre: Genre = None,
    tag: TagOption = None,
    per_artist: Annotated[int, typer.Option(min=1, max=50, help="Most tracks of one artist.")] = 1,
    any_artist: AnyArtist = False,
    reach: Annotated[
        Literal["near", "balanced", "adventurous"],
        typer.Option(help="How far afield the tracks may be."),
    ] = "near",
    output: Output = None,
    starter: Starter = None,
    preset: Preset = None,
    as_json: AsJson = False,
) -> None:
    """Print tracks that are near two to five seeds at once."""
    from bot import answer_json
    from bot.cli import ask
    from bot.cli.music_text import wish
    from bot.cli.seed_sources import seed_json
    from genrec.errors import InputRefused
    from genrec.questions import Question, Rules

    typed = _typed(seeds, track, less, less_track, output, fewest=2)
    rules = Rules(
        count=count,
        genre=genre,
        music=wish(tag=tag),
        per_artist=per_artist,
        new_artists=not any_artist,
        reach=reach,
    )

    async def answer(opened: Resources, found: tuple[Seed, ...], rules: Rules) -> Recommendation:
        if len(found) < 2:
            raise InputRefused(
                f"A mix needs 2 to 5 different songs, and {len(found)} was named: name another one."
            )
        return await opened.recommender.answer(Question(found, rules))

    result, used, places = asyncio.run(
        _answered(typed, rules, answer, _tracks, output=output, starter=starter, preset=preset)
    )
    if as_json:
        _print_json(
            {
                "seeds": [seed_json(seed) for seed in used],
                **answer_json.as_json(result, places=places),
            }
        )
    else:
        print(ask.as_text(result, places, heading=_heading("mix", used)).rstrip("\n"))


def radio(
    seeds: Seeds = None,
    track: Names = None,
    less: Less = None,
    less_track: LessNames = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=100, help="Number of songs.")
    ] = 30,
    genre: Genre = None,
    tag: TagOption = None,
    any_artist: AnyArtist = False,
    apart: Annotated[
        int, typer.Option(min=0, max=20, help="Other songs between two by the same artist.")
    ] = 4,
    random_seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Number that gives the same list again."),
    ] = None,
    output: Output = None,
    starter: Starter = None,
    preset: Preset = None,
    as_json: AsJson = False,
) -> None:
    """Print a list of songs near one to five seeds, in small steps and with artists apart."""
    from bot.cli.music_text import wish
    from bot.cli.seed_sources import seed_json
    from bot.radio_station import CHANCES, RadioStation
    from genrec.questions import Question, Rules

    typed = _typed(seeds, track, less, less_track, output, fewest=1)
    music = wish(tag=tag)
    rules = Rules(count=count, genre=genre, music=music, new_artists=not any_artist)
    chance = secrets.randbelow(CHANCES) if random_seed is None else random_seed

    async def answer(opened: Resources, found: tuple[Seed, ...], rules: Rules) -> RadioList:
        station = RadioStation(opened.recommender)
        return await station.play(Question(found, rules), chance=chance, apart=apart)

    result, used, places = asyncio.run(
        _answered(typed, rules, answer, _songs, output=output, starter=starter, preset=preset)
    )
    if as_json:
        _print_json({"seeds": [seed_json(seed) for seed in used], **_radio_json(result, places)})
    else:
        print("\n".join(_radio_lines(result, _heading("radio", used), places)))


def _tracks(result: Recommendation) -> Sequence[Any]:
    return [neighbour.track for neighbour in result.tracks]


def _songs(songs: RadioList) -> Sequence[Any]:
    return songs.tracks


def _typed(
    seeds: list[str] | None,
    names: list[str] | None,
    less: list[str] | None,
    less_names: list[str] | None,
    output: Path | None,
    *,
    fewest: int,
) -> list[SeedText]:
    """Return the seeds as they are typed; refuse wrong numbers of them."""
    from bot.cli.seed_sources import SeedText
    from bot.jobs.mix_baskets import MOST_SEEDS

    typed = [SeedText(text) for text in seeds or ()]
    typed += [SeedText(text, named=True) for text in names or ()]
    liked = len(typed)
    typed += [SeedText(text, liked=False) for text in less or ()]
    typed += [SeedText(text, liked=False, named=True) for text in less_names or ()]
    if len(typed) > MOST_SEEDS:
        raise typer.BadParameter(f"{len(typed)} seeds: name at most {MOST_SEEDS}")
    if not liked:
        raise typer.BadParameter("no seed to be near: name a file, link or list, or use --track")
    if len(typed) < fewest and not any(each.is_list for each in typed):
        raise typer.BadParameter(f"{len(typed)} seed: a mix needs {fewest} to {MOST_SEEDS}")
    if output is not None:
        library_lists.format_of(output, None)
    return typed


async def _answered(
    typed: Sequence[SeedText],
    rules: Rules,
    answer: Callable[[Resources, tuple[Seed, ...], Rules], Awaitable[Any]],
    tracks_of: Callable[[Any], Sequence[Any]],
    *,
    output: Path | None,
    starter: Literal["auto", "always", "never"] | None,
    preset: Path | None,
) -> tuple[Any, tuple[Seed, ...], dict[int, str]]:
    """Return the answer, the seeds, and path or link of each track; write the list."""
    from bot.cli import ask
    from bot.cli.recommended_list import places_of, write_list
    from bot.cli.seed_sources import seeds_of
    from bot.runtime.resources import open_recommender

    settings: Settings = ask.settings_of(preset)
    async with open_recommender(settings, workers=1) as opened:
        rules = await ask.complete_rules(opened, rules, starter or settings.starter)
        seeds = await seeds_of(opened, settings, typed, rules)
        result = await answer(opened, seeds, rules)
        tracks, catalogue = tracks_of(result), opened.recommender.catalogue
        places = await places_of(catalogue, settings, tracks)
        if output is not None and tracks:
            await write_list(output, catalogue, opened.preset.model_id, settings, tracks)
        return result, seeds, places


def _heading(key: str, seeds: Sequence[Seed]) -> str:
    """Return "Mix of A and B, less of C" as plain text."""
    from bot.i18n import ENGLISH, Localizer, Translations
    from bot.ui.mix_layouts import seed_names

    localizer = Localizer(Translations.load((ENGLISH,)), ENGLISH)
    return seed_names(localizer, seeds, key=key, plain=True)


def _radio_lines(songs: RadioList, heading: str, places: dict[int, str]) -> list[str]:
    from db.list_writers import name_line
    from genrec.workers.protocol import printable

    lines = [heading, f"{_count(songs)}, again with --random-seed {songs.chance}", ""]
    for number, track in enumerate(songs.tracks, start=1):
        name = printable(name_line(track.artist, track.title), 200)
        place = printable(places.get(track.id, ""), 4096)
        lines.append("  ".join(filter(None, (f"{number:>3}  {name}", track.genre, place))))
    if note := _note(songs):
        lines += ["", note]
    return lines


def _count(songs: RadioList) -> str:
    return "1 song" if len(songs.tracks) == 1 else f"{len(songs.tracks)} songs"


def _note(songs: RadioList) -> str:
    """Return why there are fewer songs than were wanted, or why they are others; else ""."""
    notes = []
    if songs.shortage:
        why = {
            "similar": "no other track is similar enough",
            "artists": "the other similar songs would repeat an artist too soon",
        }
        notes.append(f"Only {len(songs.tracks)} of {songs.wanted}: {why[songs.shortage]}.")
    if songs.fallback:
        notes.append("No own track is similar enough: these are from the starter catalogue.")
    return " ".join(notes)


def _radio_json(songs: RadioList, places: dict[int, str]) -> dict[str, Any]:
    from bot.answer_json import track_json

    return {
        "wanted": songs.wanted,
        "apart": songs.apart,
        "random_seed": songs.chance,
        "tracks": [track_json(track, places.get(track.id, "")) for track in songs.tracks],
        "note": _note(songs),
    }
