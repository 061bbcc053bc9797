"""``genrec map``: the tracks of the catalogue as a page, a picture or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.library import AsJson, Scope, _print_json, _run
from genrec.errors import DataError, GenrecError

if TYPE_CHECKING:
    from bot.library_map import LibraryMap
    from db.tracks import Catalogue
    from genrec.types import Track

_TIMED = (10_000, 100_000)  # tracks
_SUFFIXES = (".html", ".png")


def library_map(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .html page or a .png picture; default: map.html.",
        ),
    ] = None,
    colour: Annotated[
        Literal["genre", "artist", "folder"], typer.Option(help="What the colours stand for.")
    ] = "genre",
    scope: Scope = None,
    mark: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACK", help="Mark a track, by its id or words of its name."),
    ] = None,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Compare methods on the starter catalogue, and time them."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the tracks as a map on which similar ones lie together."""
    if judge:
        report = _run(_judged())
        if as_json:
            _print_json(report)
        else:
            print(_table(report))
        return
    file = output if output is not None or as_json else Path("map.html")
    if file is not None and file.suffix.lower() not in _SUFFIXES:
        raise typer.BadParameter(f"{file.name} is no page or picture: name a .html or .png file")
    found = _run(_draw(file, colour, scope, mark or ()))
    if as_json:
        _print_json(found)
    else:
        print(f"{file}: {len(found['tracks']):,} tracks, coloured by {colour}.")


async def _draw(
    file: Path | None, colour: Any, scope: str | None, wanted: Sequence[str]
) -> dict[str, Any]:
    import asyncio

    from bot.config import load_settings
    from bot.i18n import ENGLISH, Localizer, Translations
    from bot.jobs.map_answers import map_tracks, places_of, read_tracks, with_sign
    from bot.library_map import LibraryMaps
    from bot.runtime.resources import open_catalogue
    from bot.ui.map_message import drawn_marks, map_alt, map_picture
    from bot.ui.map_page import MAX_TRACKS, map_page
    from bot.ui.track_links import LinkChoice, TrackLinks
    from db.choose_neighbours import choose_neighbours
    from db.tracks import Catalogue

    settings, localizer = load_settings(), Localizer(Translations.load((ENGLISH,)), ENGLISH)
    async with open_catalogue(settings) as (preset, db):
        catalogue, model_id = Catalogue(db), preset.model_id
        maps = LibraryMaps(
            index=await choose_neighbours(db, model_id), database=db, model_id=model_id
        )
        scopes = [scope] if scope else await catalogue.scopes(model_id)
        marked = [await _track(catalogue, model_id, scope, text) for text in wanted]
        found = await maps.of(scopes, _say_that_it_computes)
        tracks, details = await read_tracks(catalogue, model_id, found)
        shown = map_tracks(localizer, found, tracks, colour, _folders(tracks, settings.library))
        marks = places_of(found, with_sign(marked))
        if file is not None:
            alt, drawn = map_alt(localizer, shown, marks), drawn_marks(shown, marks)
            if file.suffix.lower() == ".png":
                content = await asyncio.to_thread(map_picture, localizer, shown, drawn)
            elif len(shown.tracks) > MAX_TRACKS:
                raise DataError(
                    f"A page shows at most {MAX_TRACKS:,} tracks, and these are"
                    f" {len(shown.tracks):,}: name a .png file, or one --scope."
                )
            else:
                links = LinkChoice.of(settings.track_links, settings.path_root)
                title = localizer("map.title_all") if scope is None else f"Map of {scope}"
                content = map_page(
                    localizer, shown, title=title, alt=alt, links=TrackLinks(links, details),
                    marks=drawn,
                )  # fmt: skip
            _write(file, content)
    return _as_json(model_id, found, tracks)


