"""Genres of the libraries' own, learned in the background and kept in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows
from db.connection import Database
from db.neighbours import IndexedTracks, Neighbours
from db.tagging.genre_names import genre_key, genre_names, usual_spelling
from db.taught_genres import tagged_tracks, taught_clips, taught_version, taught_versions
from db.tracks import STARTER
from genrec.errors import GenrecError
from genrec.own_genres import GenreExamples, OwnGenres, fit_genres
from genrec.types import GenreScore

Float = NDArray[np.float32]
log = logging.getLogger(__name__)

SHOWN_FROM = 0.4
"""Smallest probability of a genre that an answer shows."""
MOST_SHOWN = 2
MAX_GENRES = 80
"""Most genres of a library: those with the most tracks."""
MAX_TRACKS = 120
"""Most tracks of a genre that are learned from, spread over the library."""
_REFRESH_S = 60.0
_PATIENCE_S = 2.0  # that the first request waits
_MAX_CACHED = 200  # libraries


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """Learned genres; ``revision`` is that of the index, ``taught`` that of the taught clips."""

    learned: OwnGenres
    revision: int
    taught: tuple[int, int]
    at: float


class OwnGenreCache:
    """Learned genres by scope: the operator's library, and each server's.

    They are learned again in the background: at once after a genre was taught or forgotten, and
    after a minute at the earliest when tracks have changed. Meanwhile the old ones serve.
    """

    def __init__(
        self, *, index: Neighbours, db: Database, labels: Sequence[str], dimension: int
    ) -> None:
        self._index = index
        self._db = db
        self._labels = frozenset(map(genre_key, labels))
        self._dimension = dimension
        self._entries: OrderedDict[str, _Learned] = OrderedDict()
        self._learning: dict[str, asyncio.Task[_Learned]] = {}

    async def words(
        self, scopes: Iterable[str], embedding: Float, *, patient: bool = False
    ) -> tuple[GenreScore, ...]:
        """Return the probable genres of a clip in the words of the scopes, at most two.

        Without any, or while they are learned for the first time, nothing is returned. ``patient``
        waits for that. An error is logged, because an answer is complete without them.
        """
        own = [scope for scope in scopes if scope != STARTER]
        try:
            revision = await self._index.refresh()
            taught = await taught_versions(self._db, own)
        except GenrecError as error:
            log.warning("own genres not read: %s", error)
            return ()
        best: dict[str, GenreScore] = {}
        for scope in own:
            try:
                learned = await self._learned(scope, revision, taught[scope], patient=patient)
            except GenrecError as error:
                log.warning("own genres not learned: %s: %s", scope, error)
                continue
            if learned is None or not learned.names:
                continue
            for score in learned.scores(embedding):
                known = best.get(genre_key(score.label))
                if known is None or known.probability < score.probability:
                    best[genre_key(score.label)] = score
        shown = [score for score in best.values() if score.probability >= SHOWN_FROM]
        return tuple(sorted(shown, key=lambda score: -score.probability)[:MOST_SHOWN])

    async def learned(self, scope: str, *, patient: bool = False) -> OwnGenres | None:
        """Return the learned genres of a scope; None while the first are learned.

        ``patient`` waits until they are those of the current tracks and taught clips.
        """
        if patient and scope in self._learning:
            # It may have begun before the latest change, so it counts only if nothing has changed.
            await asyncio.wait([self._learning[scope]])
        revision = await self._index.refresh()
        taught = await taught_version(self._db, scope)
        return await self._learned(scope, revision, taught, patient=patient)

    async def _learned(
        self, scope: str, revision: int, taught: tuple[int, int], *, patient: bool
    ) -> OwnGenres | None:
        known = self._entries.get(scope)
        if known is not None and (known.revision, known.taught) == (revision, taught):
            self._entries.move_to_end(scope)
            return known.learned
        new_words = known is None or known.taught != taught
        if known is not None and not patient and not new_words:
            if time.monotonic() - known.at >= _REFRESH_S:
                _ = self._start(scope)
            return known.learned
        task = self._start(scope)
        done, _ = await asyncio.wait([task], timeout=None if patient else _PATIENCE_S)
        if done:
            return task.result().learned
        return known.learned if known is not None else None

    def _start(self, scope: str) -> asyncio.Task[_Learned]:
        task = self._learning.get(scope)
        if task is None:
            task = self._learning[scope] = asyncio.create_task(self._learn(scope))
            task.add_done_callback(lambda done: self._finish(scope, done))
        return task

    def _finish(self, scope: str, task: asyncio.Task[_Learned]) -> None:
        self._learning.pop(scope, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.info("own genres not learned: %s: %s", scope, error)
            return
        self._entries[scope] = task.result()
        self._entries.move_to_end(scope)
        while len(self._entries) > _MAX_CACHED:
            self._entries.popitem(last=False)

    async def _learn(self, scope: str) -> _Learned:
        taught = await taught_version(self._db, scope)
        revision = await self._index.refresh()
        model_id = self._index.model_id
        tags = await tagged_tracks(self._db, scope, model_id)
        clips = await taught_clips(self._db, scope, model_id, self._dimension)
        chosen = await asyncio.to_thread(_choose, tags, clips, self._labels)
        tracks = await self._index.vectors(chosen.ids)
        starter = await self._index.rows((STARTER,))
        learned = await asyncio.to_thread(_fit, chosen, tracks, clips, starter, self._dimension)
        return _Learned(learned, revision, taught, time.monotonic())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Genres to learn: usual spelling by key, chosen track ids by key, and keys of taught ones."""

    names: Mapping[str, str]
    tracks: Mapping[str, Sequence[int]]
    taught: Collection[str]

    @property
    def ids(self) -> list[int]:
        """The ids of all chosen tracks, sorted."""
        return sorted({i for group in self.tracks.values() for i in group})


