"""Analyse the files of a run on a cluster: many files a task, read where the disk is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

from db.connection import Database
from db.generations import KnownTrack, NewTrack
from db.ingest.analyze import FileOutcome, FileRules, outcome_of
from db.ingest.task_codec import FileTask, pack_task, unpack_facts
from db.vectors import is_sound_vector
from genrec.errors import WorkerUnavailable
from genrec.workers.protocol import ProtocolError

T = TypeVar("T")

BATCH = 16
"""Files of a task: the cost of a task is then small beside its analyses."""

_TASKS_PER_THREAD = 2  # one in work, one that waits, so that no worker waits for this process
_VALUES = 500  # of one statement
_STORED = (
    "m.content, m.heard, m.vector, m.description IS NULL FROM entry AS e"
    " JOIN embedding AS m ON m.id = e.embedding_id"
)
_MAX_KNOWN = 4_000  # contents of a task: sounds of one length may all have one size


class ClusterTasks(Protocol):
    """A cluster whose workers run tasks of `db.ingest.task_codec`."""

    @property
    def threads(self) -> int:
        """Number of tasks that all workers together run at once."""

    async def run(self, task: bytes) -> bytes:
        """Return the reply to a task; raises ClusterLost if the cluster is gone."""


class ClusterFileAnalyzer:
    """Analyses files on the workers of a cluster.

    A worker has no database. So a task names the known contents of files of these sizes. Two copies
    that are in work at the same time are both analysed, and stored once.
    """

    batch = BATCH

    def __init__(
        self, tasks: ClusterTasks, rules: FileRules, known: dict[int, dict[str, str]]
    ) -> None:
        self._tasks, self._rules = tasks, rules
        self._known = known  # predicted genres by content, by size of the file

    @classmethod
    async def open(
        cls, db: Database, tasks: ClusterTasks, rules: FileRules, paths: Iterable[str]
    ) -> ClusterFileAnalyzer:
        """Return the analyzer of the files at these paths, with what the database has of them."""
        return cls(tasks, rules, await _known_contents(db, rules, list(paths)))

    @property
    def concurrency(self) -> int:
        """Number of tasks in work at once."""
        return max(1, _TASKS_PER_THREAD * self._tasks.threads)

    async def analyze(self, paths: Sequence[str]) -> list[FileOutcome]:
        """Return the outcomes for some files; errors that no file causes are raised."""
        rules = self._rules
        sizes = {self._size(path) for path in paths}
        known = (pair for size in sizes for pair in self._known.get(size, {}).items())
        predicted = dict(islice(known, _MAX_KNOWN))
        task = FileTask(
            folder=rules.folder,
            labels=tuple(rules.labels),
            model_id=rules.model_id,
            orders=tuple(rules.order(path) for path in paths),
            known=frozenset(predicted),
        )
        reply = await self._tasks.run(pack_task(task))
        try:
            facts = unpack_facts(reply, task)
        except ProtocolError as error:
            raise WorkerUnavailable(
                f"A worker of the cluster sent a malformed reply ({error}): install the same"
                " version of genrec on all machines."
            ) from error
        return [
            outcome_of(each, rules, predicted=predicted.get(each.content, "")) for each in facts
        ]

    def release(self, outcomes: Iterable[FileOutcome], lost: Iterable[KnownTrack]) -> None:
        """Note the contents that are stored now, and those whose embeddings are gone."""
        for outcome in outcomes:
            track = outcome.result
            if isinstance(track, NewTrack) and track.size is not None:
                self._known.setdefault(track.size, {})[track.content] = track.predicted
        for gone in lost:
            if gone.size is not None:
                self._known.get(gone.size, {}).pop(gone.content, None)

    def _size(self, path: str) -> int:
        stamp = self._rules.stamps.get(path)
        return -1 if stamp is None else stamp.size


async def _known_contents(
    db: Database, rules: FileRules, paths: Sequence[str]
) -> dict[int, dict[str, str]]:
    """Return predicted genres by content, by size of the file, of sound stored analyses.

    The size of a song of an album includes its CUE sheet, which may change: these are found by
    their paths too.
    """
    stamps = {path: stamp for path in paths if (stamp := rules.stamps.get(path)) is not None}
    known: dict[int, dict[str, str]] = defaultdict(dict)
    for some in _parts(sorted({stamp.size for stamp in stamps.values()})):
        rows = await db.all(
            f"SELECT e.size, {_STORED} WHERE m.model_id = ?"
            " AND e.size IN (SELECT CAST(value AS bigint) FROM json_each(?))",
            (rules.model_id, json.dumps(some)),
        )
        _add(known, rules, rows)
    for songs in _parts(sorted(stamps.keys() & rules.songs.keys())):
        rows = await db.all(
            f"SELECT t.source, {_STORED} JOIN track AS t ON t.id = e.track_id"
            " WHERE m.model_id = ? AND t.source IN (SELECT value FROM json_each(?))",
            (rules.model_id, json.dumps(songs)),
        )
        _add(known, rules, ((stamps[source].size, *stored) for source, *stored in rows))
    return known


def _add(known: dict[int, dict[str, str]], rules: FileRules, rows: Iterable[Sequence[Any]]) -> None:
    for size, content, predicted, vector, undescribed in rows:
        if not (rules.describe and undescribed) and is_sound_vector(vector, rules.dimension):
            known[size][content] = predicted


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _VALUES):
        yield values[start : start + _VALUES]
