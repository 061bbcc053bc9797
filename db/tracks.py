"""The catalogue: active tracks and their embeddings, always of one model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from db import generations
from db.browse import Page, browse_generations
from db.catalogue_rows import CatalogueChanges, CatalogueRows, CatalogueStats, build_rows
from db.connection import Database, SqlSession
from db.details import TrackDetails, load_details
from db.generations import CATALOGUE, NewTrack
from db.search_text import match_query
from db.vectors import unpack_fingerprint
from db.word_index import count_matching
from genrec.errors import CatalogueError
from genrec.names import fold
from genrec.types import Track

LIBRARY = "library"
STARTER = "starter"
# Name of the stored value that tells whether a scope is searched without the starter catalogue.
OWN_TRACKS_ONLY = "own_tracks_only:{}"
_ACTIVE = (
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN track AS t ON t.id = e.track_id JOIN embedding AS m ON m.id = e.embedding_id"
    " WHERE g.state = 'active' AND g.model_id = ? AND e.gone_at IS NULL"
)
_OF_GUILDS = "scope LIKE 'guild:%'"
_TRACK = "SELECT t.id, e.title, e.artist, e.genre, t.source, t.scope"


def guild_scope(guild_id: int) -> str:
    """Return the scope of a Discord server's own tracks."""
    return f"guild:{guild_id}"