def _choose(
    tags: Sequence[tuple[int, str]], clips: Sequence[tuple[str, Float]], labels: frozenset[str]
) -> _Chosen:
    """Choose the genres of tags and clips to learn, without those that the preset has itself."""
    taught = {genre_key(name): name for name, _ in clips}
    tracks, names = _tracks_by_genre(tags, labels)
    names |= taught
    _merge_equal(tracks, names, taught)
    counts = {key: len(tracks.get(key, ())) for key in {**tracks, **taught}}
    by_size = sorted(counts, key=lambda key: (key not in taught, -counts[key], key))
    keys = by_size[:MAX_GENRES]
    return _Chosen(
        {key: names[key] for key in keys},
        {key: _spread(tracks.get(key, []), MAX_TRACKS) for key in keys},
        taught,
    )


def _fit(
    chosen: _Chosen,
    tracks: IndexedTracks,
    clips: Sequence[tuple[str, Float]],
    starter: CatalogueRows,
    dimension: int,
) -> OwnGenres:
    """Learn the chosen genres of their tracks and clips."""
    place = {key: g for g, key in enumerate(chosen.names)}
    count = len(tracks.ids)
    members = np.zeros((count + len(clips), len(place)), dtype=bool)
    for key, group in chosen.tracks.items():
        members[:count, place[key]] = np.isin(tracks.ids, group)
    for number, (name, _) in enumerate(clips, count):
        if genre_key(name) in place:
            members[number, place[genre_key(name)]] = True
    vectors = [vector for _, vector in clips]
    taught_rows = np.array(vectors, dtype=np.float32).reshape(len(clips), dimension)
    return fit_genres(
        GenreExamples(
            names=list(chosen.names.values()),
            matrix=np.concatenate([tracks.vectors.reshape(count, dimension), taught_rows]),
            members=members,
            artists=_artists(tracks.artists, len(clips)),
            taught=np.array([key in chosen.taught for key in place], dtype=bool),
            others=starter.matrix[starter.allowed((STARTER,))].reshape(-1, dimension),
        )
    )


def _tracks_by_genre(
    tags: Sequence[tuple[int, str]], labels: frozenset[str]
) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Return the track ids and the usual spelling of each genre in the tags, by `genre_key`."""
    tracks: dict[str, list[int]] = {}
    spellings: dict[str, list[str]] = {}
    parsed: dict[str, tuple[str, ...]] = {}
    for track_id, tag in tags:
        if tag not in parsed:
            parsed[tag] = genre_names(tag)
        for name in parsed[tag]:
            key = genre_key(name)
            if key not in labels:
                tracks.setdefault(key, []).append(track_id)
                spellings.setdefault(key, []).append(name)
    return tracks, {key: usual_spelling(names) for key, names in spellings.items()}


def _merge_equal(
    tracks: dict[str, list[int]], names: dict[str, str], taught: Collection[str]
) -> None:
    """Make one genre of those that the same tracks have, which could only share a probability."""
    first: dict[tuple[int, ...], str] = {}
    for key, ids in list(tracks.items()):
        if key in taught:
            continue
        kept = first.setdefault(tuple(ids), key)
        if kept != key:
            names[kept] = f"{names[kept]}/{names[key]}"
            del tracks[key]


def _spread(ids: Sequence[int], most: int) -> Sequence[int]:
    """Return at most so many ids, at equal distances."""
    if len(ids) <= most:
        return ids
    return [ids[i * len(ids) // most] for i in range(most)]


def _artists(keys: Sequence[str], clips: int) -> NDArray[np.int64]:
    """Return a number for each artist; unknown artists and clips have numbers of their own."""
    known: dict[str, int] = {}
    numbers = [
        known.setdefault(key, len(known)) if key else -1 - row for row, key in enumerate(keys)
    ]
    return np.array([*numbers, *range(len(keys), len(keys) + clips)], dtype=np.int64)
