"""Choice of what finds neighbours: the matrix in memory, or pgvector on PostgreSQL."""

from __future__ import annotations

import logging

from db.connection import Database
from db.matrix import MatrixNeighbours
from db.neighbours import Neighbours
from db.served import open_served

log = logging.getLogger(__name__)

MANY_TRACKS = 200_000
"""Tracks of a model from which on a server without pgvector is worth a warning."""


async def choose_neighbours(db: Database, model_id: str) -> Neighbours:
    """Return pgvector's neighbours on a PostgreSQL server that has it, else the matrix."""
    if db.engine == "sqlite":
        return MatrixNeighbours(db, model_id)
    schema = await open_served(db, model_id)
    if schema is not None:
        # Imported here: without PostgreSQL asyncpg may be missing.
        from db.pgvector import PgNeighbours  # noqa: PLC0415
        from db.postgres import PostgresDatabase  # noqa: PLC0415

        assert isinstance(db, PostgresDatabase)
        return PgNeighbours(db, model_id, schema)
    tracks = await db.number(
        "SELECT coalesce(sum(tracks), 0) FROM generation WHERE state = 'active' AND model_id = ?",
        (model_id,),
    )
    if tracks > MANY_TRACKS:
        log.warning(
            "no pgvector: the server %s lacks the extension vector, so each bot holds %d tracks in"
            " memory: install pgvector on the server",
            db.name, tracks,
        )  # fmt: skip
    return MatrixNeighbours(db, model_id)
