"""Analyse one file of a music folder: the outcome is a new track, a known track or a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.connection import Database
from db.generations import KnownTrack, NewTrack
from db.ingest.cue import CueSong
from db.ingest.failures import Failure
from db.ingest.scan import FileStamp, file_sha256, file_stamp, song_stamp
from db.quality import file_quality
from db.sections import fragment
from db.tags import Tags, match_label, read_tags, song_tags
from db.vectors import is_sound_vector
from genrec.errors import (
    Busy,
    CatalogueError,
    DataError,
    FileMissing,
    GenrecError,
    InputRefused,
    ModelMismatch,
    NoMusic,
    PoolClosed,
    PresetError,
    WorkerCrashed,
    WorkerUnavailable,
)
from genrec.types import Analysis, Analyzer

# Not caused by the file: these end the run, and the next run resumes it.
_FATAL = (PoolClosed, WorkerUnavailable, PresetError, CatalogueError, DataError)
# Caused by the file: stored until the file changes. A timeout may be the machine's fault.
_LASTING = (InputRefused, WorkerCrashed)
_MAX_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """Result for one file; ``content`` is its SHA-256, or empty if it could not be read."""

    path: str
    content: str
    result: NewTrack | KnownTrack | Failure


class FileAnalyzer:
    """Analyses the files of one run; the caller stores the outcomes and then calls ``release``."""

    def __init__(
        self,
        db: Database,
        analyzer: Analyzer,
        folder: Path,
        model_id: str,
        labels: Sequence[str],
        dimension: int,
        *,
        songs: Mapping[str, CueSong] | None = None,
        contents: Mapping[tuple[str, FileStamp], str] | None = None,
        music_below: float = 0.0,
        describe: bool = False,
    ) -> None:
        self._db = db
        self._analyzer = analyzer
        self._folder = folder
        self._model_id = model_id
        self._labels = labels
        self._dimension = dimension
        self._songs = songs or {}
        # SHA-256 of unchanged files, by path and stamp.
        self._contents = contents or {}
        # SHA-256 of album files, each read once for all its songs.
        self._albums: dict[tuple[str, FileStamp], asyncio.Task[str]] = {}
        self._music_below = music_below
        self._describe = describe
        # Contents in work. The second of two copies waits until the first is stored.
        self._in_work: dict[str, asyncio.Event] = {}

    async def analyze(self, path: str) -> FileOutcome:
        """Return the outcome for a file; errors that are not caused by the file are raised."""
        before, content = FileStamp(0, 0), ""
        try:
            before = await self._stamp(path)
            content = await self._content(path, before)
            return FileOutcome(path, content, await self._track(path, before, content))
        except _FATAL:
            raise
        except GenrecError as error:
            lasting = isinstance(error, _LASTING)
            failure = Failure(path, before, error.code, str(error), lasting=lasting)
            return FileOutcome(path, content, failure)
        except OSError as error:
            reason = f"The file cannot be read ({error.strerror})."
            failure = Failure(path, before, FileMissing.code, reason, lasting=False)
            return FileOutcome(path, content, failure)

    def release(self, outcomes: Iterable[FileOutcome]) -> None:
        """Resume copies of these files, because their outcomes are stored."""
        for outcome in outcomes:
            if (event := self._in_work.pop(outcome.content, None)) is not None:
                event.set()

    async def _track(self, path: str, before: FileStamp, content: str) -> NewTrack | KnownTrack:
        while (first := self._in_work.get(content)) is not None:
            await first.wait()
        self._in_work[content] = asyncio.Event()
        tags = await asyncio.to_thread(self._tags, path)
        # A genre tag takes precedence over the predicted genre.
        tagged = match_label(tags.genre, self._labels)
        genre = tagged or tags.genre
        row = await self._db.one(
            "SELECT heard, vector, description IS NULL FROM embedding"
            " WHERE content = ? AND model_id = ?",
            (content, self._model_id),
        )
        is_known = row is not None and is_sound_vector(row[1], self._dimension)
        if row is not None and is_known and not (self._describe and row[2]):
            predicted = row[0]
            return KnownTrack(
                title=tags.title,
                artist=tags.artist,
                genre=genre or predicted,
                label=tagged or predicted,
                source=path,
                content=content,
                size=before.size,
                mtime_ns=before.mtime_ns,
                tagged=bool(genre),
                details=tags.details,
            )
        analysis = await self._analyze(path)
        if await self._stamp(path) != before:
            raise GenrecError(f"The file {path} changed while it was read: index the folder again.")
        require_music(analysis, self._music_below)
        track = NewTrack.of(
            analysis,
            title=tags.title,
            artist=tags.artist,
            genre=genre,
            label=tagged,
            source=path,
            content=content,
            size=before.size,
            mtime_ns=before.mtime_ns,
        )
        quality = await asyncio.to_thread(file_quality, Path(path), analysis.duration_s)
        return replace(track, details=tags.details, quality=quality)

    async def _stamp(self, path: str) -> FileStamp:
        song = self._songs.get(path)
        if song is not None:
            return await asyncio.to_thread(song_stamp, song)
        return await asyncio.to_thread(file_stamp, path)

    async def _content(self, path: str, stamp: FileStamp) -> str:
        """Return the SHA-256 of a file; for a song of an album file, with the section."""
        if (known := self._contents.get((path, stamp))) is not None:
            return known
        song = self._songs.get(path)
        if song is None:
            return await asyncio.to_thread(file_sha256, path)
        key = (song.path, stamp)
        if key not in self._albums:
            hashing = asyncio.to_thread(file_sha256, song.path)
            self._albums[key] = asyncio.create_task(hashing)
        return await asyncio.shield(self._albums[key]) + fragment(song.section)

    def _tags(self, path: str) -> Tags:
        song = self._songs.get(path)
        if song is None:
            return read_tags(Path(path), self._folder, self._labels)
        return song_tags(Path(song.path), self._folder, song.fields, self._labels)

    async def _analyze(self, path: str) -> Analysis:
        """Analyse a file; while the queue is full, retry with growing pauses."""
        pause_s = 0.05
        analysis: Analysis | None = None
        while analysis is None:
            try:
                if (song := self._songs.get(path)) is not None:
                    analysis = await self._analyzer.analyze(Path(song.path), song.section)
                else:
                    analysis = await self._analyzer.analyze(Path(path))
            except Busy:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        if analysis.model_id != self._model_id:
            raise ModelMismatch(
                f"The workers run the model {analysis.model_id} and not {self._model_id}: restart"
                " genrec with the preset you want."
            )
        return analysis


def require_music(analysis: Analysis, music_below: float) -> None:
    """Raise NoMusic if the probability of music is below a threshold."""
    if analysis.music < music_below:
        raise NoMusic(
            f"This file seems to contain no music (probability {analysis.music:.2f}, limit"
            f" {music_below:.2f}). Set GENREC_KEEP_NON_MUSIC=on to index it."
        )
