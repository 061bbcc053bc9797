"""The table ``served`` of PostgreSQL: one narrow row for each active track, for pgvector.

It is derived from the catalogue, so no migration has to know it: the end of a move, or a bot that
finds the extension `vector`, makes and fills it. From then on `follow_changes` keeps it, in the
transaction that changes what is served. An embedding is stored as halfvec, half the size of
float32, which moves a cosine by at most 0.0004; whoever searches compares the stored embeddings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from db.connection import Database, SqlSession
from db.set_rows import run_for_rows
from db.vectors import sound_vectors
from genrec.description_codec import FIELDS, description_matrix
from genrec.errors import CatalogueError
from genrec.types import SURE_KEY, SURE_TEMPO

log = logging.getLogger(__name__)

_PAGE = 4_096
_BPM, _BPM_SURE, _KEY, _KEY_SURE = (
    FIELDS.index(name) for name in ("bpm", "bpm_confidence", "key", "key_confidence")
)
_ACTIVE = (
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN embedding AS m ON m.id = e.embedding_id"
    " WHERE g.state = 'active' AND g.model_id = ? AND e.gone_at IS NULL"
)
_AS_SERVED = (
    "e.gone_at IS NULL AND e.embedding_id = s.embedding_id AND e.label = s.label"
    " AND e.artist_key = s.artist_key"
)
_ROW = (
    "SELECT e.track_id, e.embedding_id, g.scope, e.label, e.artist_key, m.vector, m.description,"
    " g.dimension"
)
_COLUMNS = (
    ("model_id", "text"), ("track_id", "bigint"), ("embedding_id", "bigint"), ("scope", "text"),
    ("label", "text"), ("artist_key", "text"), ("bpm", "real"), ("key", "smallint"), ("e", "text"),
)  # fmt: skip
_INSERT = (
    "INSERT INTO served (model_id, track_id, embedding_id, scope, label, artist_key, bpm, key, e)"
    " SELECT model_id, track_id, embedding_id, scope, label, artist_key, bpm, key,"
    " CAST(e AS {schema}.halfvec) FROM {{rows}}"
)
_TABLE = """
CREATE TABLE served (
    model_id text COLLATE "C" NOT NULL, track_id bigint NOT NULL, embedding_id bigint NOT NULL,
    scope text COLLATE "C" NOT NULL, label text COLLATE "C" NOT NULL,
    artist_key text COLLATE "C" NOT NULL,
    bpm real, key smallint, e {schema}.halfvec NOT NULL, PRIMARY KEY (model_id, track_id))
