"""Open database, worker pool and recommender, without Discord: for the bot and the CLI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot.config import Settings
from bot.locations import find_preset
from bot.recommender import Recommender
from db.choose_neighbours import choose_neighbours
from db.connection import Database, open_db
from db.starter_scope import replace_starter
from db.tracks import LIBRARY, outdated_tracks
from db.unused_models import model_in_use
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)

OpenPool = Callable[[Settings, Preset], AbstractAsyncContextManager[AnalysisPool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The opened preset, database, worker pool and recommender, with their settings."""

    settings: Settings
    preset: Preset
    db: Database
    pool: AnalysisPool
    recommender: Recommender

    @property
    def music_below(self) -> float:
        """Probability of music below which files are not indexed; 0 indexes all."""
        keeps_all = self.settings.keep_non_music
        return 0.0 if keeps_all else self.preset.calibration.music_below


@asynccontextmanager
async def open_catalogue(settings: Settings) -> AsyncIterator[tuple[Preset, Database]]:
    """Open preset and database, add the starter catalogue, and yield both."""
    preset = await asyncio.to_thread(Preset.load, find_preset(settings.preset))
    async with open_db(settings.database) as db:
        starter = await asyncio.to_thread(preset.starter)
        if starter is not None:
            await replace_starter(db, preset.model_id, starter)
        yield preset, db


@asynccontextmanager
async def open_recommender(
    settings: Settings, *, workers: int = 0, open_pool: OpenPool | None = None
) -> AsyncIterator[Resources]:
    """Open the resources and yield them; ``workers`` overrides the setting, tests pass a pool."""
    async with AsyncExitStack() as stack:
        preset = await asyncio.to_thread(Preset.load, find_preset(settings.preset))
        db = await stack.enter_async_context(open_db(settings.database))
        if open_pool is None:
            pool = AnalysisPool(
                preset.folder,
                workers=workers or settings.workers,
                queue=settings.queue,
                timeout_s=settings.analysis_timeout_s,
                max_analyzed_s=settings.analyzed_s,
                runtime=settings.runtime,
                expected_model_id=preset.model_id,
            )
            await stack.enter_async_context(pool)
        else:
            pool = await stack.enter_async_context(open_pool(settings, preset))
        index = await choose_neighbours(db, preset.model_id, fill=True)
        recommender = Recommender(pool=pool, database=db, preset=preset, index=index)
        await recommender.open()
        if outdated := outdated_sentence(await outdated_tracks(db, preset.model_id)):
            log.warning("tracks of another model: %s", outdated)
        await stack.enter_async_context(model_in_use(db, preset.model_id))
        await stack.enter_async_context(recommender.index.maintained())
        yield Resources(settings=settings, preset=preset, db=db, pool=pool, recommender=recommender)


def outdated_sentence(tracks: Mapping[str, int]) -> str:
    """Return what to do about the tracks of `outdated_tracks`; "" if there are none."""
    own = tracks.get(LIBRARY, 0)
    guilds = [scope for scope in tracks if scope != LIBRARY]
    counts = [f"{own:,} of the library"] if own else []
    if guilds:
        total = sum(tracks[scope] for scope in guilds)
        counts.append(f"{total:,} of {len(guilds):,} Discord servers")
    ways = ["run `genrec index`"] if own else []
    ways += ["let an admin of each server run /reindex"] if guilds else []
    if not counts:
        return ""
    return (
        f"another preset analysed {' and '.join(counts)}, so these tracks are not recommended;"
        f" {' and '.join(ways)} to analyse them again."
    )
