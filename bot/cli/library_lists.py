"""``genrec library export`` and ``import``: track lists of every format."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bot.cli.library import (
    AsJson,
    Scope,
    _catalogue,
    _output,
    _print_json,
    _run,
    known_scope,
    library,
)
from genrec.errors import ClipTooLarge, FileMissing

__all__ = ["library"]  # with these commands

_FORMATS = ("m3u8", "csv", "json", "jspf", "txt")
_MAX_IMPORT_CHARS = 1 << 30


def format_of(file: Path, form: str | None) -> str:
    """Return the format of a list: ``form``, or else the file's suffix."""
    chosen = form or file.suffix.lstrip(".").lower()
    if chosen not in _FORMATS:
        raise typer.BadParameter(
            f"{file.name} has no suffix of a list: name a .m3u8, .csv, .json, .jspf or .txt file"
        )
    return chosen


@library.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write; - for standard output.")],
    form: Annotated[
        Literal["m3u8", "csv", "json", "jspf", "txt"] | None,
        typer.Option("--format", help="Default: by the file's suffix."),
    ] = None,
    scope: Scope = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Also write tracks whose file is not there.")
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            "--relative-to",
            metavar="DIR",
            help="Write paths below DIR relative to it; default: GENREC_PATH_ROOT.",
        ),
    ] = None,
) -> None:
    """Write tracks to an m3u8 playlist, CSV, JSON, JSPF or text; each can be imported."""
    chosen = format_of(file, form)
    folder = root.expanduser().resolve() if root else None
    left_out = _run(_export(file, chosen, scope, missing=missing, root=folder))
    if left_out:
        print(
            f"{left_out} tracks are left out, because their files are not there: --missing writes"
            " them too.",
            file=sys.stderr,
        )


@library.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="List from `export` or /library export, or of names alone."),
    ],
    scope: Annotated[
        str, typer.Option(help="Scope of the new tracks.", metavar="SCOPE", callback=known_scope)
    ] = "library",
    as_json: AsJson = False,
) -> None:
    """Add the tracks of an m3u8, CSV, JSON, JSPF or text file."""
    result, new = _run(_import(_read(file), file.suffix, file.resolve().parent, scope))
    known = len(set(result.ids)) - new
    if as_json:
        counts = {"imported": new, "known": known, "refused": list(result.refused)}
        _print_json(counts | {"unknown": list(result.unknown)})
        return
    for reason in (*result.refused, *result.unknown):
        print(reason, file=sys.stderr)
    counted = f"{new} new tracks imported, {known} known already"
    print(f"{counted}, {len(result.refused)} rows rejected, {len(result.unknown)} not found.")


async def _export(
    file: Path, form: Any, scope: str | None, *, missing: bool, root: Path | None
) -> int:
    """Write the file and return the number of tracks that are left out."""
    from bot.config import load_settings
    from db.import_export import export_tracks
    from db.ingest.presence import file_exists

    left_out = 0

    def is_there(source: str) -> bool:
        nonlocal left_out
        there = file_exists(source)
        left_out += not there
        return there

    folder = root or load_settings().path_root
    async with _catalogue() as (catalogue, preset):
        with _output(file) as out:
            async for piece in export_tracks(
                catalogue,
                preset.model_id,
                form,
                scope=scope,
                only=None if missing else is_there,
                root=folder,
            ):
                out.write(piece)
    return left_out


async def _import(text: str, suffix: str, beside: Path, scope: str) -> Any:
    from bot.config import load_settings
    from db.import_export import import_tracks
    from db.listed_tracks import Places

    settings = load_settings()
    library_root = settings.library and await asyncio.to_thread(settings.library.resolve)
    roots = (beside, settings.path_root, library_root)
    async with _catalogue() as (catalogue, preset):
        before = await catalogue.count(preset.model_id, scope)
        scopes = await catalogue.scopes(preset.model_id)
        result = await import_tracks(
            catalogue,
            text,
            scope=scope,
            model_id=preset.model_id,
            dimension=preset.dimension,
            suffix=suffix,
            places=Places(
                scopes=(scope, *(other for other in scopes if other != scope)),
                roots=[root for root in roots if root is not None],
                absolute=True,
            ),
        )
        return result, await catalogue.count(preset.model_id, scope) - before


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_MAX_IMPORT_CHARS + 1)
    except OSError as error:
        raise FileMissing(
            f"{file} cannot be read ({error.strerror}): name a readable list of tracks."
        ) from error
    except UnicodeDecodeError as error:
        raise FileMissing(f"{file} is not UTF-8 text: name a list of tracks.") from error
    if len(text) > _MAX_IMPORT_CHARS:
        raise ClipTooLarge(
            f"{file} has more than {_MAX_IMPORT_CHARS} characters: import it in parts."
        )
    return text
