"""Delete the database rows of models that have not been used for 30 days."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db import generations
from db.analyses import AnalysisCache
from db.connection import Database, SqlSession
from db.ingest.failures import delete_models_failures
from db.key_values import SET_VALUE
from db.tracks import Catalogue
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

# Long enough to try another preset, or to return to the one before an update, without a new index.
UNUSED_AFTER_S = 30 * 86_400.0
_INTERVAL_S = 86_400.0
_KEY = "models_last_used"


@asynccontextmanager
async def model_in_use(db: Database, model_id: str) -> AsyncIterator[None]:
    """Run ``delete_unused_models`` at once and then daily, in the background of the block."""
    task = asyncio.create_task(_daily(db, model_id))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def delete_unused_models(db: Database, model_id: str, *, now: float | None = None) -> None:
    """Record that ``model_id`` is in use, and delete rows of models unused for 30 days.

    Cached analyses, stored failures, and tracks of the library and starter scopes are deleted,
    because all of them can be computed again. A guild's track is deleted only if the guild has it
    for another model that stays: /reindex needs the old row to analyse the track again from its
    link. A guild's track without a link stays, because its audio is not stored. For a model without
    a record, from an older genrec, the 30 days begin now. ``now`` is in seconds since 1970, for
    tests.
    """
    now = time.time() if now is None else now
    async with db.transaction(lock=_KEY) as tx:
        last_used = await _load(tx)
        # A time in the future comes from a wrong clock.
        last_used = {model: min(last_used.get(model, now), now) for model in await _models(tx)} | {
            model_id: now
        }
        await tx.run(SET_VALUE, (_KEY, json.dumps(last_used)))
    unused = [model for model, used in last_used.items() if now - used > UNUSED_AFTER_S]
    if unused:
        log.info("deleting rows of unused models: %s", ", ".join(unused))
        await AnalysisCache(db).delete_models(unused)
        await delete_models_failures(db, unused)
        await Catalogue(db).delete_models(unused)
    if await db.number("SELECT count(*) FROM generation WHERE state = 'retired'"):
        await generations.sweep(db)  # also after a pass that was cancelled


async def _daily(db: Database, model_id: str) -> None:
    while True:
        try:
            await delete_unused_models(db, model_id)
        except CatalogueError as error:
            log.warning("deletion of unused models failed, next try in a day: %s", error)
        await asyncio.sleep(_INTERVAL_S)


async def _load(tx: SqlSession) -> dict[str, float]:
    row = await tx.one("SELECT value FROM kept_value WHERE name = ?", (_KEY,))
    return {} if row is None else dict(json.loads(row[0]))


async def _models(tx: SqlSession) -> list[str]:
    rows = await tx.all(
        "SELECT model_id FROM generation WHERE state <> 'retired' UNION"
        " SELECT model_id FROM analysis UNION SELECT model_id FROM failure"
    )
    return [model for (model,) in rows]
