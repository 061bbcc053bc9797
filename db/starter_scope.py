"""A preset's starter catalogue, served as tracks like all others."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np

from db import generations
from db.connection import Database
from db.generations import NewTrack
from db.tracks import STARTER
from genrec.errors import CatalogueError
from genrec.preset import StarterCatalogue


async def replace_starter(db: Database, model_id: str, starter: StarterCatalogue) -> bool:
    """Serve this starter catalogue, switched in one transaction; return whether it is another."""
    if not starter.names:
        raise CatalogueError("The preset's starter catalogue is empty: install the preset again.")
    digest = await asyncio.to_thread(_digest, starter)
    served = await db.one(
        "SELECT digest FROM generation WHERE scope = ? AND model_id = ? AND state = 'active'",
        (STARTER, model_id),
    )
    if served and served[0] == digest:
        return False
    dimension = int(starter.embeddings.shape[-1])
    async with db.transaction(durable=True) as tx:
        generation = await generations.ensure(tx, STARTER, model_id, dimension, "building")
        await generations.put(tx, generation, starter_tracks(starter))
        await generations.activate(tx, generation, digest)
    await generations.sweep(db)
    return True


def starter_tracks(starter: StarterCatalogue) -> list[NewTrack]:
    """Turn a starter catalogue's columns into tracks."""
    columns = zip(
        starter.names, starter.titles, starter.artists, starter.genres,
        starter.embeddings, starter.fingerprints, strict=True,
    )  # fmt: skip
    return [
        NewTrack(title or name, artist, genre, embedding, print_, source=f"{STARTER}:{name}")
        for name, title, artist, genre, embedding, print_ in columns
    ]


def _digest(starter: StarterCatalogue) -> str:
    digest = hashlib.sha256()
    for column in (starter.names, starter.titles, starter.artists, starter.genres):
        digest.update(repr(column).encode())
    digest.update(np.ascontiguousarray(starter.embeddings).tobytes())
    digest.update(np.ascontiguousarray(starter.fingerprints).tobytes())
    return digest.hexdigest()
