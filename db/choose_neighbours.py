"""Choice of what finds neighbours: the matrix in memory, or pgvector on PostgreSQL."""

from __future__ import annotations

import logging

from db.connection import Database
from db.matrix import MatrixNeighbours
from db.neighbours import Neighbours
from db.served import is_filled, open_served, vector_schema

log = logging.getLogger(__name__)

MANY_TRACKS = 200_000
"""Tracks of a model from which on a server without pgvector is worth a warning."""


async def choose_neighbours(db: Database, model_id: str, *, fill: bool = False) -> Neighbours:
    """Return pgvector's neighbours on a PostgreSQL server that has it, else the matrix.

    With ``fill`` the table of served tracks is made where it is missing, which takes minutes in a
    large catalogue; without it the matrix serves until a bot has made it.
    """
    if db.engine == "sqlite":
        return MatrixNeighbours(db, model_id)
    if fill:
        schema = await open_served(db, model_id)
    else:
        schema = await vector_schema(db) if await is_filled(db) else None
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
    if fill and tracks > MANY_TRACKS:
        log.warning(
            "no pgvector: the server %s lacks the extension vector, so each bot holds %d tracks in"
            " memory: install pgvector on the server",
            db.name, tracks,
        )  # fmt: skip
    return MatrixNeighbours(db, model_id)


async def prepare_neighbours(db: Database) -> None:
    """Fill the table of served tracks and build the graphs of all models, where pgvector is."""
    models = await db.all("SELECT DISTINCT model_id FROM generation WHERE state = 'active'")
    if db.engine == "sqlite" or not models:
        return
    schema = await open_served(db, models[0][0])
    if schema is None:
        return
    # Imported here: without PostgreSQL asyncpg may be missing.
    from db.pgvector_index import build_index  # noqa: PLC0415
    from db.postgres import PostgresDatabase  # noqa: PLC0415

    assert isinstance(db, PostgresDatabase)
    for (model_id,) in models:
        await build_index(db, model_id, schema)
