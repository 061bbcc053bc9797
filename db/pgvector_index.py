"""The HNSW graph of a model, built without stopping the searches."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from db.pgvector_sql import SHARED, is_shared
from db.postgres import PostgresDatabase
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

INDEX_FROM = 50_000
"""Shared tracks of a model from which on a graph is worth its memory."""
_CHECK_S = 300.0
# Candidates for the edges of a track: a better graph, built at three times the cost, needs half of
# the candidates of a search for the same recall.
_EF_CONSTRUCTION = 200


def index_name(model_id: str) -> str:
    """Return the name of a model's graph."""
    return f"served_{hashlib.sha256(model_id.encode()).hexdigest()[:16]}"


async def keep_index(db: PostgresDatabase, model_id: str, schema: str) -> None:
    """Build the graph as soon as there are enough tracks, until cancelled.

    A failure is logged: the searches are then exact and slower.
    """
    while True:
        try:
            await build_index(db, model_id, schema)
        except CatalogueError as error:
            log.warning("index of neighbours not built, searches are slower: %s", error)
        await asyncio.sleep(_CHECK_S)


async def build_index(
    db: PostgresDatabase, model_id: str, schema: str, *, least: int = INDEX_FROM
) -> bool:
    """Build the graph of a model if it has ``least`` shared tracks; return whether it was built.

    One process builds it at a time. What an interrupted build left is replaced.
    """
    name = index_name(model_id)
    if await _is_valid(db, name):
        return False
    rows = await db.all(
        "SELECT tracks, dimension FROM generation WHERE state = 'active' AND model_id = ?"
        " AND scope = ANY(?)",
        (model_id, list(SHARED)),
    )
    count = sum(tracks for tracks, _ in rows)
    if count < least:
        return False
    lease = await db.leases.take(f"index:{name}")
    if lease is None:
        return False
    try:
        if await _is_valid(db, name):
            return False
        dimension = int(rows[0][1])
        # Outside of a transaction, which CONCURRENTLY forbids: writers go on meanwhile.
        await db.alone(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        log.info("index of neighbours: building it for %s", model_id)
        await db.alone(
            f"CREATE INDEX CONCURRENTLY {name} ON served USING hnsw"
            f" (CAST(e AS {schema}.halfvec({dimension:d})) {schema}.halfvec_ip_ops)"
            f" WITH (ef_construction = {_EF_CONSTRUCTION}) WHERE {is_shared(model_id)}",
            memory_mb=_memory_mb(count, dimension),
        )
        await db.alone("ANALYZE served")
        log.info("index of neighbours: built for %s", model_id)
    finally:
        await lease.release()
    return True


def _memory_mb(count: int, dimension: int) -> int:
    """Return the memory of a build, which is far slower once its graph does not fit: 64..2048."""
    return min(2_048, max(64, count * (2 * dimension + 512) // 2**20))


async def _is_valid(db: PostgresDatabase, name: str) -> bool:
    row = await db.one("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", (name,))
    return row is not None and bool(row[0])
