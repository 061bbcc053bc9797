"""Store a preset's starter catalogue as the tracks of the scope ``starter``."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from operator import itemgetter

import numpy as np

from db import generations
from db.connection import Database
from db.damaged import damaged_tracks
from db.details import TrackDetails
from db.generations import CATALOGUE, NewTrack
from db.tracks import STARTER
from genrec.errors import CatalogueError
from genrec.preset import StarterCatalogue

log = logging.getLogger(__name__)


async def replace_starter(db: Database, model_id: str, starter: StarterCatalogue) -> bool:
    """Make this starter catalogue the active one; return whether it was written.

    It is not written if it is active and undamaged, or if the repair of a damaged one failed, which
    is logged.
    """
    if not starter.names:
        raise CatalogueError("The preset's starter catalogue is empty: install the preset again.")
    digest = await asyncio.to_thread(_digest, starter)
    active = await db.one(
        "SELECT digest FROM generation WHERE scope = ? AND model_id = ? AND state = 'active'",
        (STARTER, model_id),
    )
    if active and active[0] == digest:
        if not await damaged_tracks(db, model_id, STARTER):
            return False
        try:
            await _write(db, model_id, starter, digest)
        except CatalogueError as error:
            # The undamaged tracks can still be served.
            log.warning("starter catalogue not repaired: %s", error)
            return False
        return True
    await _write(db, model_id, starter, digest)
    return True


async def _write(db: Database, model_id: str, starter: StarterCatalogue, digest: str) -> None:
    dimension = int(starter.embeddings.shape[-1])
    async with db.transaction(durable=True, lock=CATALOGUE) as tx:
        generation = await generations.ensure(tx, STARTER, model_id, dimension, "building")
        await generations.put(tx, generation, _tracks(starter))
        await generations.activate(tx, generation, digest)
    await generations.sweep(db)


def _tracks(starter: StarterCatalogue) -> list[NewTrack]:
    columns = zip(
        starter.names, starter.titles, starter.artists, starter.genres,
        starter.embeddings, starter.fingerprints, strict=True,
    )  # fmt: skip
    return [
        NewTrack(
            title=title or name,
            artist=artist,
            genre=genre,
            embedding=embedding,
            fingerprint=fingerprint,
            source=f"{STARTER}:{name}",
            details=TrackDetails.of(starter.table.get(name, {})),
            description=starter.descriptions.get(name),
        )
        for name, title, artist, genre, embedding, fingerprint in columns
    ]


def _digest(starter: StarterCatalogue) -> str:
    digest = hashlib.sha256()
    for column in (starter.names, starter.titles, starter.artists, starter.genres):
        digest.update(repr(column).encode())
    if starter.table:
        digest.update(repr(sorted(starter.table.items())).encode())
    if starter.descriptions:
        digest.update(repr(sorted(starter.descriptions.items(), key=itemgetter(0))).encode())
    digest.update(np.ascontiguousarray(starter.embeddings).tobytes())
    digest.update(np.ascontiguousarray(starter.fingerprints).tobytes())
    return digest.hexdigest()
