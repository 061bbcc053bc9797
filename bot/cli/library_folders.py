"""``genrec library folders``, ``move`` and ``forget``: the indexed music folders."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.library import AsJson
from bot.cli.library_lists import library

__all__ = ["library"]  # with these commands

if TYPE_CHECKING:
    from db.connection import Database
    from db.folders import FolderMove, IndexedFolder


@library.command()
def folders(as_json: AsJson = False) -> None:
    """List the indexed music folders, with counts of tracks."""
    listed = asyncio.run(_folders())
    rows = [{**_row(folder), "state": state} for folder, state in listed]
    if as_json:
        print(json.dumps({"folders": rows}, ensure_ascii=False, indent=2))
        return
    print("  Tracks     Gone  State    Indexed           Folder")
    for row in rows:
        day = row["indexed_at"] or "-"
        counts = f"{row['tracks']:>8} {row['gone']:>8}"
        print(f"{counts}  {row['state']:<7}  {day:<16}  {row['folder']}")


@library.command()
def move(
    old: Annotated[Path, typer.Argument(help="Folder that `library folders` lists.")],
    new: Annotated[Path, typer.Argument(help="Folder where its music is now.")],
    as_json: AsJson = False,
) -> None:
    """Record where the music of a folder is now, without an analysis."""
    result = asyncio.run(_move(old, new))
    if as_json:
        print(json.dumps({"moved": result.moved, "gone": result.gone}))
        return
    gone = f" {result.gone} files are not there." if result.gone else ""
    print(f"{result.moved} tracks moved to {new}.{gone}")


@library.command()
def forget(
    folder: Annotated[Path, typer.Argument(help="Folder that `library folders` lists.")],
    as_json: AsJson = False,
) -> None:
    """Remove the tracks of a folder from the catalogue; its files are not touched."""
    removed = asyncio.run(_forget(folder))
    if as_json:
        print(json.dumps({"removed": removed}))
    else:
        print(f"Removed {removed} tracks of {folder}.")


async def _folders() -> list[tuple[IndexedFolder, str]]:
    from db.folders import folder_state, list_folders
    from db.tracks import LIBRARY

    async with _opened() as (preset, db):
        found = await list_folders(db, LIBRARY, preset.model_id)
        return [(folder, await asyncio.to_thread(folder_state, folder.path)) for folder in found]


async def _move(old: Path, new: Path) -> FolderMove:
    from db.folders import move_folder
    from db.ingest.scan import open_folder
    from db.ingest.scope_lock import scope_lock
    from db.tracks import LIBRARY

    target, names = await asyncio.to_thread(lambda: (open_folder(new), _names(old)))
    async with _opened() as (_, db), scope_lock(db, LIBRARY) as lock:
        known = await _known_name(db, *names)
        return await move_folder(db, LIBRARY, known, str(target), begin=lock.changing)


async def _forget(folder: Path) -> int:
    from db.folders import forget_folder
    from db.ingest.scope_lock import scope_lock
    from db.tracks import LIBRARY

    names = await asyncio.to_thread(_names, folder)
    async with _opened() as (_, db), scope_lock(db, LIBRARY) as lock:
        known = await _known_name(db, *names)
        return await forget_folder(db, LIBRARY, known, begin=lock.changing)


def _names(folder: Path) -> tuple[str, str]:
    """Return a folder's absolute path as given, and with its links resolved."""
    return os.path.normpath(folder.absolute()), str(folder.resolve())


async def _known_name(db: Database, given: str, resolved: str) -> str:
    """Return the one of two names of a folder that the catalogue has; the first if neither."""
    from db.folders import has_tracks
    from db.tracks import LIBRARY

    known = await has_tracks(db, LIBRARY, given) or not await has_tracks(db, LIBRARY, resolved)
    return given if known else resolved


def _opened() -> Any:
    from bot.config import load_settings
    from bot.runtime.resources import open_catalogue

    return open_catalogue(load_settings())


def _row(folder: IndexedFolder) -> dict[str, Any]:
    stamp = folder.indexed_at
    return {
        "folder": folder.path,
        "tracks": folder.tracks,
        "gone": folder.gone,
        "indexed_at": time.strftime("%Y-%m-%d %H:%M", time.gmtime(stamp)) if stamp else None,
    }
