"""Analysis of the nearest track for the picture of a response: cached, or of its indexed file."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bot.recommender import Recommender
from db.connection import Database
from db.folders import is_indexed_path, registered
from db.ingest.presence import is_file_source
from db.sections import split_source
from db.tracks import LIBRARY
from genrec.errors import Busy, GenrecError
from genrec.types import Analysis, Analyzer, Neighbour, Track

log = logging.getLogger(__name__)

WAIT_S = 3.0  # an answer without this picture is better than a late one
FAILURE_KEPT_S = 600.0
_KEPT = 256


class ClipPool(Analyzer, Protocol):
    """An analyzer that says how many clips wait for it."""

    @property
    def waiting(self) -> int:
        """Number of clips that wait for a worker."""
        ...


class NearestTrack:
    """Analyses the nearest track, one at a time, and only while no clip waits for a worker.

    Only a track of a file that is indexed, or one whose analysis is cached, has a picture: the
    starter catalogue has no sound and no preview. The last analyses are kept in memory, and
    failures for `FAILURE_KEPT_S`.
    """

    def __init__(self, *, pool: ClipPool, db: Database, recommender: Recommender) -> None:
        self._pool = pool
        self._db = db
        self._recommender = recommender
        self._running: asyncio.Task[Analysis | None] | None = None
        # Of each track: the analysis, or None, and the time until which that counts.
        self._kept: OrderedDict[tuple[int, str], tuple[Analysis | None, float]] = OrderedDict()

    async def analysis(self, tracks: Sequence[Neighbour]) -> Analysis | None:
        """Return the analysis of the first track, or None if there is none within `WAIT_S`.

        An analysis that takes longer goes on, since a cancelled one costs its worker process; the
        next response has it.
        """
        if not tracks:
            return None
        track = tracks[0].track
        key = (track.id, track.source)
        found, until = self._kept.get(key, (None, 0.0))
        if time.monotonic() < until:
            self._kept.move_to_end(key)
            return found
        if self._running is not None:
            return None
        self._running = asyncio.create_task(self._analyze(track))
        self._running.add_done_callback(self._ended)
        done, _ = await asyncio.wait({self._running}, timeout=WAIT_S)
        return next((task.result() for task in done), None)

    def _ended(self, _: asyncio.Task[Analysis | None]) -> None:
        self._running = None

    async def _analyze(self, track: Track) -> Analysis | None:
        """Return the track's analysis or None, and keep an analysis or a failure."""
        found, until = None, math.inf
        try:
            found = await self._find(track)
        except (GenrecError, OSError) as error:
            log.info("no picture of the nearest track: track %d: %s", track.id, error)
            until = 0.0 if isinstance(error, Busy) else time.monotonic() + FAILURE_KEPT_S
        if found is not None or math.isfinite(until):
            self._kept[track.id, track.source] = found, until
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
        if not is_indexed_path(path, await registered(self._db, LIBRARY)):
            return None
        if self._pool.waiting:  # a clip is more urgent
            return None
        return await self._pool.analyze(Path(path), section)
