"""Analyse the files of a music folder: each is a new track, a known track or a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from db.connection import Database
from db.generations import KnownTrack, NewTrack
from db.ingest.cue import CueSong
from db.ingest.failures import Failure
from db.ingest.file_facts import FactsReader, FileFacts, FileOrder
from db.ingest.scan import FileStamp
from db.tags import match_label
from db.vectors import is_sound_vector
from genrec.errors import GenrecError, ModelMismatch, NoMusic
from genrec.types import Analysis, Analyzer


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """Result for one file; ``content`` is its SHA-256, or empty if it could not be read."""

    path: str
    content: str
    result: NewTrack | KnownTrack | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """Requirements of a run on its files, as `db.ingest.run.IngestJob` explains.

    ``songs`` are those of album files by source, ``contents`` the SHA-256 of unchanged files by
    path and stamp, and ``stamps`` those of the scan by path.
    """

    folder: Path
    model_id: str
    labels: Sequence[str]
    dimension: int
    music_below: float = 0.0
    describe: bool = False
    songs: Mapping[str, CueSong] = field(default_factory=dict)
    contents: Mapping[tuple[str, FileStamp], str] = field(default_factory=dict)
    stamps: Mapping[str, FileStamp] = field(default_factory=dict)

    def order(self, path: str) -> FileOrder:
        """Return what is to be read of a file."""
        stamp = self.stamps.get(path)
        content = "" if stamp is None else self.contents.get((path, stamp), "")
        return FileOrder(path=path, song=self.songs.get(path), stamp=stamp, content=content)


class FileAnalyzer(Protocol):
    """Analyses the files of one run: in the local pool, or on a cluster.

    The caller stores the outcomes and then calls ``release``.
    """

    @property
    def batch(self) -> int:
        """Number of files in a task."""

    @property
    def concurrency(self) -> int:
        """Number of tasks in work at once."""

    async def analyze(self, paths: Sequence[str]) -> list[FileOutcome]:
        """Return the outcomes for some files; errors that no file causes are raised."""

    def release(self, outcomes: Iterable[FileOutcome], lost: Iterable[KnownTrack]) -> None:
        """Note that outcomes are stored; the embeddings of ``lost`` tracks are gone meanwhile."""


class PoolFileAnalyzer:
    """Analyses files in the pool of this process, one a task."""

    batch = 1

    def __init__(
        self, db: Database, analyzer: Analyzer, rules: FileRules, *, concurrency: int
    ) -> None:
        self._db, self._rules = db, rules
        self._reader = FactsReader(analyzer, rules.folder, rules.labels)
        self.concurrency = concurrency
        # Contents in work. The second of two copies waits until the first is stored.
        self._in_work: dict[str, asyncio.Event] = {}
        self._predicted: dict[str, str] = {}

    async def analyze(self, paths: Sequence[str]) -> list[FileOutcome]:
        """Return the outcomes for some files; errors that no file causes are raised."""
        outcomes = []
        for path in paths:
            facts = await self._reader.read(self._rules.order(path), self._is_known)
            predicted = self._predicted.get(facts.content, "")
            outcomes.append(outcome_of(facts, self._rules, predicted=predicted))
        return outcomes

    def release(self, outcomes: Iterable[FileOutcome], lost: Iterable[KnownTrack]) -> None:  # noqa: ARG002 - the next look reads the database
        """Resume copies of these files, because their outcomes are stored."""
        for outcome in outcomes:
            self._predicted.pop(outcome.content, None)
            if (event := self._in_work.pop(outcome.content, None)) is not None:
                event.set()

    async def _is_known(self, content: str) -> bool:
        while (first := self._in_work.get(content)) is not None:
            await first.wait()
        self._in_work[content] = asyncio.Event()
        row = await self._db.one(
            "SELECT heard, vector, description IS NULL FROM embedding"
            " WHERE content = ? AND model_id = ?",
            (content, self._rules.model_id),
        )
        if row is None or not is_sound_vector(row[1], self._rules.dimension):
            return False
        if self._rules.describe and row[2]:
            return False
        self._predicted[content] = row[0]
        return True


def outcome_of(facts: FileFacts, rules: FileRules, *, predicted: str) -> FileOutcome:
    """Return the outcome for a file.

    ``predicted`` is the predicted genre of a content that is known. ModelMismatch is raised if the
    workers have another model.
    """
    path, content, stamp, error = facts.path, facts.content, facts.stamp, facts.error
    lasting = facts.lasting
    if error is None and facts.analysis is not None:
        _check_model(facts.analysis, rules.model_id)
        try:
            require_music(facts.analysis, rules.music_below)
        except NoMusic as no_music:
            error, lasting = no_music, True
    if error is not None:
        failure = Failure(path, stamp, error.code, str(error), lasting=lasting)
        return FileOutcome(path, content, failure)
    if facts.tags is None:
        raise GenrecError(f"facts.tags=None: expected the tags of {path}")
    return FileOutcome(path, content, _track(facts, rules, predicted))


def _track(facts: FileFacts, rules: FileRules, predicted: str) -> NewTrack | KnownTrack:
    assert facts.tags is not None
    tags, stamp = facts.tags, facts.stamp
    # A genre tag takes precedence over the predicted genre.
    tagged = match_label(tags.genre, rules.labels)
    genre = tagged or tags.genre
    if facts.analysis is None:
        return KnownTrack(
            title=tags.title,
            artist=tags.artist,
            genre=genre or predicted,
            label=tagged or predicted,
            source=facts.path,
            content=facts.content,
            size=stamp.size,
            mtime_ns=stamp.mtime_ns,
            tagged=bool(genre),
            details=tags.details,
        )
    track = NewTrack.of(
        facts.analysis,
        title=tags.title,
        artist=tags.artist,
        genre=genre,
        label=tagged,
        source=facts.path,
        content=facts.content,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
    )
    return replace(track, details=tags.details, quality=facts.quality)


def _check_model(analysis: Analysis, model_id: str) -> None:
    if analysis.model_id != model_id:
        raise ModelMismatch(
            f"The workers run the model {analysis.model_id} and not {model_id}: restart"
            " genrec with the preset you want."
        )


def require_music(analysis: Analysis, music_below: float) -> None:
    """Raise NoMusic if the probability of music is below a threshold."""
    if analysis.music < music_below:
        raise NoMusic(
            f"This file seems to contain no music (probability {analysis.music:.2f}, limit"
            f" {music_below:.2f}). Set GENREC_KEEP_NON_MUSIC=on to index it."
        )
