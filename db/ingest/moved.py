"""Recognise moved files: a new file with the bytes of a track whose own file is gone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from db.connection import SqlSession
from db.generations import Generation


async def adopt_moved(
    tx: SqlSession, new: Generation, active: Generation, lost: Collection[int]
) -> set[int]:
    """Give new files of the building generation the tracks of lost files with the same bytes.

    ``lost`` are ids of active tracks whose files are gone. Those that got the path of a new file
    are returned. Of several, each new file takes the one whose path has most in common with its
    own, from the end.
    """
    candidates = await _lost_tracks(tx, active, lost)
    if not candidates:
        return set()
    rows = await tx.all(
        "SELECT b.track_id, b.embedding_id, t.source FROM entry AS b JOIN track AS t"
        " ON t.id = b.track_id WHERE b.generation_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM entry AS other WHERE other.track_id = b.track_id"
        " AND other.generation_id <> b.generation_id) ORDER BY t.source",
        (new.id,),
    )
    adopted = set()
    for new_id, embedding_id, path in rows:
        if paths := candidates[embedding_id]:
            old_id = max(paths, key=lambda track_id: _common_end(paths[track_id], path))
            del paths[old_id]
            await _give_path(tx, new, old_id, new_id, path)
            adopted.add(old_id)
    return adopted


async def _lost_tracks(
    tx: SqlSession, active: Generation, lost: Collection[int]
) -> dict[int, dict[int, str]]:
    """Return ids and paths of the lost tracks by the id of their embedding."""
    rows = await tx.all(
        "SELECT e.embedding_id, e.track_id, t.source FROM json_each(?) AS lost JOIN entry AS e"
        " ON e.generation_id = ? AND e.track_id = lost.value JOIN track AS t ON t.id = e.track_id",
        (json.dumps(list(lost)), active.id),
    )
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for embedding_id, track_id, path in rows:
        found[embedding_id][track_id] = path
    return found


async def _give_path(tx: SqlSession, new: Generation, old_id: int, new_id: int, path: str) -> None:
    await tx.run(
        "UPDATE entry SET track_id = ? WHERE generation_id = ? AND track_id = ?",
        (old_id, new.id, new_id),
    )
    await tx.run("UPDATE OR REPLACE detail SET track_id = ? WHERE track_id = ?", (old_id, new_id))
    await tx.run("DELETE FROM track WHERE id = ?", (new_id,))
    await tx.run("UPDATE track SET source = ? WHERE id = ?", (path, old_id))


def _common_end(one: str, other: str) -> int:
    """Return how many parts two paths have in common, from the end."""
    count = 0
    for left, right in zip(reversed(Path(one).parts), reversed(Path(other).parts), strict=False):
        if left != right:
            break
        count += 1
    return count
