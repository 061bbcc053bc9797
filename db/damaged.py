"""Find tracks whose stored embedding is damaged, as by a failing disk."""

from __future__ import annotations

import asyncio
from typing import Any

from db.connection import Database
from db.vectors import sound_vectors

_PAGE = 5_000


async def damaged_tracks(db: Database, model_id: str, scope: str | None = None) -> list[int]:
    """Return the ids of a model's active tracks, all or a scope's, with a damaged embedding."""
    found, last = [], 0
    while rows := await db.all(
        "SELECT e.track_id, g.dimension, m.vector FROM generation AS g"
        " JOIN entry AS e ON e.generation_id = g.id JOIN embedding AS m ON m.id = e.embedding_id"
        " WHERE g.state = 'active' AND g.model_id = ?1"
        " AND (CAST(?2 AS text) IS NULL OR g.scope = ?2) AND e.track_id > ?3"
        " ORDER BY e.track_id LIMIT ?4",
        (model_id, scope, last, _PAGE),
    ):
        last = rows[-1][0]
        found += await asyncio.to_thread(_damaged, rows)
    return found


async def damaged_of_generation(db: Database, generation_id: int) -> frozenset[int]:
    """Return the ids of a generation's tracks with a damaged embedding."""
    found, last = set[int](), 0
    while rows := await db.all(
        "SELECT e.track_id, g.dimension, m.vector FROM entry AS e"
        " JOIN generation AS g ON g.id = e.generation_id JOIN embedding AS m"
        " ON m.id = e.embedding_id WHERE e.generation_id = ? AND e.track_id > ?"
        " ORDER BY e.track_id LIMIT ?",
        (generation_id, last, _PAGE),
    ):
        last = rows[-1][0]
        found |= set(await asyncio.to_thread(_damaged, rows))
    return frozenset(found)


def _damaged(rows: list[tuple[Any, ...]]) -> list[int]:
    """Return the first column of the rows (id, dimension, vector) with a damaged vector."""
    damaged: list[int] = []
    for dimension in {row[1] for row in rows}:
        group = [row for row in rows if row[1] == dimension]
        _, sound = sound_vectors([row[2] for row in group], dimension)
        damaged += [row[0] for row, good in zip(group, sound, strict=True) if not good]
    return damaged
