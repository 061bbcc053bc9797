"""Indexed music folders: list them, tell where they moved, and forget them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from db import generations
from db.connection import Database, SqlSession
from db.generations import CATALOGUE, LISTED, record_by_generation
from db.sections import file_of
from db.upsert import PUT_FAILURE, upsert
from genrec.errors import InputRefused

# Names between these two are in the folder; the index of (scope, source) finds them.
_FILES = "scope = ?1 AND source >= ?2 AND source < ?3"
_FAILED = _FILES.replace("source", "path")
_CHANGED = "RETURNING generation_id, track_id"
# First character of sources while they are renamed, so that none meets one that is still to come.
_MOVING, _AFTER_MOVING = "\x01", "\x02"

_REGISTER = upsert("folder", ("scope", "path"), ("indexed_at",))

FolderState = Literal["there", "empty", "missing"]
Begin = Callable[[], AbstractAsyncContextManager[SqlSession]]
"""Begins a transaction that may change the tracks of a scope, such as `ScopeLock.changing`."""


@dataclass(frozen=True, slots=True)
class FolderMove:
    """Result of a move: counts of tracks with a file at the new path, and without."""

    moved: int
    gone: int


@dataclass(frozen=True, slots=True)
class IndexedFolder:
    """A folder with tracks of a scope and model.

    ``tracks`` counts those that are served, ``gone`` those whose file was not there when the music
    was last indexed. ``indexed_at`` is in seconds since 1970, or None if a version before 0.2
    indexed the folder.
    """

    path: str
    tracks: int
    gone: int
    indexed_at: float | None


async def registered(db: Database, scope: str) -> list[str]:
    """Return the paths of the folders of a scope that have been indexed."""
    rows = await db.all("SELECT path FROM folder WHERE scope = ? ORDER BY path", (scope,))
    return [path for (path,) in rows]


async def register(tx: SqlSession, scope: str, path: str) -> None:
    """Record that a folder was indexed now; a folder inside an indexed one is not recorded."""
    for (known,) in await tx.all("SELECT path FROM folder WHERE scope = ?", (scope,)):
        if known != path and within(path, known):
            return
        if within(known, path):
            await tx.run("DELETE FROM folder WHERE scope = ? AND path = ?", (scope, known))
    await tx.run(_REGISTER, (scope, path, time.time()))


async def drop_empty(db: Database, scope: str, indexed: str) -> None:
    """Delete the records of folders without tracks, except that of the one just indexed."""
    for path in await registered(db, scope):
        if path != indexed and not await has_tracks(db, scope, path):
            await db.run("DELETE FROM folder WHERE scope = ? AND path = ?", (scope, path))


async def list_folders(db: Database, scope: str, model_id: str) -> list[IndexedFolder]:
    """Return the folders of a scope with the counts of a model's tracks, sorted by path.

    Files outside all recorded folders are listed by the deepest folders that contain them.
    """
    async with db.snapshot() as session:
        recorded = dict(
            await session.all("SELECT path, indexed_at FROM folder WHERE scope = ?", (scope,))
        )
        rows = await session.all(
            "SELECT t.source, e.gone_at IS NOT NULL FROM generation AS g"
            " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
            " WHERE g.state = 'active' AND g.scope = ? AND g.model_id = ?",
            (scope, model_id),
        )
    files = [(source, gone) for source, gone in rows if Path(source).is_absolute()]
    other = {
        str(Path(source).parent)
        for source, _ in files
        if not any(within(source, path) for path in recorded)
    }
    places = [*recorded, *common_folders(other)]
    counts = Counter(
        (next(place for place in places if within(source, place)), bool(gone))
        for source, gone in files
    )
    return [
        IndexedFolder(place, counts[place, False], counts[place, True], recorded.get(place))
        for place in sorted(places)
    ]


def folder_state(path: str) -> FolderState:
    """Return whether a folder is there, empty, or missing because it cannot be listed."""
    try:
        with os.scandir(path) as entries:
            return "there" if any(entries) else "empty"
    except OSError:
        return "missing"


async def has_tracks(db: Database, scope: str, path: str) -> bool:
    """Return whether a scope has tracks of a folder's files, served or not."""
    bounds = (scope, *_bounds(path))
    return bool(await db.all(f"SELECT 1 FROM track WHERE {_FILES} LIMIT 1", bounds))


async def forget_folder(db: Database, scope: str, path: str, *, begin: Begin | None = None) -> int:
    """Delete the tracks of a folder's files, of every model; return the number of tracks.

    ``begin`` excludes indexing runs of the scope; without it nothing does. InputRefused is raised
    if the scope knows no such folder.
    """
    bounds = (scope, *_bounds(path))
    if not await has_tracks(db, scope, path) and path not in await registered(db, scope):
        raise InputRefused(
            f"The catalogue has no tracks of {path}: name a folder that `genrec library folders`"
            " lists, or one inside it."
        )
    async with _begun(db, begin) as tx:
        tracks = await tx.number(f"SELECT count(*) FROM track WHERE {_FILES}", bounds)
        removed = await tx.all(
            f"DELETE FROM entry WHERE track_id IN (SELECT id FROM track WHERE {_FILES}) {_CHANGED}",
            bounds,
        )
        await record_by_generation(tx, "remove", removed)
        await tx.run(f"DELETE FROM failure WHERE {_FAILED}", bounds)
        for (known,) in await tx.all("SELECT path FROM folder WHERE scope = ?", (scope,)):
            if within(known, path):
                await tx.run("DELETE FROM folder WHERE scope = ? AND path = ?", (scope, known))
    await generations.sweep(db)
    return tracks