class Catalogue:
    """Reads and changes the tracks of the database; nothing is cached in memory.

    A track is active if its generation is and its file, if it has one, is not known to be gone.
    Methods that read take the ``model_id`` whose tracks they return; `remove` and `remove_scope`
    act on the tracks of every model.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    async def load(self, model_id: str, ids: Sequence[int] | None = None) -> CatalogueRows:
        """Read all active tracks of a model, or those with the given ids."""
        only = (
            ""
            if ids is None
            else " AND e.track_id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
        )
        parameters = (model_id,) if ids is None else (model_id, json.dumps(list(ids)))
        async with self.db.snapshot() as session:
            revision = await session.number("SELECT coalesce(max(revision), 0) FROM change")
            active = await session.all(
                "SELECT dimension, tracks FROM generation WHERE state = 'active' AND model_id = ?",
                (model_id,),
            )
            rows = await session.all(
                "SELECT e.track_id, m.vector, e.artist, e.label, g.scope, m.description"
                " FROM generation AS g"
                " JOIN entry AS e ON e.generation_id = g.id"
                " JOIN embedding AS m ON m.id = e.embedding_id"
                f" WHERE g.state = 'active' AND g.model_id = ? AND e.gone_at IS NULL{only}",
                parameters,
            )
        if ids is None and len(rows) != sum(tracks for _, tracks in active):
            raise CatalogueError(
                f"The catalogue has {len(rows)} tracks of the model {model_id}, but its count is"
                f" {sum(tracks for _, tracks in active)}: index the music again."
            )
        dimensions = {dimension for dimension, _ in active}
        if len(dimensions) > 1:
            raise CatalogueError(
                f"The embeddings of the model {model_id} have different dimensions,"
                f" {sorted(dimensions)}: index the music again."
            )
        # In a thread, because 100,000 tracks take long enough to block the event loop.
        return await asyncio.to_thread(
            build_rows, revision, model_id, rows, max(dimensions, default=1)
        )

    async def revision(self) -> int:
        """Return the revision, which grows with every change of the active tracks."""
        return await self.db.number("SELECT coalesce(max(revision), 0) FROM change")

    async def changes_since(self, model_id: str, revision: int) -> CatalogueChanges:
        """Return the changes since ``revision`` for an index that was loaded then."""
        rows = await self.db.all(
            "SELECT revision, model_id, kind, track_id FROM change"
            " WHERE revision >= ? ORDER BY revision",
            (revision,),
        )
        newest = rows[-1][0] if rows else revision
        # The row of `revision` itself proves that no later row has been deleted.
        if revision > 0 and (not rows or rows[0][0] != revision):
            return CatalogueChanges(await self.revision(), reload=True)
        if revision == 0 and rows and rows[0][0] != 1:
            return CatalogueChanges(newest, reload=True)
        last: dict[int, str] = {}
        for number, changed_model, kind, track_id in rows:
            if number > revision and changed_model == model_id:
                if kind == "switch":
                    return CatalogueChanges(newest, reload=True)
                last[track_id] = kind
        return CatalogueChanges(
            newest,
            reload=False,
            put=tuple(track_id for track_id, kind in last.items() if kind == "put"),
            removed=tuple(track_id for track_id, kind in last.items() if kind == "remove"),
        )

    async def tracks(self, model_id: str, ids: Iterable[int]) -> dict[int, Track]:
        """Return a map from id to track, without ids that are in no active generation."""
        rows = await self.db.all(
            f"{_TRACK}{_ACTIVE} AND t.id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
            (model_id, json.dumps([int(track_id) for track_id in ids])),
        )
        return {row[0]: Track(*row) for row in rows}

    async def scopes(self, model_id: str) -> list[str]:
        """Return the scopes with active tracks of a model: library, starter, then guilds."""
        rows = await self.db.all(
            "SELECT scope FROM generation WHERE state = 'active' AND model_id = ? AND tracks > 0"
            " ORDER BY scope = ? DESC, scope = ? DESC, scope",
            (model_id, LIBRARY, STARTER),
        )
        return [scope for (scope,) in rows]

    async def details(self, ids: Iterable[int]) -> dict[int, TrackDetails]:
        """Return the album, year and published ids of the tracks that have some, by id."""
        return await load_details(self.db, [int(track_id) for track_id in ids])

    async def content(self, model_id: str, track_id: int) -> str:
        """Return the digest of the sound that a track was analysed from; "" if it is unknown."""
        row = await self.db.one(
            "SELECT e.content FROM generation AS g JOIN entry AS n ON n.generation_id = g.id"
            " JOIN embedding AS e ON e.id = n.embedding_id"
            " WHERE g.state = 'active' AND g.model_id = ? AND n.track_id = ?",
            (model_id, track_id),
        )
        return "" if row is None else str(row[0])

    async def fingerprints(self, model_id: str, ids: Iterable[int]) -> dict[int, NDArray[np.int8]]:
        """Return the fingerprints (bands, columns) of the tracks that have one, by id."""
        rows = await self.db.all(
            "SELECT e.track_id, f.print FROM generation AS g JOIN entry AS e"
            " ON e.generation_id = g.id JOIN fingerprint AS f ON f.embedding_id = e.embedding_id"
            " WHERE g.state = 'active' AND g.model_id = ?"
            " AND e.track_id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
            (model_id, json.dumps([int(track_id) for track_id in ids])),
        )
        found = {}
        for track_id, blob in rows:
            with suppress(CatalogueError):  # a damaged one is as good as none
                found[track_id] = unpack_fingerprint(blob)
        return found

    async def browse(
        self, model_id: str, scope: str | None = None, *, text: str = "", limit: int = 25,
        offset: int = 0, after: int | None = None, before: int | None = None,
    ) -> list[Track]:  # fmt: skip
        """Return the active tracks with every word of ``text``, sorted by artist and title.

        Words of one or two letters are beginnings of words, others any part of them. ``after`` is
        the id of the track before the page, ``before`` that of the track after it; no track is
        returned if it is not in the catalogue.
        """
        async with self.db.snapshot() as session:
            active = [one for one, _ in await _active(session, model_id, scope)]
            page = Page(limit, offset, backwards=before is not None)
            beside = after if before is None else before
            if beside is not None:
                row = await session.one(
                    "SELECT folded, track_id FROM entry WHERE track_id = ?"
                    " AND generation_id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
                    (beside, json.dumps(active)),
                )
                if row is None:
                    return []
                page = replace(page, beside=(row[0], row[1]))
            return await browse_generations(session, active, fold(text).split(), page)

    async def count(self, model_id: str, scope: str | None = None, *, text: str = "") -> int:
        """Return the number of tracks that ``browse`` pages through."""
        words = fold(text).split()
        async with self.db.snapshot() as session:
            active = await _active(session, model_id, scope)
            if not words:
                return sum(tracks for _, tracks in active)
            return sum(
                [await count_matching(session, one, match_query(words)) for one, _ in active]
            )

    async def add(self, scope: str, model_id: str, tracks: Sequence[NewTrack]) -> list[int]:
        """Add tracks and return their ids; a track replaces one with the same source."""
        if not tracks:
            return []
        async with self.db.transaction(lock=CATALOGUE) as tx:
            dimension = int(tracks[0].embedding.shape[-1])
            generation = await generations.ensure(tx, scope, model_id, dimension, "active")
            ids = await generations.put(tx, generation, tracks)
            await generations.record_changes(tx, model_id, "put", ids)
        return ids

    async def known(self, scope: str, ids: Iterable[int]) -> frozenset[int]:
        """Return those of the ids that are tracks of a scope."""
        rows = await self.db.all(
            "SELECT id FROM track WHERE id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
            " AND scope = ?",
            (json.dumps(list(ids)), scope),
        )
        return frozenset(track_id for (track_id,) in rows)

    async def remove(self, scope: str, ids: Iterable[int]) -> int:
        """Remove tracks of every model from a scope and return the number of tracks."""
        wanted = [(int(track_id), scope) for track_id in ids]
        removed = 0
        async with self.db.transaction(lock=CATALOGUE) as tx:
            for track_id, _ in wanted:
                rows = await tx.all(
                    "DELETE FROM entry WHERE track_id = ? AND generation_id IN"
                    " (SELECT id FROM generation WHERE scope = ?)"
                    " RETURNING generation_id, embedding_id",
                    (track_id, scope),
                )
                removed += bool(rows)
                for generation_id, embedding_id in rows:
                    await self._delete_embedding(tx, generation_id, embedding_id, track_id)
            await tx.many("DELETE FROM track WHERE id = ? AND scope = ?", wanted)
        return removed

    async def _delete_embedding(
        self, tx: SqlSession, generation_id: int, embedding_id: int, track_id: int
    ) -> None:
        row = await tx.one(
            "SELECT model_id FROM generation WHERE id = ? AND state = 'active'", (generation_id,)
        )
        if row:
            await generations.record_changes(tx, row[0], "remove", (track_id,))
        await tx.run(
            "DELETE FROM embedding WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM entry WHERE embedding_id = ?1)",
            (embedding_id,),
        )

    async def delete_models(self, models: Sequence[str]) -> None:
        """Delete tracks of these models that can be made again.

        Those are the tracks of the library and starter scopes, and a guild's tracks that the guild
        also has in an active generation of another model.
        """
        unused = json.dumps(models)
        async with self.db.transaction(lock=CATALOGUE) as tx:
            rows = await tx.all(
                "DELETE FROM entry WHERE generation_id IN (SELECT id FROM generation"
                f" WHERE {_OF_GUILDS} AND model_id IN (SELECT value FROM json_each(?1)))"
                " AND EXISTS (SELECT 1 FROM entry AS e JOIN generation AS g"
                " ON g.id = e.generation_id WHERE e.track_id = entry.track_id"
                " AND g.state = 'active'"
                " AND g.model_id NOT IN (SELECT value FROM json_each(?1)))"
                " RETURNING generation_id, track_id",
                (unused,),
            )
            await generations.record_by_generation(
                tx, "remove", [(generation_id, track_id) for generation_id, track_id in rows]
            )
        await self._retire(
            f"(NOT {_OF_GUILDS} OR tracks = 0) AND model_id IN (SELECT value FROM json_each(?))",
            unused,
        )

    async def remove_scope(self, scope: str) -> bool:
        """Delete all tracks of a scope, of every model; return whether there was a generation."""
        return await self._retire("scope = ?", scope)

    async def _retire(self, where: str, parameter: str) -> bool:
        async with self.db.transaction(lock=CATALOGUE) as tx:
            active = await tx.all(
                "SELECT id, model_id, scope, tracks FROM generation"
                f" WHERE state = 'active' AND {where}",
                (parameter,),
            )
            rows = await tx.all(
                f"UPDATE generation SET state = 'retired' WHERE {where} RETURNING id", (parameter,)
            )
            for generation_id, model_id, scope, tracks in active:
                if tracks > generations.MAX_RECORDED:
                    await generations.record_switch(tx, model_id, scope)
                    continue
                gone = await tx.all(
                    "SELECT track_id FROM entry WHERE generation_id = ?", (generation_id,)
                )
                ids = [track_id for (track_id,) in gone]
                await generations.record_changes(tx, model_id, "remove", ids)
        await generations.sweep(self.db)
        return bool(rows)

    async def stats(self, model_id: str) -> CatalogueStats:
        """Count the active tracks of a model by scope and genre, and those of other models."""
        async with self.db.snapshot() as session:
            scopes = await session.all(
                "SELECT scope, tracks FROM generation WHERE state = 'active' AND model_id = ?"
                " AND tracks > 0 ORDER BY tracks DESC",
                (model_id,),
            )
            others = await session.all(
                "SELECT model_id, CAST(sum(tracks) AS bigint) FROM generation"
                " WHERE state = 'active' AND model_id <> ? GROUP BY model_id",
                (model_id,),
            )
            genres = await session.all(
                "SELECT name, tracks FROM tally WHERE model_id = ? AND kind = 'genre'"
                " ORDER BY tracks DESC",
                (model_id,),
            )
            artists = await session.one(
                "SELECT tracks FROM tally WHERE model_id = ? AND kind = 'artists'", (model_id,)
            )
            failures = await session.number(
                "SELECT count(*) FROM failure WHERE model_id = ?", (model_id,)
            )
        return CatalogueStats(
            model_id=model_id,
            tracks=sum(tracks for _, tracks in scopes),
            artists=artists[0] if artists else 0,
            by_scope=dict(scopes),
            by_genre=dict(genres),
            other_models=dict(others),
            failures=failures,
        )


async def outdated_tracks(db: Database, model_id: str) -> dict[str, int]:
    """Return the number of tracks by scope that only another model has analysed.

    Scopes that have tracks of ``model_id`` are left out, and so is the starter catalogue, which a
    preset brings along.
    """
    rows = await db.all(
        "SELECT scope, max(tracks) FROM generation AS old WHERE state = 'active'"
        " AND model_id <> ?1 AND scope <> ?2 AND tracks > 0 AND NOT EXISTS (SELECT 1 FROM"
        " generation WHERE state = 'active' AND model_id = ?1 AND scope = old.scope"
        " AND tracks > 0) GROUP BY scope ORDER BY scope",
        (model_id, STARTER),
    )
    return dict(rows)


async def _active(session: SqlSession, model_id: str, scope: str | None) -> list[tuple[int, int]]:
    """Return ids and track counts of the active generations of a model, all or a scope's."""
    rows = await session.all(
        "SELECT id, tracks FROM generation"
        " WHERE state = 'active' AND model_id = ?1 AND (CAST(?2 AS text) IS NULL OR scope = ?2)",
        (model_id, scope),
    )
    return [(generation_id, tracks) for generation_id, tracks in rows]
