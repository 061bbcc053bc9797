"""Recognise moved files: a new file with the bytes of a track whose own file is gone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from db.connection import Database, SqlSession
from db.generations import BATCH, Generation
from db.ingest.scope_lock import ScopeLock


async def adopt_moved(
    db: Database, new: Generation, lost: Collection[int], lock: ScopeLock
) -> set[int]:
    """Give new files of the building generation the tracks of lost files with the same bytes.

    ``lost`` are ids of active tracks whose files are gone. Those that got the path of a new file
    are returned. Of several, each new file takes the one whose path has most in common with its
    own, from the end. The changes are made in small transactions.
    """
    pairs, adopted = await _pairs(db, new, lost), set[int]()
    for start in range(0, len(pairs), BATCH):
        async with lock.writing(new) as tx:
            adopted |= await _adopt(tx, new, pairs[start : start + BATCH])
    return adopted


async def _adopt(tx: SqlSession, new: Generation, pairs: list[tuple[int, int, str]]) -> set[int]:
    """Give the paths of new tracks to lost tracks, but for those removed during the run."""
    wanted = json.dumps([track_id for pair in pairs for track_id in pair[:2]])
    rows = await tx.all(
        "SELECT id FROM track WHERE id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
        (wanted,),
    )
    there = {track_id for (track_id,) in rows}
    pairs = [pair for pair in pairs if there.issuperset(pair[:2])]
    ids = [(old_id, new_id) for old_id, new_id, _ in pairs]
    await tx.many(
        "UPDATE entry SET track_id = ?1 WHERE generation_id = ?3 AND track_id = ?2",
        [(*pair, new.id) for pair in ids],
    )
    await tx.many(
        "DELETE FROM detail WHERE track_id = ?1"
        " AND EXISTS (SELECT 1 FROM detail AS d WHERE d.track_id = ?2)",
        ids,
    )
    await tx.many("UPDATE detail SET track_id = ? WHERE track_id = ?", ids)
    await tx.many("DELETE FROM track WHERE id = ?", [(new_id,) for _, new_id in ids])
    await tx.many(
        "UPDATE track SET source = ? WHERE id = ?", [(path, old_id) for old_id, _, path in pairs]
    )
    return {old_id for old_id, _, _ in pairs}


async def _pairs(
    db: Database, new: Generation, lost: Collection[int]
) -> list[tuple[int, int, str]]:
    """Return pairs of a lost and a new track with the same bytes, and the path of the new one."""
    if not lost:
        return []
    async with db.snapshot() as session:
        candidates = await _lost_tracks(session, new, lost)
        rows = await session.all(
            "SELECT b.track_id, b.embedding_id, t.source FROM entry AS b JOIN track AS t"
            " ON t.id = b.track_id WHERE b.generation_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM entry AS other WHERE other.track_id = b.track_id"
            " AND other.generation_id <> b.generation_id) ORDER BY t.source",
            (new.id,),
        )
    pairs = []
    for new_id, embedding_id, path in rows:
        if paths := candidates[embedding_id]:
            old_id = max(paths, key=lambda track_id: _common_end(paths[track_id], path))
            del paths[old_id]
            pairs.append((old_id, new_id, path))
    return pairs


async def _lost_tracks(
    session: SqlSession, new: Generation, lost: Collection[int]
) -> dict[int, dict[int, str]]:
    """Return ids and paths of the lost tracks by the id of their embedding."""
    rows = await session.all(
        "SELECT e.embedding_id, e.track_id, t.source FROM json_each(?) AS lost"
        " CROSS JOIN entry AS e"
        " JOIN generation AS g ON g.id = e.generation_id JOIN track AS t ON t.id = e.track_id"
        " WHERE e.track_id = CAST(lost.value AS bigint) AND g.state = 'active'"
        " AND g.scope = ? AND g.model_id = ?",
        (json.dumps(list(lost)), new.scope, new.model_id),
    )
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for embedding_id, track_id, path in rows:
        found[embedding_id][track_id] = path
    return found


def _common_end(one: str, other: str) -> int:
    """Return how many parts two paths have in common, from the end."""
    count = 0
    for left, right in zip(reversed(Path(one).parts), reversed(Path(other).parts), strict=False):
        if left != right:
            break
        count += 1
    return count
