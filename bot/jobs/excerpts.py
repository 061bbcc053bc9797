"""Excerpts of the operator's indexed files: cut by a worker, and kept in memory for a while."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from bot.errors import RequestDeclined
from db.connection import Database
from db.folders import is_indexed_path, registered
from db.ingest.presence import is_file_source
from db.sections import split_source
from db.tracks import LIBRARY
from genrec.errors import Busy, GenrecError, InputRefused
from genrec.types import Section, SoundExcerpt, Track

log = logging.getLogger(__name__)

EXCERPT_S = 15.0
MAX_WAITING = 20
_STAT_S = 2.0
_MAX_CACHED_BYTES = 16 * 2**20
_Key = tuple[str, int, int]  # source, and size and time of the file


class ExcerptPool(Protocol):
    """Pool of workers that cut excerpts."""

    async def excerpt(
        self, path: Path, section: Section | None = None, *, seconds: float
    ) -> SoundExcerpt:
        """Return an excerpt of a file."""


class Excerpts:
    """Cuts excerpts of library tracks, one at a time, so that analyses keep most workers.

    Nothing is written to disk. The last excerpts are kept in memory, up to 16 MiB. Without
    ``enabled``, which is the operator's choice because of rights, there are none.
    """

    def __init__(self, *, pool: ExcerptPool, db: Database, enabled: bool) -> None:
        self._pool = pool
        self._db = db
        self._enabled = enabled
        self._one = asyncio.Semaphore(1)
        self._users: set[int] = set()  # that run or wait
        self._kept: OrderedDict[_Key, SoundExcerpt] = OrderedDict()
        self._kept_bytes = 0

    def offered(self, tracks: Iterable[Track]) -> bool:
        """Return whether a Listen button makes sense for one of these tracks."""
        return self._enabled and any(map(_has_file, tracks))

    async def cut(self, tracks: Sequence[Track], *, user_id: int) -> list[SoundExcerpt | None]:
        """Return an excerpt of each track; None for one without a file that can be read.

        Raises
        ------
        RequestDeclined
            The user's earlier excerpts are not cut yet.
        Busy
            Too many excerpts are waiting.
        GenrecError
            No excerpt could be cut, because of the workers.
        """
        if user_id in self._users:
            raise RequestDeclined("own_excerpts_waiting")
        if len(self._users) >= MAX_WAITING:
            raise Busy("Too many excerpts are waiting. Try again in a minute.")
        self._users.add(user_id)
        try:
            async with self._one:
                return await self._cut(tracks)
        finally:
            self._users.remove(user_id)

    async def _cut(self, tracks: Sequence[Track]) -> list[SoundExcerpt | None]:
        folders = await registered(self._db, LIBRARY) if self._enabled else []
        found: list[SoundExcerpt | None] = []
        failure: GenrecError | None = None
        for track in tracks:
            try:
                found.append(await self._one_of(track, folders))
            except InputRefused as error:
                log.info("no excerpt: track %d: %s", track.id, error.code)
                found.append(None)
            except GenrecError as error:
                log.warning("no excerpt: track %d: %s", track.id, error)
                failure = error
                found.append(None)
        if failure is not None and not any(found):
            raise failure
        return found

    async def _one_of(self, track: Track, folders: Sequence[str]) -> SoundExcerpt | None:
        path, section = split_source(track.source)
        if not _has_file(track) or not is_indexed_path(path, folders):
            return None
        try:
            async with asyncio.timeout(_STAT_S):  # a network disk may hang
                status = await asyncio.to_thread(os.stat, path)
        except OSError:  # also a TimeoutError
            return None
        key = (track.source, status.st_size, status.st_mtime_ns)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        excerpt = await self._pool.excerpt(Path(path), section, seconds=EXCERPT_S)
        self._keep(key, excerpt)
        return excerpt

    def _keep(self, key: _Key, excerpt: SoundExcerpt) -> None:
        self._kept[key] = excerpt
        self._kept_bytes += len(excerpt.mp3)
        while self._kept_bytes > _MAX_CACHED_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest.mp3)


def _has_file(track: Track) -> bool:
    """Return whether a track is the operator's and has a sound file."""
    return track.scope == LIBRARY and is_file_source(track.source)