async def move_folder(
    db: Database, scope: str, old: str, new: str, *, begin: Begin | None = None
) -> FolderMove:
    """Give the tracks of a folder that moved from ``old`` to ``new`` their new paths.

    Nothing is read or analysed, and the tracks keep their ids. A track whose file is not in ``new``
    counts as gone. A track that ``new`` already has replaces the one of ``old``. ``begin`` excludes
    indexing runs of the scope; without it nothing does.

    Raises
    ------
    InputRefused
        ``old`` has no tracks, or ``new`` none of its files.
    """
    bounds = (scope, *_bounds(old))
    rows = await db.all(f"SELECT id, source FROM track WHERE {_FILES}", bounds)
    if not rows:
        raise InputRefused(
            f"The catalogue has no tracks of {old}: name a folder that `genrec library folders`"
            " lists, or one inside it."
        )
    targets = {track_id: _moved(source, old, new) for track_id, source in rows}
    there = await asyncio.to_thread(
        lambda: {track_id for track_id, path in targets.items() if Path(file_of(path)).is_file()}
    )
    if not there:
        raise InputRefused(
            f"None of the {len(rows)} files of {old} is in {new}: name the folder to which the"
            " music moved, or run `genrec index` with it."
        )
    async with _begun(db, begin) as tx:
        await _rename(tx, scope, targets)
        found = await tx.all(
            f"UPDATE entry SET gone_at = NULL WHERE track_id IN ({LISTED}) {_CHANGED}",
            (json.dumps(list(there)),),
        )
        await record_by_generation(tx, "put", found)
        hidden = await tx.all(
            "UPDATE entry SET gone_at = coalesce(gone_at, ?)"
            f" WHERE track_id IN ({LISTED}) {_CHANGED}",
            (time.time(), json.dumps(list(targets.keys() - there))),
        )
        await record_by_generation(tx, "remove", hidden)
        await _move_failures(tx, bounds, old, new)
        for (known,) in await tx.all("SELECT path FROM folder WHERE scope = ?", (scope,)):
            if within(known, old):
                await tx.run("DELETE FROM folder WHERE scope = ? AND path = ?", (scope, known))
        await register(tx, scope, new)
    await generations.sweep(db)
    return FolderMove(len(there), len(targets) - len(there))


def _begun(db: Database, begin: Begin | None) -> AbstractAsyncContextManager[SqlSession]:
    return begin() if begin else db.transaction(durable=True, lock=CATALOGUE)


def within(path: str, folder: str) -> bool:
    """Return whether a path is a folder's or of something inside it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_indexed_path(path: str, folders: Iterable[str]) -> bool:
    """Return whether a file's path is as a scan writes it, and inside one of the folders.

    A path with ".." is refused, as it leaves the folder, by itself or after a link. Links inside a
    folder may lead elsewhere, as a scan follows them.
    """
    return os.path.normpath(path) == path and any(within(path, folder) for folder in folders)


def common_folders(folders: Collection[str]) -> list[str]:
    """Return few folders that contain all of these, none of them as high as ``/mnt``."""
    if not folders:
        return []
    common = os.path.commonpath(folders)
    if len(Path(common).parts) > 2 or common in folders:
        return [common]
    groups = defaultdict(set)
    for folder in folders:
        groups[Path(folder).parts[len(Path(common).parts)]].add(folder)
    return sorted(place for group in groups.values() for place in common_folders(group))


async def _rename(tx: SqlSession, scope: str, targets: dict[int, str]) -> None:
    renamed = [(_MOVING + path, track_id) for track_id, path in targets.items()]
    await tx.many("UPDATE track SET source = ? WHERE id = ?", renamed)
    taken = await tx.all(
        "SELECT id FROM track WHERE scope = ?1 AND source >= ?2 AND source < ?3 AND EXISTS"
        " (SELECT 1 FROM track AS t WHERE t.scope = ?1 AND t.source = substr(track.source, 2))",
        (scope, _MOVING, _AFTER_MOVING),
    )
    listed = (json.dumps([track_id for (track_id,) in taken]),)
    removed = await tx.all(f"DELETE FROM entry WHERE track_id IN ({LISTED}) {_CHANGED}", listed)
    await record_by_generation(tx, "remove", removed)
    await tx.run(f"DELETE FROM track WHERE id IN ({LISTED})", listed)
    await tx.run(
        "UPDATE track SET source = substr(source, 2)"
        " WHERE scope = ? AND source >= ? AND source < ?",
        (scope, _MOVING, _AFTER_MOVING),
    )


async def _move_failures(tx: SqlSession, bounds: tuple[str, ...], old: str, new: str) -> None:
    rows = await tx.all(
        "SELECT model_id, path, size, mtime_ns, code, reason FROM failure WHERE " + _FAILED, bounds
    )
    await tx.run(f"DELETE FROM failure WHERE {_FAILED}", bounds)
    await tx.many(
        PUT_FAILURE,
        [(bounds[0], model_id, _moved(path, old, new), *rest) for model_id, path, *rest in rows],
    )


def _bounds(folder: str) -> tuple[str, str]:
    """Return the first path inside a folder, and the first after them all."""
    stem = folder.rstrip(os.sep)
    return stem + os.sep, stem + chr(ord(os.sep) + 1)


def _moved(path: str, old: str, new: str) -> str:
    return str(Path(new, Path(path).relative_to(old)))