"""
_INDEXES = (
    "CREATE INDEX served_label ON served (model_id, scope, label)",
    "CREATE INDEX served_artist ON served (model_id, scope, artist_key)",
)


async def vector_schema(session: SqlSession | Database) -> str | None:
    """Return the schema of the extension `vector`, for names in statements; None without it."""
    row = await session.one(
        "SELECT quote_ident(n.nspname) FROM pg_extension AS x"
        " JOIN pg_namespace AS n ON n.oid = x.extnamespace WHERE x.extname = 'vector'"
    )
    return None if row is None else str(row[0])


async def open_served(db: Database, model_id: str) -> str | None:
    """Make and fill the table of served tracks where it is missing; return `vector_schema`.

    None if the server has no extension `vector`, or if the bot's role may not create it.
    """
    if await vector_schema(db) is None:
        try:
            async with db.transaction(lock="vector") as tx:
                await tx.run("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
        except CatalogueError as error:
            log.info("pgvector not used: %s", error)
            return None
    if await is_filled(db):
        return await vector_schema(db)
    async with db.transaction() as tx:
        # Writers of changes and other bots wait here, and find the table after the commit.
        await tx.run("SET LOCAL lock_timeout = 0")
        await tx.run("LOCK TABLE change IN SHARE ROW EXCLUSIVE MODE")
        if not await is_filled(tx):
            await tx.run(_TABLE.format(schema=await vector_schema(tx)))
            active = await tx.all(
                "SELECT model_id, scope, id FROM generation WHERE state = 'active'"
            )
            for generation in active:
                await _fill(tx, *generation)
            for index in _INDEXES:
                await tx.run(index)
            await tx.run("ANALYZE served")
    log.debug("pgvector used for %s", model_id)
    return await vector_schema(db)


async def follow_changes(tx: SqlSession, model_id: str, track_ids: Collection[int]) -> None:
    """Bring the served rows of some tracks up to date; those that are as they should be stay."""
    if not await is_filled(tx):
        return
    ids = sorted(track_ids)
    await tx.run(
        "DELETE FROM served AS s WHERE s.model_id = ? AND s.track_id = ANY(?) AND NOT EXISTS"
        " (SELECT 1 FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
        " WHERE g.state = 'active' AND g.model_id = s.model_id AND g.scope = s.scope"
        f" AND e.track_id = s.track_id AND {_AS_SERVED})",
        (model_id, ids),
    )
    await _insert_tracks(tx, model_id, ids)


async def follow_descriptions(tx: SqlSession, model_id: str, contents: Collection[str]) -> None:
    """Bring the tempo and key of served tracks up to date whose embedding was described.

    They keep their embedding, so their rows are taken for correct elsewhere. A row with a tempo or
    a key was described before, and an embedding is described once.
    """
    if not contents or not await is_filled(tx):
        return
    rows = await tx.all(
        "DELETE FROM served AS s USING embedding AS m JOIN entry AS e ON e.embedding_id = m.id"
        " WHERE m.model_id = ?1 AND m.content = ANY(?2) AND s.model_id = ?1"
        " AND s.track_id = e.track_id AND s.embedding_id = m.id"
        " AND s.bpm IS NULL AND s.key IS NULL RETURNING s.track_id",
        (model_id, list(contents)),
    )
    await _insert_tracks(tx, model_id, [track_id for (track_id,) in rows])


async def follow_scope(tx: SqlSession, model_id: str, scope: str) -> None:
    """Bring the served rows of a scope up to date, whose active generation is another one.

    Rows that are as they should be are not written.
    """
    if not await is_filled(tx):
        return
    # By its number the planner knows how large a generation is.
    row = await tx.one(
        "SELECT id FROM generation WHERE state = 'active' AND model_id = ? AND scope = ?",
        (model_id, scope),
    )
    await tx.run(
        "DELETE FROM served AS s WHERE s.model_id = ? AND s.scope = ? AND NOT EXISTS (SELECT 1"
        f" FROM entry AS e WHERE e.generation_id = ? AND e.track_id = s.track_id AND {_AS_SERVED})",
        (model_id, scope, row[0] if row else 0),
    )
    if row is not None:
        await _fill(tx, model_id, scope, row[0])


async def is_filled(session: SqlSession | Database) -> bool:
    """Return whether there is a table of served tracks; it is filled before others see it."""
    return bool((await session.all("SELECT to_regclass('served') IS NOT NULL"))[0][0])


async def _fill(tx: SqlSession, model_id: str, scope: str, generation_id: int) -> None:
    """Insert the tracks of an active generation that are not served yet."""
    rows = await tx.all(
        "SELECT e.track_id FROM entry AS e WHERE e.generation_id = ? AND e.gone_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM served AS s WHERE s.model_id = ? AND s.scope = ?"
        " AND s.track_id = e.track_id) ORDER BY e.track_id",
        (generation_id, model_id, scope),
    )
    await _insert_tracks(tx, model_id, [track_id for (track_id,) in rows])


async def _insert_tracks(tx: SqlSession, model_id: str, ids: Sequence[int]) -> None:
    """Insert those of the tracks that are active and not served yet, page by page."""
    for start in range(0, len(ids), _PAGE):
        await _insert(tx, model_id, ids[start : start + _PAGE])


async def _insert(tx: SqlSession, model_id: str, ids: Sequence[int]) -> None:
    rows = await tx.all(
        f"{_ROW}{_ACTIVE} AND e.track_id = ANY(?) AND NOT EXISTS (SELECT 1 FROM served AS s"
        " WHERE s.model_id = g.model_id AND s.track_id = e.track_id)",
        (model_id, list(ids)),
    )
    schema = await vector_schema(tx)
    for dimension in {row[7] for row in rows}:
        same = [row for row in rows if row[7] == dimension]
        values = await asyncio.to_thread(_values, model_id, same, dimension)
        await run_for_rows(tx, _INSERT.format(schema=schema), _COLUMNS, values)


def _values(
    model_id: str, rows: Sequence[tuple[Any, ...]], dimension: int
) -> list[tuple[Any, ...]]:
    """Return the rows of `_INSERT`; damaged embeddings are left out."""
    matrix, sound = sound_vectors([row[5] for row in rows], dimension)
    rows = [row for row, good in zip(rows, sound, strict=True) if good]
    described = description_matrix([row[6] for row in rows])
    with np.errstate(invalid="ignore"):
        sure_bpm = described[:, _BPM_SURE] >= np.float32(SURE_TEMPO)
        sure_key = described[:, _KEY_SURE] >= np.float32(SURE_KEY)
    return [
        (
            model_id, *row[:5],
            float(values[_BPM]) if has_bpm else None,
            int(values[_KEY]) if has_key else None,
            str(vector),
        )
        for row, values, has_bpm, has_key, vector in zip(
            rows, described, sure_bpm, sure_key, matrix.tolist(), strict=True
        )
    ]  # fmt: skip
