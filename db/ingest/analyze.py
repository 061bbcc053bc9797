"""One music file becomes a track, new or known by its content, or a failure with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.connection import Database
from db.generations import KnownTrack, NewTrack
from db.ingest.failures import Failure
from db.ingest.scan import FileStamp, file_sha256, file_stamp
from db.tags import Tags, match_label, read_tags
from genrec.errors import (
    Busy,
    CatalogueError,
    DataError,
    FileMissing,
    GenrecError,
    InputRefused,
    ModelMismatch,
    PoolClosed,
    PresetError,
    WorkerCrashed,
    WorkerUnavailable,
)
from genrec.types import Analysis, Analyzer

# Not a file's fault: these end the run, and the next one resumes it.
_FATAL = (PoolClosed, WorkerUnavailable, PresetError, CatalogueError, DataError)
# A file's fault: remembered until the file changes. A timeout may have been the machine's.
_LASTING = (InputRefused, WorkerCrashed)
_LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file; ``content`` is empty where it could not be read."""

    path: str
    content: str
    result: NewTrack | KnownTrack | Failure


class FileAnalyzer:
    """Hears the files of one run. Whoever has kept outcomes says so with ``kept``."""

    def __init__(
        self,
        db: Database,
        analyzer: Analyzer,
        folder: Path,
        model_id: str,
        labels: Sequence[str],
    ) -> None:
        self._db = db
        self._analyzer = analyzer
        self._folder = folder
        self._model_id = model_id
        self._labels = labels
        # Contents in work: of two copies of a file, the second waits until the first is kept.
        self._in_work: dict[str, asyncio.Event] = {}

    async def hear(self, path: str) -> FileOutcome:
        """Make a track of a file; what is not the file's fault is raised."""
        before, content = FileStamp(0, 0), ""
        try:
            before = await asyncio.to_thread(file_stamp, path)
            content = await asyncio.to_thread(file_sha256, path)
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

    def kept(self, outcomes: Iterable[FileOutcome]) -> None:
        """Let the copies of these files go on: what could be kept of them is in the database."""
        for outcome in outcomes:
            if (event := self._in_work.pop(outcome.content, None)) is not None:
                event.set()

    async def _track(self, path: str, before: FileStamp, content: str) -> NewTrack | KnownTrack:
        while (first := self._in_work.get(content)) is not None:
            await first.wait()
        self._in_work[content] = asyncio.Event()
        tags = await asyncio.to_thread(read_tags, Path(path), self._folder, self._labels)
        heard = await self._db.one(
            "SELECT heard FROM embedding WHERE content = ? AND model_id = ?",
            (content, self._model_id),
        )
        if heard is not None:
            genre, label = self._genre(tags, heard[0])
            return KnownTrack(
                tags.title, tags.artist, genre, label, path, content,
                size=before.size, mtime_ns=before.mtime_ns,
            )  # fmt: skip
        analysis = await self._analyze(Path(path))
        if await asyncio.to_thread(file_stamp, path) != before:
            raise GenrecError("The file changed while it was read: index the folder again.")
        top = analysis.scores[0].label if analysis.scores else ""
        genre, label = self._genre(tags, top)
        return NewTrack(
            tags.title, tags.artist, genre, analysis.embedding, analysis.fingerprint, path, content,
            label, top, analysis.duration_s, size=before.size, mtime_ns=before.mtime_ns,
        )  # fmt: skip

    def _genre(self, tags: Tags, heard: str) -> tuple[str, str]:
        """Return the genre to show and the preset's genre to filter by; the tag goes first."""
        tagged = match_label(tags.genre, self._labels)
        return tagged or tags.genre or heard, tagged or heard

    async def _analyze(self, path: Path) -> Analysis:
        """Analyse a file, waiting for room where others fill the queue."""
        pause_s = 0.05
        analysis: Analysis | None = None
        while analysis is None:
            try:
                analysis = await self._analyzer.analyze(path)
            except Busy:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if analysis.model_id != self._model_id:
            raise ModelMismatch(
                f"The workers run the model {analysis.model_id}, and {self._model_id} was asked"
                " for: restart them with the preset you want."
            )
        return analysis
