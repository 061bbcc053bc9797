"""Approximate nearest neighbours in PostgreSQL, by pgvector.

HNSW graphs (Malkov and Yashunin 2018) find the neighbours in the large scopes that all servers
share; a server's own tracks are compared one by one, exactly. Both are looks of one statement, of
which each has an index that fits: a single condition over all scopes would have none. Fewer than
`INDEX_FROM` shared tracks are compared exactly, too.

The table has embeddings of half precision, so more tracks are fetched than asked for, and scored
again with the stored embeddings. For several seeds the fetched tracks are the nearest to the
shortest weighted mean of the seeds. Their cosines with it bound their scores from above
(`genrec.seed_scores`), and so those of all tracks that were not fetched. More are fetched until the
last wanted score reaches this bound, as in the threshold algorithm (Fagin, Lotem & Naor 2003). The
mean of unlike seeds is near no track, and many have a bound above the last score: a scan of the
table compares them all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows, build_rows
from db.neighbours import IndexedTracks, NearRows, TrackFilter
from db.pgvector_index import INDEX_FROM, keep_index
from db.pgvector_sql import Look
from db.postgres import PostgresDatabase
from db.tracks import Catalogue
from db.vectors import unpack_matrix
from genrec.agreement import CatalogueStatistics
from genrec.description_codec import description_matrix, description_of_checked
from genrec.errors import CatalogueError
from genrec.paths import CANDIDATES, arc_weights, near_arc
from genrec.seed_scores import SeedScores, shortest_mean
from genrec.types import MusicDescription

Float = NDArray[np.float32]
log = logging.getLogger(__name__)

__all__ = ["INDEX_FROM", "PgNeighbours"]

MOST_ROWS = 500_000
"""Most tracks whose embeddings are read into memory at once, for a map or duplicates."""
MOST_SCANNED = 2_000_000
"""Most tracks that are all compared for seeds that are unlike each other."""
_FETCHED, _MOST_FETCHED = 1_024, 4_096  # tracks near several seeds that are scored
_HALF_PRECISION = 1e-3  # more than rows of half precision move a cosine by
_SMALL = 20_000  # tracks that are counted exactly, at each revision
_PATIENCE_S = 600.0  # age of the counts of more tracks
_SAMPLE = 8_192  # tracks whose descriptions stand for all
_ARC_PARTS = 8


class PgNeighbours:
    """Neighbours in the table ``served``; nothing in memory grows with the catalogue."""

    def __init__(self, database: PostgresDatabase, model_id: str, schema: str) -> None:
        self.catalogue = Catalogue(database)
        self.model_id = model_id
        self.damaged = 0
        self.size_bytes = 0
        self._db = database
        self._schema = schema
        self._revision = -1
        self._counts: dict[str, int] = {}
        self._kept: dict[tuple[str, frozenset[str]], tuple[int, float, Any]] = {}

    async def refresh(self) -> int:
        """Read the numbers of tracks again if they changed, and return the revision."""
        revision = await self.catalogue.revision()
        if revision != self._revision:
            rows = await self._db.all(
                "SELECT scope, tracks FROM generation WHERE state = 'active' AND model_id = ?",
                (self.model_id,),
            )
            self._counts, self._revision = dict(rows), revision
        return revision

    def count_by_scope(self) -> dict[str, int]:
        """Return the number of tracks of each scope, as of the last update."""
        return dict(self._counts)

    async def search(self, scores: SeedScores, among: TrackFilter, count: int) -> NearRows:
        """Return up to ``count`` tracks with the highest scores; ties keep the order of ids."""
        # Half precision and the order of a graph's search are exact enough for a few more tracks.
        wanted = 2 * count if among.is_narrow else count + max(16, count // 8)
        if scores.plain:
            near, _, _ = await self._nearest(scores.liked[0], among, wanted)
            return _best(near, scores(near.vectors), count)
        mean = shortest_mean(scores.liked)
        length = float(np.linalg.norm(mean))
        fetched, best = 0, None
        while best is None or fetched < _MOST_FETCHED:
            fetched = _MOST_FETCHED if fetched else _FETCHED
            near, whole, cosine = await self._nearest(
                mean, among, wanted, seeds=scores, fetched=max(fetched, 4 * wanted)
            )
            best = _best(near, await asyncio.to_thread(scores, near.vectors), count)
            # No track that was not fetched has a higher score than this.
            if whole or (len(best.ids) == count and best.scores[-1] >= cosine * length):
                return best
        if await self._count(among.scopes) > MOST_SCANNED or len(best.ids) < count:
            return best
        near, _, _ = await self._nearest(
            mean, among, wanted, seeds=scores, fetched=MOST_SCANNED,
            goal=mean / max(length, 1e-9),
            least=float(best.scores[-1]) / max(length, 1e-9) - _HALF_PRECISION,
        )  # fmt: skip
        return _best(near, await asyncio.to_thread(scores, near.vectors), count)

    async def near_arc(self, start: Float, goal: Float, among: TrackFilter) -> NearRows:
        """Return tracks near the arc between two embeddings, as `genrec.paths.near_arc` does."""
        least = float(start @ goal)
        points = arc_weights(least, _ARC_PARTS) @ np.stack([start, goal])
        found = [
            (await self._nearest(point, among, CANDIDATES, goal=goal, least=least))[0]
            for point in points
        ]
        ids, firsts = np.unique(np.concatenate([near.ids for near in found]), return_index=True)
        vectors = np.concatenate([near.vectors for near in found])[firsts]

        def choose() -> NearRows:
            allowed = np.ones(len(ids), dtype=np.bool_)
            places = near_arc(vectors, start, goal, allowed)
            return NearRows(ids[places], vectors[places] @ goal, vectors[places])

        return await asyncio.to_thread(choose)

    async def vectors(self, ids: Collection[int]) -> IndexedTracks:
        """Return the embeddings of those of the tracks that are searched."""
        rows = await self._db.all(
            "SELECT s.track_id, m.vector, s.artist_key, s.label FROM served AS s"
            " JOIN embedding AS m ON m.id = s.embedding_id"
            " WHERE s.model_id = ? AND s.track_id = ANY(?) ORDER BY s.track_id",
            (self.model_id, [int(track_id) for track_id in ids]),
        )
        return IndexedTracks(
            np.array([row[0] for row in rows], dtype=np.int64),
            _matrix([row[1] for row in rows], 0 if rows else await self._dimension()),
            [row[2] for row in rows],
            [row[3] for row in rows],
        )

    async def described(self, ids: Collection[int]) -> dict[int, MusicDescription]:
        """Return the music descriptions of those of the tracks that have one, by id."""
        rows = await self._db.all(
            "SELECT s.track_id, m.description FROM served AS s"
            " JOIN embedding AS m ON m.id = s.embedding_id"
            " WHERE s.model_id = ? AND s.track_id = ANY(?)",
            (self.model_id, [int(track_id) for track_id in ids]),
        )
        numbers = description_matrix([row[1] for row in rows]).astype(np.float64)
        return {
            row[0]: description_of_checked(values.tolist())
            for row, values in zip(rows, numbers, strict=True)
            if np.isfinite(values).all()
        }

    async def statistics(self, scopes: Collection[str]) -> CatalogueStatistics:
        """Return what is usual among the tracks of the scopes, or among a sample of many."""
        total = await self._count(scopes)
        found: CatalogueStatistics | None = self._kept_value("statistics", scopes)
        if found is not None:
            return found
        sampled = ""
        if total > _SMALL:
            served = await self._db.number(
                "SELECT greatest(reltuples, 1) FROM pg_class WHERE oid = to_regclass('served')"
            )
            share = min(100.0, 100.0 * _SAMPLE / max(served, total))
            sampled = f"TABLESAMPLE SYSTEM ({share:.6f}) REPEATABLE (1)"
        rows = await self._db.all(
            f"SELECT s.label, m.description FROM served AS s {sampled}"
            " JOIN embedding AS m ON m.id = s.embedding_id"
            " WHERE s.model_id = ? AND s.scope = ANY(?) ORDER BY s.track_id",
            (self.model_id, list(scopes)),
        )
        counted = await asyncio.to_thread(_statistics, rows)
        self._keep("statistics", scopes, total, counted)
        return counted

    async def count_artists(self, scopes: Collection[str]) -> tuple[int, int]:
        """Return the numbers of tracks and artists; an unknown artist counts once a track.

        Of more than 20,000 tracks the artists are as of ten minutes ago.
        """
        total = await self._count(scopes)
        artists: int | None = self._kept_value("artists", scopes)
        if artists is None:
            artists = await self._db.number(
                "SELECT count(DISTINCT nullif(artist_key, ''))"
                " + count(*) FILTER (WHERE artist_key = '')"
                " FROM served WHERE model_id = ? AND scope = ANY(?)",
                (self.model_id, list(scopes)),
            )
            self._keep("artists", scopes, total, artists)
        return total, artists

    async def ids_of(self, scopes: Collection[str], artist: str | None = None) -> list[int]:
        """Return the ids of the tracks of the scopes, or of those by one artist key."""
        only, values = ("", []) if artist is None else (" AND artist_key = ?", [artist])
        rows = await self._db.all(
            f"SELECT track_id FROM served WHERE model_id = ? AND scope = ANY(?){only}"
            " ORDER BY track_id",
            (self.model_id, list(scopes), *values),
        )
        return [track_id for (track_id,) in rows]

    async def sample(self, scopes: Collection[str], count: int) -> list[int]:
        """Return the ids of up to ``count`` tracks of the scopes, drawn by chance.

        Of many tracks a few blocks of the table are read, so neighbours in it are likelier.
        """
        total = await self._count(scopes)
        share = 100.0 * min(1.0, 20 * count / max(total, 1))
        sampled = f"TABLESAMPLE SYSTEM ({share:.6f})" if total > _SMALL else ""
        rows = await self._db.all(
            f"SELECT track_id FROM served AS s {sampled}"
            " WHERE s.model_id = ? AND s.scope = ANY(?) ORDER BY random() LIMIT ?",
            (self.model_id, list(scopes), count),
        )
        return [track_id for (track_id,) in rows]

    async def rows(self, scopes: Collection[str] | None = None) -> CatalogueRows:
        """Read all tracks of some scopes into memory, where at most `MOST_ROWS` are read."""
        total = await self._count(scopes)
        if total > MOST_ROWS:
            raise CatalogueError(
                f"There are {total:,} tracks here, and at most {MOST_ROWS:,} fit into the memory of"
                " one bot: choose the server's own tracks."
            )
        which = "" if scopes is None else " AND s.scope = ANY(?)"
        async with self._db.snapshot() as session:
            revision = await session.number("SELECT coalesce(max(revision), 0) FROM change")
            rows = await session.all(
                "SELECT s.track_id, m.vector, e.artist, s.label, s.scope, m.description"
                " FROM served AS s JOIN embedding AS m ON m.id = s.embedding_id"
                " JOIN generation AS g ON g.model_id = s.model_id AND g.scope = s.scope"
                " AND g.state = 'active'"
                " JOIN entry AS e ON e.generation_id = g.id AND e.track_id = s.track_id"
                f" WHERE s.model_id = ?{which}",
                (self.model_id, *([list(scopes)] if scopes is not None else [])),
            )
        dimension = len(rows[0][1]) // 4 if rows else await self._dimension()
        return await asyncio.to_thread(build_rows, revision, self.model_id, rows, dimension)

    @asynccontextmanager
    async def maintained(self) -> AsyncIterator[None]:
        """Build the HNSW graph in the background of the block, once it is worthwhile."""
        keeping = asyncio.create_task(keep_index(self._db, self.model_id, self._schema))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _nearest(
        self,
        point: Float,
        among: TrackFilter,
        count: int,
        *,
        goal: Float | None = None,
        least: float = -1.0,
        seeds: SeedScores | None = None,
        fetched: int = 0,
    ) -> tuple[NearRows, bool, float]:
        """Return the ``count`` tracks nearest to a point, the nearest first.

        With a goal, of those that have a cosine above ``least`` with it. With seeds, those with the
        highest scores among the ``fetched`` tracks that are nearest to the point. The second value
        tells that there are no others, and the third is the cosine of the farthest fetched track.
        """
        limits, asked = among.tag_limits, count
        if limits is None:
            return await self._fetch(point, among, count, goal, least, seeds, fetched)
        while True:
            # Those that have the tags in half precision alone are few.
            asked += max(16, asked // 4)
            near, whole, cosine = await self._fetch(
                point, among, asked, goal, least, seeds, fetched
            )
            kept = limits.mask(near.vectors)
            if int(kept.sum()) >= count or len(near.ids) < asked:
                places = np.flatnonzero(kept)[:count]
                found = NearRows(near.ids[places], near.scores[places], near.vectors[places])
                return found, whole, cosine

    async def _fetch(
        self,
        point: Float,
        among: TrackFilter,
        count: int,
        goal: Float | None,
        least: float,
        seeds: SeedScores | None,
        fetched: int,
    ) -> tuple[NearRows, bool, float]:
        """Return what `_nearest` does, with a few tracks that lack a wanted tag by a hair."""
        fetched = max(count, fetched)
        look = Look(self.model_id, self._schema, among, len(point), near_goal=goal is not None)
        unit = point / max(float(np.linalg.norm(point)), 1e-9)
        values: list[Any] = [unit.tolist(), *look.values]
        if goal is not None:
            values += [goal.tolist(), -least]
        score = ""
        if seeds is not None:
            score = look.score(len(values) + 1, len(seeds.liked), len(seeds.disliked))
            values += [seed.tolist() for seed in (*seeds.liked, *seeds.disliked)]
            values += [seeds.unrelated] if len(seeds.disliked) else []
        rows = await self._db.all(look.sql(count, fetched, score=score), values)
        if (rows[0][2] if rows else 0) < fetched and look.may_miss_of(fetched):
            # A graph ends early where few of its tracks pass the filter: compare all of them.
            rows = await self._db.all(look.sql(count, fetched, score=score, exact=True), values)
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        vectors = _matrix([row[1] for row in rows], len(point))
        near = NearRows(ids, vectors @ unit, vectors)
        found = rows[0][2] if rows else 0
        return near, found < fetched, -float(rows[0][3]) if rows else -1.0

    async def _dimension(self) -> int:
        """Return the dimension of the model's embeddings; 1 where there never was a track."""
        return await self._db.number(
            "SELECT coalesce(max(dimension), 1) FROM generation WHERE model_id = ?",
            (self.model_id,),
        )

    async def _count(self, scopes: Collection[str] | None) -> int:
        await self.refresh()
        if scopes is None:
            return sum(self._counts.values())
        return sum(self._counts.get(scope, 0) for scope in set(scopes))

    def _kept_value(self, name: str, scopes: Collection[str]) -> Any:
        total, at, value = self._kept.get((name, frozenset(scopes)), (0, 0.0, None))
        if total <= _SMALL:
            return value if at == float(self._revision) else None
        return value if time.monotonic() - at < _PATIENCE_S else None

    def _keep(self, name: str, scopes: Collection[str], total: int, value: Any) -> None:
        at = float(self._revision) if total <= _SMALL else time.monotonic()
        if len(self._kept) >= 64:
            self._kept.clear()
        self._kept[name, frozenset(scopes)] = (total, at, value)


def _best(near: NearRows, scores: Float, count: int) -> NearRows:
    """Return the ``count`` of the tracks with the highest scores; ties keep the order of ids."""
    order = np.lexsort((near.ids, -scores))[:count]
    return NearRows(near.ids[order], scores[order], near.vectors[order])


def _matrix(blobs: Sequence[bytes], dimension: int = 0) -> Float:
    return unpack_matrix(blobs, len(blobs[0]) // 4 if blobs else dimension)


def _statistics(rows: Sequence[tuple[str, bytes | None]]) -> CatalogueStatistics:
    labels, counts = np.unique([row[0] for row in rows] or [""], return_counts=True)
    shares = dict(zip(labels.tolist(), (counts / max(len(rows), 1)).tolist(), strict=True))
    return CatalogueStatistics.of(description_matrix([row[1] for row in rows]), shares)
