"""``genrec genres``: genres in the words of a library: list, teach, forget."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot.cli.library import known_scope
from genrec.errors import InputRefused

if TYPE_CHECKING:
    from db.taught_genres import Taught, TaughtGenre
    from genrec.own_genres import GenreCheck, OwnGenres

T = TypeVar("T")

genres = typer.Typer(
    no_args_is_help=True, help="List, teach and forget genres in a library's own words."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OwnScope = Annotated[
    str, typer.Option(help="library or guild:ID.", metavar="SCOPE", callback=known_scope)
]
REASONS = {
    "few_tracks": "too few tracks",
    "one_artist": "by one artist only, so it cannot be checked",
    "few_others": "too little other music to compare with",
    "not_told_apart": "cannot be told apart by sound",
}


@genres.command("list")
def list_genres(scope: OwnScope = "library", as_json: AsJson = False) -> None:
    """List the genres of a library's tags and clips, and those that are left out."""
    learned, taught = _run(_list(scope))
    if as_json:
        rows = [_row(check) for check in learned.checks]
        old = [genre.name for genre in taught if genre.others > genre.clips]
        _print_json({"scope": scope, "genres": rows, "of_other_models": old})
        return
    _show(learned.checks)
    for genre in taught:
        if genre.others > genre.clips:
            print(f"{genre.name} was taught with another model: teach it again.")


@genres.command()
def teach(
    name: Annotated[str, typer.Argument(help="Name of the genre.")],
    files: Annotated[
        list[str], typer.Argument(help="Sound files or links, 3 to 10.", metavar="FILE|URL...")
    ],
    scope: OwnScope = "library",
    as_json: AsJson = False,
) -> None:
    """Teach a genre with 3 to 10 clips; again, to add clips."""
    result, check = _run(_teach(name, files, scope))
    if as_json:
        counts = {"name": result.name, "clips": result.clips, "added": result.added}
        _print_json(counts | {"left_out": result.left_out, "check": check and _row(check)})
        return
    state = "it is used from now on"
    if check is None or check.refusal:
        reason = REASONS[check.refusal] if check else REASONS["few_tracks"]
        state = f"it is not used yet: {reason}"
    print(f"{result.name} has {result.clips} clips, {result.added} of them new; {state}.")
    if result.left_out:
        print(f"{result.left_out} clips are left out: a genre has at most 10.")


@genres.command()
def forget(
    name: Annotated[str, typer.Argument(help="Name of a genre that was taught.")],
    scope: OwnScope = "library",
    as_json: AsJson = False,
) -> None:
    """Forget a genre that was taught, with its embeddings."""
    forgotten = _run(_forget(name, scope))
    if forgotten is None:
        raise InputRefused(
            f"No genre {name!r} was taught in the scope {scope}: `genrec genres list` shows them."
        )
    if as_json:
        _print_json({"forgotten": forgotten})
    else:
        print(f"Forgotten: {forgotten}.")


@genres.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON file to write; - for standard output.")],
    scope: OwnScope = "library",
) -> None:
    """Write the taught genres, with the embeddings of their clips, to a JSON file."""
    from bot.cli.library import _output

    text = _run(_export(scope))
    with _output(file) as out:
        out.write(f"{text}\n")


@genres.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="JSON file of `genres export`.")],
    scope: OwnScope = "library",
    as_json: AsJson = False,
) -> None:
    """Add the genres of a file of `genres export`."""
    from bot.cli.library_lists import _read

    added = _run(_import(_read(file), scope))
    if as_json:
        _print_json(
            {"genres": [{"name": g.name, "clips": g.clips, "added": g.added} for g in added]}
        )
    else:
        print(f"{len(added)} genres imported, with {sum(g.added for g in added)} new clips.")


def _row(check: GenreCheck) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(check) | {"auc": round(check.auc, 3)}


def _show(checks: tuple[GenreCheck, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Genre", "Tracks", "Artists", "AUC", ""):
        table.add_column(heading, justify="right" if heading in ("Tracks", "Artists") else "left")
    for check in checks:
        note = REASONS.get(check.refusal, "taught" if check.taught else "")
        area = "" if check.refusal not in ("", "not_told_apart") else f"{check.auc:.2f}"
        row = (escape(check.name), str(check.tracks), str(check.artists), area, note)
        table.add_row(*row, style="dim" if check.refusal else "")
    used = sum(not check.refusal for check in checks)
    Console(highlight=False).print(table, f"{used} of {len(checks)} genres are used", sep="\n")


async def _list(scope: str) -> tuple[OwnGenres, list[TaughtGenre]]:
    from bot.own_genre_cache import OwnGenreCache
    from bot.runtime.resources import open_catalogue
    from db.choose_neighbours import choose_neighbours
    from db.taught_genres import taught_genres

    async with open_catalogue(_settings()) as (preset, db):
        own = OwnGenreCache(
            index=await choose_neighbours(db, preset.model_id),
            db=db,
            labels=preset.labels,
            dimension=preset.dimension,
        )
        learned = await own.learned(scope, patient=True)
        assert learned is not None
        return learned, await taught_genres(db, scope, preset.model_id)


async def _teach(name: str, files: list[str], scope: str) -> tuple[Taught, GenreCheck | None]:
    from bot.cli.ask import open_clip
    from bot.own_genre_cache import OwnGenreCache
    from bot.runtime.resources import open_recommender
    from db.tagging.genre_names import genre_key
    from db.tags import clean
    from db.taught_genres import TaughtClip
    from db.taught_genres import teach as store
    from genrec.types import Clip

    settings, name = _settings(), clean(name)[:40]
    if not genre_key(name):
        raise typer.BadParameter("the name has no letters: give the genre a name")
    async with open_recommender(settings, workers=1) as opened:
        clips = []
        for file in files:
            async with open_clip(settings, file) as clip:
                if not isinstance(clip, Clip):
                    raise InputRefused(
                        f"{file} names a song without its sound: name a sound file instead."
                    )
                analysis = await opened.recommender.analyze(clip)
                opened.recommender.require_music(analysis)
                clips.append(TaughtClip(clip.sha256, analysis.embedding))
        preset = opened.preset
        result = await store(opened.db, scope, preset.model_id, name, clips)
        own = OwnGenreCache(
            index=opened.recommender.index,
            db=opened.db,
            labels=preset.labels,
            dimension=preset.dimension,
        )
        learned = await own.learned(scope, patient=True)
        checks = learned.checks if learned else ()
        key = genre_key(result.name)
        return result, next((each for each in checks if genre_key(each.name) == key), None)


async def _forget(name: str, scope: str) -> str | None:
    from bot.runtime.resources import open_catalogue
    from db.taught_genres import forget_genre

    async with open_catalogue(_settings()) as (_, db):
        return await forget_genre(db, scope, name)


async def _export(scope: str) -> str:
    from bot.runtime.resources import open_catalogue
    from db.taught_genres import export_taught

    async with open_catalogue(_settings()) as (preset, db):
        return await export_taught(db, scope, preset.model_id)


async def _import(text: str, scope: str) -> list[Taught]:
    from bot.runtime.resources import open_catalogue
    from db.taught_genres import import_taught

    async with open_catalogue(_settings()) as (preset, db):
        return await import_taught(
            db, scope, text, model_id=preset.model_id, dimension=preset.dimension
        )


def _settings() -> Any:
    from bot.config import load_settings

    return load_settings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
