"""Analysis of the nearest track for the picture of a response: cached, or of its indexed file."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from bot.recommender import Recommender
from db.connection import Database
from db.folders import registered, within
from db.ingest.presence import is_file_source
from db.sections import split_source
from db.tracks import LIBRARY
from genrec.errors import GenrecError
from genrec.types import Analysis, Analyzer, Neighbour, Track

log = logging.getLogger(__name__)

WAIT_S = 3.0  # an answer without this picture is better than a late one
_KEPT = 256


class NearestTrack:
    """Analyses the nearest track, one at a time, so that clips keep most workers.

    Only a track of a file that is indexed, or one whose analysis is cached, has a picture: the
    starter catalogue has no sound and no preview. The last analyses are kept in memory.
    """

    def __init__(self, *, pool: Analyzer, db: Database, recommender: Recommender) -> None:
        self._pool = pool
        self._db = db
        self._recommender = recommender
        self._one = asyncio.Semaphore(1)
        self._kept: OrderedDict[tuple[int, str], Analysis] = OrderedDict()

    async def analysis(self, tracks: Sequence[Neighbour]) -> Analysis | None:
        """Return the analysis of the first track, or None if there is none within `WAIT_S`."""
        if not tracks or self._one.locked():
            return None
        track = tracks[0].track
        key = (track.id, track.source)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            async with self._one, asyncio.timeout(WAIT_S):
                found = await self._find(track)
        except (GenrecError, TimeoutError, OSError) as error:
            log.info("no picture of the nearest track: track %d: %s", track.id, error)
            return None
        if found is not None:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    async def _find(self, track: Track) -> Analysis | None:
        model_id = self._recommender.preset.model_id
        content = await self._recommender.catalogue.content(model_id, track.id)
        cached = await self._recommender.cached(content) if content else None
        if cached is not None or track.scope != LIBRARY or not is_file_source(track.source):
            return cached
        path, section = split_source(track.source)
        if not _is_inside(path, await registered(self._db, LIBRARY)):
            return None
        return await self._pool.analyze(Path(path), section)


def _is_inside(path: str, folders: Sequence[str]) -> bool:
    """Return whether a path, without its "..", is inside one of the folders."""
    return any(within(os.path.normpath(path), folder) for folder in folders)
