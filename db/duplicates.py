"""Find tracks of a scope that are the same recording, in any coding, excerpt or speed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows
from db.tracks import Catalogue
from genrec.fingerprint import SAME_RECORDING, RecordingMatcher
from genrec.names import artist_key
from genrec.similarity import near_pairs
from genrec.types import Track

# A track is compared with so many tracks of the nearest embeddings, so the work grows with the
# number of tracks and not with its square.
NEIGHBOURS = 10
# Copies at 94 to 106 % of the speed have cosines of 0.76 or more (docs/experiments.md).
NEAR_COSINE = 0.7
_PAGE = 128  # tracks whose fingerprints are read at once


@dataclass(frozen=True, slots=True)
class Copy:
    """One track of a group of duplicates, with the coding of its file; None is unknown."""

    track: Track
    duration_s: float
    lossless: bool | None
    bit_rate: int | None

    @property
    def rank(self) -> tuple[bool, int, int, float, int]:
        """Sort key, greatest for the best copy: lossless, bit rate, names, length, first id."""
        named = bool(artist_key(self.track.artist)) + bool(self.track.title)
        return (bool(self.lossless), self.bit_rate or 0, named, self.duration_s, -self.track.id)


async def find_duplicates(
    catalogue: Catalogue, rows: CatalogueRows, scope: str, matcher: RecordingMatcher
) -> list[tuple[Copy, ...]]:
    """Return the groups of the scope's ``rows`` that are one recording, largest group first.

    The best copy of a group comes first. Two tracks of one file are a group too. Tracks without a
    fingerprint are in no group.
    """
    copies, vectors = await _copies(catalogue, rows, scope)
    if len(copies) < 2:
        return []
    pairs = await asyncio.to_thread(lambda: list(near_pairs(vectors, NEIGHBOURS, NEAR_COSINE)))
    near: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        near[one].append(other)
    groups = _Groups(len(copies))
    ones = sorted(near)
    for start in range(0, len(ones), _PAGE):
        page = ones[start : start + _PAGE]
        ids = {copies[i].track.id for one in page for i in (one, *near[one])}
        prints = await catalogue.fingerprints(rows.model_id, ids)
        of = {i: prints.get(copies[i].track.id) for one in page for i in (one, *near[one])}
        await asyncio.to_thread(_join_same, page, near, of, matcher, groups)
    found = [
        tuple(sorted((copies[i] for i in group), key=lambda copy: copy.rank, reverse=True))
        for group in groups.several()
    ]
    return sorted(found, key=lambda group: (-len(group), group[0].track.id))


async def _copies(
    catalogue: Catalogue, rows: CatalogueRows, scope: str
) -> tuple[list[Copy], NDArray[np.float32]]:
    """Return the scope's tracks with their embeddings, float32 (n, d)."""
    wanted = await asyncio.to_thread(rows.allowed, (scope,))
    ids = rows.ids[wanted].tolist()
    tracks = await catalogue.tracks(rows.model_id, ids)
    codings = await catalogue.db.all(
        "SELECT e.track_id, m.duration_s, m.lossless, m.bit_rate FROM generation AS g"
        " JOIN entry AS e ON e.generation_id = g.id JOIN embedding AS m ON m.id = e.embedding_id"
        " WHERE g.state = 'active' AND g.model_id = ? AND g.scope = ?",
        (rows.model_id, scope),
    )
    coding_of = {
        track_id: (duration_s, None if lossless is None else bool(lossless), bit_rate)
        for track_id, duration_s, lossless, bit_rate in codings
    }
    # A track may have been removed between the queries.
    there = [i for i, track_id in enumerate(ids) if track_id in tracks and track_id in coding_of]
    copies = [Copy(tracks[ids[i]], *coding_of[ids[i]]) for i in there]
    return copies, rows.matrix[wanted][there]


def _join_same(
    page: Sequence[int],
    near: dict[int, list[int]],
    prints: dict[int, NDArray[np.int8] | None],
    matcher: RecordingMatcher,
    groups: _Groups,
) -> None:
    for one in page:
        query = prints[one]
        others = [i for i in near[one] if not groups.joined(one, i) and prints[i] is not None]
        if query is None or not others:
            continue
        found = matcher.match(query, [each for i in others if (each := prints[i]) is not None])
        for other, correlation in zip(others, found, strict=True):
            if correlation >= SAME_RECORDING:
                groups.join(one, other)


class _Groups:
    """Disjoint sets of 0..n-1 (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, one: int, other: int) -> None:
        self._parents[self._root(one)] = self._root(other)

    def joined(self, one: int, other: int) -> bool:
        return self._root(one) == self._root(other)

    def several(self) -> list[list[int]]:
        """Return the sets with more than one member."""
        members: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self._parents)):
            members[self._root(i)].append(i)
        return [group for group in members.values() if len(group) > 1]

    def _root(self, i: int) -> int:
        while self._parents[i] != i:
            self._parents[i] = self._parents[self._parents[i]]
            i = self._parents[i]
        return i
