"""``genrec index`` and ``genrec library``: fill, list, change, export and import tracks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from bot.cli.stopped import FilesDone, says_what_is_kept
from genrec.errors import GenrecError, InputRefused
from genrec.files import atomic_write

if TYPE_CHECKING:
    from db.ingest.run import IngestReport

T = TypeVar("T")

library = typer.Typer(
    no_args_is_help=True, help="List, count, compare, remove, export and import tracks."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SCOPE = re.compile(r"library|starter|guild:[1-9][0-9]{0,18}")


def known_scope(scope: str | None) -> str | None:
    """Return a scope, or raise an error that names the valid ones."""
    if scope is not None and not _SCOPE.fullmatch(scope):
        raise typer.BadParameter(f"{scope!r} is no scope: name library, starter or guild:ID.")
    return scope


Scope = Annotated[
    str | None,
    typer.Option(
        help="library, starter or guild:ID; default: all.",
        metavar="SCOPE",
        callback=known_scope,
    ),
]


def _named(folder: str) -> Path:
    """Return a folder's path; an empty name, as of an unset variable, is not this folder."""
    if not folder.strip():
        raise typer.BadParameter("the name is empty: name a music folder, or leave it out")
    return Path(folder)


def index(
    folder: Annotated[
        Path | None, typer.Argument(help="Music folder; default: GENREC_LIBRARY.", parser=_named)
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Analyse files again that failed before.")
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Allow an empty folder to empty the library.")
    ] = False,
    backup: Annotated[
        bool, typer.Option("--backup", help="Back up the database after the run.")
    ] = False,
    reread_tags: Annotated[
        bool,
        typer.Option("--reread-tags", help="Read the tags of unchanged files again."),
    ] = False,
    describe: Annotated[
        bool,
        typer.Option("--describe", help="Measure tempo and key of tracks that have none."),
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a CSV table with a row for every file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a music folder into the catalogue; unchanged files are skipped."""
    from bot.cli.index_report import report_as_json, show_report
    from db.ingest.report import file_rows, report_csv

    options = {
        "retry_failed": retry_failed,
        "allow_empty": allow_empty,
        "backup": backup,
        "reread_tags": reread_tags,
        "describe": describe,
    }
    chosen = folder or _library_folder()
    done = FilesDone()
    with says_what_is_kept(done.sentence):
        report = _run(_index(chosen, options, done, quiet=as_json))
    if all(row.quiet for row in file_rows(report)) and not allow_empty:
        raise InputRefused(f"There is no music in {chosen}: name a folder with sound files.")
    if table is not None:
        with _output(table) as out:
            out.writelines(report_csv(report))
    if as_json:
        _print_json(report_as_json(report))
    else:
        show_report(report)


@library.command("list")
def list_tracks(
    search: Annotated[str, typer.Argument(help="Words of the artist or title.")] = "",
    scope: Scope = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most tracks to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List tracks by artist and title."""
    from dataclasses import asdict

    tracks, details, total = _run(_list(search, scope, limit))
    if as_json:
        rows = [asdict(track) | asdict(details[track.id]) for track in tracks]
        _print_json({"tracks": rows, "total": total})
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Id", "Artist", "Title", "Genre", "Scope"):
        table.add_column(heading, justify="right" if heading == "Id" else "left")
    for track in tracks:
        cells = (track.artist, track.title, track.genre, track.scope)
        table.add_row(str(track.id), *(escape(cell) for cell in cells))
    Console(highlight=False).print(table, f"{len(tracks)} of {total} tracks", sep="\n")


@library.command()
def stats(as_json: AsJson = False) -> None:
    """Count the tracks of the catalogue."""
    from dataclasses import asdict

    counted, damaged = _run(_stats())
    figures = asdict(counted) | {"damaged": damaged}
    if as_json:
        _print_json(figures)
        return
    print(f"{figures['tracks']} tracks by {figures['artists']} artists ({figures['model_id']})")
    for name in ("by_scope", "by_genre", "other_models"):
        for key, number in figures[name].items():
            print(f"  {number:>8}  {key}")
    if figures["failures"]:
        print(f"  {figures['failures']:>8}  files that cannot be analysed or hold no music")
    if damaged:
        print(f"  {damaged:>8}  damaged tracks, left out until the music is indexed again")


def _library_folder() -> Path:
    """Return the folder in GENREC_LIBRARY."""
    from bot.config import load_settings
    from bot.errors import SettingsError

    folder = load_settings().library
    if folder is None:
        raise SettingsError("Name a music folder, or set GENREC_LIBRARY to one.")
    return folder


async def _index(
    folder: Path, options: dict[str, Any], done: FilesDone, *, quiet: bool
) -> IngestReport:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from bot.config import load_settings
    from bot.runtime.indexing_cluster import cluster_of
    from bot.runtime.resources import open_recommender
    from db.ingest.run import IngestJob, IngestProgress, ingest

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        disable=quiet or not sys.stderr.isatty(),
        console=_stderr(),
    )
    settings = load_settings()
    async with open_recommender(settings) as opened, cluster_of(settings)() as cluster:
        job = IngestJob(
            folder=folder,
            model_id=opened.preset.model_id,
            dimension=opened.preset.dimension,
            labels=opened.preset.labels,
            concurrency=opened.pool.size,
            music_below=opened.music_below,
            **options,
        )
        with bar:
            task = bar.add_task("Scanning the folder", total=None)

            def show(now: IngestProgress) -> None:
                done.count, done.total = now.done, now.total
                bar.update(
                    task,
                    completed=now.done,
                    total=now.total,
                    description=f"{now.rate:.1f} files/s  {Path(now.current).name[:40]}",
                )

            return await ingest(opened.db, opened.pool, job, show, cluster=cluster)


async def _list(search: str, scope: str | None, limit: int) -> Any:
    from db.details import NO_DETAILS, load_details

    async with _catalogue() as (catalogue, preset):
        tracks = await catalogue.browse(preset.model_id, scope, text=search, limit=limit)
        async with catalogue.db.snapshot() as session:
            details = await load_details(session, [track.id for track in tracks])
        total = await catalogue.count(preset.model_id, scope, text=search)
        return tracks, {track.id: details.get(track.id, NO_DETAILS) for track in tracks}, total


async def _stats() -> Any:
    from db.damaged import damaged_tracks

    async with _catalogue() as (catalogue, preset):
        damaged = await damaged_tracks(catalogue.db, preset.model_id)
        return await catalogue.stats(preset.model_id), len(damaged)


@contextmanager
def _output(file: Path) -> Iterator[TextIO]:
    """Open the file for an atomic write, or standard output for ``-``."""
    if str(file) == "-":
        yield sys.stdout
        return
    try:
        with (
            atomic_write(file) as path,
            path.open("w", encoding="utf-8", newline="") as out,
        ):
            yield out
    except OSError as error:
        raise GenrecError(
            f"{file} cannot be written ({error.strerror}): name a file in a writable folder."
        ) from error


def _catalogue() -> Any:
    """Open preset and catalogue without a worker."""
    from contextlib import asynccontextmanager

    from bot.config import load_settings
    from bot.runtime.resources import open_catalogue
    from db.tracks import Catalogue

    @asynccontextmanager
    async def opened() -> Any:
        async with open_catalogue(load_settings()) as (preset, db):
            yield Catalogue(db), preset

    return opened()


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
