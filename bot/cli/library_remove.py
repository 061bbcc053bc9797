"""``genrec library remove``: remove tracks by id, by words of their names, or by folder."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.library import AsJson, _catalogue, known_scope
from bot.cli.library_duplicates import library
from bot.cli.library_folders import _forget
from genrec.errors import InputRefused

__all__ = ["library"]  # with this command

_SHOWN = 20
_MOST = 100_000


@library.command()
def remove(
    ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=2**63 - 1, help="Track ids from `library list`."),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Remove the tracks with these words in their names."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Remove the tracks of a folder, as `library forget`."),
    ] = None,
    scope: Annotated[
        str, typer.Option(help="Scope of the tracks.", metavar="SCOPE", callback=known_scope)
    ] = "library",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before the tracks of a search are removed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove tracks; a file that is still in the folder returns with the next index."""
    if sum((bool(ids), search is not None, folder is not None)) != 1:
        raise typer.BadParameter("name either track ids, or --search WORDS, or --folder DIR")
    if folder is not None:
        if scope != "library":
            raise typer.BadParameter(f"the scope {scope} has no folders: leave out --scope")
        removed = asyncio.run(_forget(folder))
        missing: list[int] = []
    else:
        chosen = ids or _found(search or "", scope, ask=not yes)
        removed, missing = asyncio.run(_remove(chosen, scope))
    if as_json:
        print(json.dumps({"removed": removed, "missing": missing}, indent=2))
    else:
        print(f"Removed {removed} {_tracks(removed)}.")
    if missing:
        names = ", ".join(map(str, missing[:_SHOWN]))
        raise InputRefused(
            f"No such track is in the scope {scope}: {names}. `genrec library list` shows ids and"
            " scopes."
        )


def _found(words: str, scope: str, *, ask: bool) -> list[int]:
    """Return the ids of the tracks of a search, after a question at the terminal."""
    if not words.strip():
        raise typer.BadParameter("the words are empty: name some of an artist or title")
    found = asyncio.run(_search(words, scope))
    if not found:
        raise InputRefused(
            f'No track of the scope {scope} has the words "{words}": `genrec library list` shows'
            " tracks and scopes."
        )
    if not ask:
        return [track_id for track_id, _ in found]
    for track_id, name in found[:_SHOWN]:
        print(f"{track_id:>8}  {name}", file=sys.stderr)
    if len(found) > _SHOWN:
        print(f"     ...  and {len(found) - _SHOWN} more", file=sys.stderr)
    if not sys.stdin.isatty():
        raise InputRefused(
            f"{len(found)} {_tracks(len(found))} would be removed: pass --yes to remove them."
        )
    typer.confirm(f"Remove {len(found)} {_tracks(len(found))}?", abort=True, err=True)
    return [track_id for track_id, _ in found]


def _tracks(count: int) -> str:
    return "track" if count == 1 else "tracks"


async def _search(words: str, scope: str) -> list[tuple[int, str]]:
    """Return id and name of the tracks of every word."""
    async with _catalogue() as (catalogue, preset):
        tracks = await catalogue.browse(preset.model_id, scope, text=words, limit=_MOST)
    return [(track.id, f"{track.artist} - {track.title}".strip(" -")) for track in tracks]


async def _remove(ids: list[int], scope: str) -> tuple[int, list[int]]:
    """Remove tracks; return their number, and the ids that the scope does not have."""
    async with _catalogue() as (catalogue, _):
        known = await catalogue.known(scope, ids)
        return await catalogue.remove(scope, ids), [one for one in ids if one not in known]
