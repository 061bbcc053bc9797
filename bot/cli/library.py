"""``genrec index`` and ``genrec library``: what the catalogue holds, and how it gets there."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, TypeVar

import typer

from genrec.errors import FileMissing, GenrecError

if TYPE_CHECKING:
    from db.ingest.run import IngestReport

T = TypeVar("T")

library = typer.Typer(no_args_is_help=True, help="Look at the catalogue, and change it.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Scope = Annotated[
    str | None, typer.Option(help="library (the operator's), starter, or guild:ID; all by default.")
]


def index(
    folder: Annotated[Path, typer.Argument(help="A folder of music.")],
    retry_failed: Annotated[
        bool, typer.Option(help="Try files again that could not be heard before.")
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option(help="Let a folder without music empty the library.")
    ] = False,
    backup: Annotated[
        bool, typer.Option(help="Copy the database when the index is whole.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Analyse a folder of music into the catalogue; unchanged files are skipped."""
    report = _run(_index(folder, retry_failed, allow_empty, backup, quiet=as_json))
    if as_json:
        _print_json(report_as_json(report))
    else:
        _show_report(report)


@library.command("list")
def list_tracks(
    search: Annotated[str, typer.Argument(help="Words in artist or title.")] = "",
    scope: Scope = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List tracks by artist and title."""
    tracks, total = _run(_list(search, scope, limit))
    if as_json:
        rows = [{name: getattr(track, name) for name in track.__slots__} for track in tracks]
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
def remove(
    ids: Annotated[list[int], typer.Argument(help="Track ids, as `library list` shows them.")],
    scope: Annotated[str, typer.Option(help="The scope they are in.")] = "library",
    as_json: AsJson = False,
) -> None:
    """Remove tracks; files that are still in the folder come back with the next index."""
    removed = _run(_remove(ids, scope))
    _print_json({"removed": removed}) if as_json else print(f"{removed} of {len(ids)} removed.")


@library.command()
def stats(as_json: AsJson = False) -> None:
    """Count what is served."""
    from dataclasses import asdict

    figures = asdict(_run(_stats()))
    if as_json:
        _print_json(figures)
        return
    print(f"{figures['tracks']} tracks by {figures['artists']} artists ({figures['model_id']})")
    for name in ("by_scope", "by_genre", "other_models"):
        for key, number in figures[name].items():
            print(f"  {number:>8}  {key}")
    if figures["failures"]:
        print(f"  {figures['failures']:>8}  files that could not be heard")


@library.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to; - is standard output.")],
    form: Annotated[
        Literal["m3u8", "csv", "json"] | None,
        typer.Option("--format", help="By the file's ending otherwise."),
    ] = None,
    scope: Scope = None,
) -> None:
    """Write the catalogue to a playlist, a table, or JSON; the last two can be imported."""
    chosen = form or file.suffix.lstrip(".").lower()
    if chosen not in ("m3u8", "csv", "json"):
        raise typer.BadParameter("name a .m3u8, .csv or .json file, or pass --format")
    _run(_export(file, chosen, scope))


@library.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV or JSON file that `export` wrote.")],
    scope: Annotated[str, typer.Option(help="Where its tracks go.")] = "library",
    as_json: AsJson = False,
) -> None:
    """Add the tracks of a file that another genrec exported."""
    done = _run(_import(_read(file), scope))
    if as_json:
        _print_json({"imported": len(done.ids), "refused": list(done.refused)})
        return
    for sentence in done.refused:
        print(sentence, file=sys.stderr)
    print(f"{len(done.ids)} tracks imported, {len(done.refused)} rows left out.")


def report_as_json(report: IngestReport) -> dict[str, Any]:
    """Return the documented object of an indexing run."""
    names = ("tracks", "analyzed", "reused", "unchanged", "resumed", "removed", "switched")
    return {
        **{name: getattr(report, name) for name in names},
        "seconds": round(report.seconds, 3),
        "music_s": round(report.music_s, 1),
        "failures": [
            {"path": failure.path, "code": failure.code, "reason": failure.reason}
            for failure in report.failures
        ],
    }


def _show_report(report: IngestReport) -> None:
    for failure in report.failures:
        print(f"{failure.path}: {failure.reason}", file=sys.stderr)
    heard = report.analyzed
    rate = ""
    if heard and report.seconds:
        rate = (
            f", {heard / report.seconds:.1f} files a second,"
            f" {report.music_s / report.seconds:.0f} times as fast as they play"
        )
    print(
        f"{report.tracks} tracks are served: {heard} heard, {report.unchanged} unchanged,"
        f" {report.reused + report.resumed} known from before, {report.removed} gone,"
        f" {len(report.failures)} failed; {report.seconds:.1f} s{rate}."
    )


async def _index(
    folder: Path, retry_failed: bool, allow_empty: bool, backup: bool, *, quiet: bool
) -> IngestReport:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from bot.config import load_settings
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
    async with open_recommender(load_settings()) as opened:
        job = IngestJob(
            folder=folder,
            model_id=opened.preset.model_id,
            dimension=opened.preset.dimension,
            labels=opened.preset.labels,
            concurrency=opened.pool.size,
            retry_failed=retry_failed,
            allow_empty=allow_empty,
            backup=backup,
        )
        with bar:
            task = bar.add_task("Looking through the folder", total=None)

            def show(done: IngestProgress) -> None:
                bar.update(
                    task,
                    completed=done.done,
                    total=done.total,
                    description=f"{done.rate:.1f} files/s  {Path(done.current).name[:40]}",
                )

            return await ingest(opened.db, opened.pool, job, show)


async def _list(search: str, scope: str | None, limit: int) -> Any:
    async with _catalogue() as (catalogue, preset):
        tracks = await catalogue.browse(preset.model_id, scope, text=search, limit=limit)
        return tracks, await catalogue.count(preset.model_id, scope, text=search)


async def _remove(ids: list[int], scope: str) -> int:
    async with _catalogue() as (catalogue, _):
        return int(await catalogue.remove(scope, ids))


async def _stats() -> Any:
    async with _catalogue() as (catalogue, preset):
        return await catalogue.stats(preset.model_id)


async def _export(file: Path, form: Any, scope: str | None) -> None:
    from db.import_export import export_tracks

    async with _catalogue() as (catalogue, preset):
        with _whole(file) as out:
            async for piece in export_tracks(catalogue, preset.model_id, form, scope):
                out.write(piece)


@contextmanager
def _whole(file: Path) -> Iterator[TextIO]:
    """Write beside the file first, so that a half-written one never has its name."""
    if str(file) == "-":
        yield sys.stdout
        return
    half = file.with_name(f".{file.name}.part")
    try:
        with half.open("w", encoding="utf-8", newline="") as out:
            yield out
        half.replace(file)
    except OSError as error:
        raise GenrecError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        half.unlink(missing_ok=True)


async def _import(text: str, scope: str) -> Any:
    from db.import_export import import_tracks

    async with _catalogue() as (catalogue, preset):
        return await import_tracks(
            catalogue,
            text,
            scope=scope,
            model_id=preset.model_id,
            dimension=preset.dimension,
        )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileMissing(f"{file} cannot be read: {error}.") from error


def _catalogue() -> Any:
    """Open the catalogue with the starter tracks in it, but no worker."""
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
