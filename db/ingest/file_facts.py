"""Read what a run needs of one file: stamp, SHA-256, tags, and the analysis of unknown bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.ingest.cue import CueSong
from db.ingest.scan import FileStamp, file_sha256, file_stamp, song_stamp
from db.quality import UNKNOWN_QUALITY, FileQuality, file_quality
from db.sections import fragment
from db.tags import Tags, read_tags, song_tags
from genrec.errors import (
    Busy,
    CatalogueError,
    ClusterLost,
    DataError,
    FileMissing,
    GenrecError,
    InputRefused,
    PoolClosed,
    PresetError,
    WorkerCrashed,
    WorkerUnavailable,
)
from genrec.types import Analysis, Analyzer

FATAL = (PoolClosed, WorkerUnavailable, ClusterLost, PresetError, CatalogueError, DataError)
"""Errors that no file causes: they end the run, and the next run resumes it."""

# Caused by the file: stored until the file changes. A timeout may be the machine's fault.
_LASTING = (InputRefused, WorkerCrashed)
_MAX_PAUSE_S = 2.0
_MAX_ALBUMS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """A file to read; ``path`` is its source.

    ``song`` is what an album file has at that source. ``content`` is the SHA-256 of the file if its
    stamp is still ``stamp``, or empty.
    """

    path: str
    song: CueSong | None = None
    stamp: FileStamp | None = None
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """Stamp, content, tags and analysis of a file, or the error.

    ``content`` is its SHA-256, or empty if it could not be read. Without an ``error``, ``tags`` are
    set, and ``analysis`` too unless the content is known. A ``lasting`` error stays until the file
    changes.
    """

    path: str
    stamp: FileStamp
    content: str = ""
    tags: Tags | None = None
    analysis: Analysis | None = None
    quality: FileQuality = UNKNOWN_QUALITY
    error: GenrecError | None = None
    lasting: bool = False


class FactsReader:
    """Reads the files of one run, on the machine that has the disk.

    ``folder`` is the music folder, ``labels`` are the preset's genres.
    """

    def __init__(self, analyzer: Analyzer, folder: Path, labels: Sequence[str]) -> None:
        self._analyzer, self._folder, self._labels = analyzer, folder, labels
        # SHA-256 of album files, each read once for all its songs.
        self._albums: dict[tuple[str, FileStamp], asyncio.Task[str]] = {}

    async def read(self, order: FileOrder, is_known: Callable[[str], Awaitable[bool]]) -> FileFacts:
        """Return the facts of a file; errors that are not caused by the file are raised.

        ``is_known`` tells whether a content needs no analysis.
        """
        path, before, content = order.path, FileStamp(0, 0), ""
        try:
            before = await self._stamp(order)
            content = await self._content(order, before)
            known = await is_known(content)
            tags = await asyncio.to_thread(self._tags, order)
            if known:
                return FileFacts(path=path, stamp=before, content=content, tags=tags)
            analysis = await self._analyze(order)
            if await self._stamp(order) != before:
                raise GenrecError(
                    f"The file {path} changed while it was read: index the folder again."
                )
            quality = await asyncio.to_thread(file_quality, Path(path), analysis.duration_s)
            return FileFacts(
                path=path, stamp=before, content=content, tags=tags, analysis=analysis,
                quality=quality,
            )  # fmt: skip
        except FATAL:
            raise
        except GenrecError as error:
            lasting = isinstance(error, _LASTING)
            return FileFacts(path=path, stamp=before, content=content, error=error, lasting=lasting)
        except OSError as error:
            missing = FileMissing(f"The file cannot be read ({error.strerror}).")
            return FileFacts(path=path, stamp=before, content=content, error=missing)

    async def _stamp(self, order: FileOrder) -> FileStamp:
        if order.song is not None:
            return await asyncio.to_thread(song_stamp, order.song)
        return await asyncio.to_thread(file_stamp, order.path)

    async def _content(self, order: FileOrder, stamp: FileStamp) -> str:
        """Return the SHA-256 of a file; for a song of an album file, with the section."""
        if order.content and order.stamp == stamp:
            return order.content
        song = order.song
        if song is None:
            return await asyncio.to_thread(file_sha256, order.path)
        key = (song.path, stamp)
        if key not in self._albums:
            if len(self._albums) >= _MAX_ALBUMS:
                del self._albums[next(iter(self._albums))]
            hashing = asyncio.to_thread(file_sha256, song.path)
            self._albums[key] = asyncio.create_task(hashing)
        return await asyncio.shield(self._albums[key]) + fragment(song.section)

    def _tags(self, order: FileOrder) -> Tags:
        song = order.song
        if song is None:
            return read_tags(Path(order.path), self._folder, self._labels)
        return song_tags(Path(song.path), self._folder, song.fields, self._labels)

    async def _analyze(self, order: FileOrder) -> Analysis:
        """Analyse a file; while the queue is full, retry with growing pauses."""
        pause_s = 0.05
        while True:
            try:
                if (song := order.song) is not None:
                    return await self._analyzer.analyze(Path(song.path), song.section)
                return await self._analyzer.analyze(Path(order.path))
            except Busy:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