async def _judged() -> dict[str, Any]:
    """Return the figures of the methods on the preset's starter catalogue, and the times."""
    import time
    from dataclasses import asdict

    import numpy as np

    from bot.config import load_settings
    from bot.locations import find_preset
    from genrec.map_layout import lay_out
    from genrec.preset import Preset
    from genrec.training.evaluation.map_methods import compare_methods, many_tracks

    preset = Preset.load(find_preset(load_settings().preset))
    starter = preset.starter()
    if starter is None:
        raise DataError(f"The preset {preset.name} has no starter catalogue: name another one.")
    genres = np.unique(starter.genres, return_inverse=True)[1].astype(np.int64)
    figures = compare_methods(starter.embeddings, genres)
    seconds = {}
    for count in _TIMED:
        matrix = many_tracks(starter.embeddings, count)
        start = time.perf_counter()
        await lay_out(np.arange(1, count + 1), matrix)
        seconds[str(count)] = round(time.perf_counter() - start, 1)
    rows = [
        asdict(figure)
        | {
            "trustworthiness": round(figure.trustworthiness, 4),
            "genres": round(figure.genres, 4),
            "seconds": round(figure.seconds, 1),
        }
        for figure in figures
    ]
    return {"model_id": preset.model_id, "methods": rows, "seconds": seconds}


def _table(report: Mapping[str, Any]) -> str:
    lines = [f"Preset: {report['model_id']}", ""]
    lines += ["| method | trustworthiness | genres | seconds |", "|---|---|---|---|"]
    for row in report["methods"]:
        figures = f"{row['trustworthiness']:.3f} | {row['genres']:.3f} | {row['seconds']:.1f}"
        lines.append(f"| {row['method']} | {figures} |")
    for count, seconds in report["seconds"].items():
        lines.append(f"| t-SNE of {int(count):,} tracks | | | {seconds} |")
    return "\n".join(lines)


def _as_json(model_id: str, found: LibraryMap, tracks: Mapping[int, Track]) -> dict[str, Any]:
    rows = [
        {
            "id": track_id, "title": tracks[track_id].title, "artist": tracks[track_id].artist,
            "genre": tracks[track_id].genre, "scope": tracks[track_id].scope,
            "x": round(x, 5), "y": round(y, 5),
        }
        for track_id, (x, y) in zip(found.ids.tolist(), found.positions.tolist(), strict=True)
        if track_id in tracks
    ]  # fmt: skip
    return {"model_id": model_id, "tracks": rows}


async def _track(catalogue: Catalogue, model_id: str, scope: str | None, text: str) -> Track:
    """Return the track with an id, or the only one with all words of a text."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        found = (await catalogue.tracks(model_id, [int(text)])).get(int(text))
        if found is not None:
            return found
    matches = await catalogue.browse(model_id, scope, text=text, limit=3)
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise DataError(f'No track fits --mark "{text}": `genrec library list` shows the tracks.')
    names = "; ".join(f"{track.artist} - {track.title} (id {track.id})" for track in matches)
    raise DataError(f'Several tracks fit --mark "{text}": give an id or more words ({names}).')


def _folders(tracks: Mapping[int, Track], library: Path | None) -> dict[int, str]:
    """Return the top folder of each file below the library's folder, or else its own folder."""
    from db.ingest.presence import is_file_source
    from db.sections import path_below, split_source

    root = library.resolve() if library else None
    folders = {}
    for track in tracks.values():
        if not is_file_source(track.source):
            continue
        below = path_below(track.source, root) if root else ""
        own = Path(split_source(track.source)[0]).parent.name
        folders[track.id] = Path(below).parts[0] if len(Path(below).parts) > 1 else own
    return folders


def _write(file: Path, content: bytes) -> None:
    from genrec.files import atomic_write

    try:
        with atomic_write(file) as path:
            path.write_bytes(content)
    except OSError as error:
        raise GenrecError(
            f"{file} cannot be written ({error.strerror}): name a file in a writable folder."
        ) from error


def _say_that_it_computes() -> None:
    if sys.stderr.isatty():
        print("Computing the map; the first time, this can take a minute.", file=sys.stderr)
