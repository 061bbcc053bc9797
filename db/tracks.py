"""The catalogue: the tracks that are served, and their embeddings, always by model id."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from db import generations
from db.catalogue_rows import CatalogueChanges, CatalogueRows, CatalogueStats, build_rows
from db.connection import Database, SqlSession
from db.generations import NewTrack
from db.vectors import unpack_fingerprint
from genrec.errors import CatalogueError
from genrec.names import artist_key, fold
from genrec.types import Track

LIBRARY = "library"
STARTER = "starter"
_SERVED = (
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN track AS t ON t.id = e.track_id JOIN embedding AS m ON m.id = e.embedding_id"
    " WHERE g.state = 'active' AND g.model_id = ?"
)
_TRACK = "SELECT t.id, e.title, e.artist, e.genre, t.source, t.scope"


def guild_scope(guild_id: int) -> str:
    """Return the scope of a Discord server's own tracks."""
    return f"guild:{guild_id}"


class Catalogue:
    """The served tracks. It holds nothing in memory: every answer is the database's."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def load(self, model_id: str, ids: Sequence[int] | None = None) -> CatalogueRows:
        """Read all served tracks of a model, or those of them with the given ids."""
        only = "" if ids is None else " AND e.track_id IN (SELECT value FROM json_each(?))"
        parameters = (model_id,) if ids is None else (model_id, json.dumps(list(ids)))
        async with self.db.snapshot() as session:
            revision = await session.number("SELECT coalesce(max(revision), 0) FROM change")
            served = await session.all(
                "SELECT scope, dimension, tracks FROM generation"
                " WHERE state = 'active' AND model_id = ?",
                (model_id,),
            )
            rows = await session.all(
                "SELECT e.track_id, m.vector, e.artist, e.label, g.scope FROM generation AS g"
                " JOIN entry AS e ON e.generation_id = g.id"
                " JOIN embedding AS m ON m.id = e.embedding_id"
                f" WHERE g.state = 'active' AND g.model_id = ?{only}",
                parameters,
            )
        if ids is None and len(rows) != sum(tracks for _, _, tracks in served):
            raise CatalogueError(
                f"The catalogue holds {len(rows)} tracks of the model {model_id} and promises"
                f" {sum(tracks for _, _, tracks in served)}: index the music again."
            )
        dimensions = {dimension for _, dimension, _ in served}
        if len(dimensions) > 1:
            raise CatalogueError(
                f"The catalogue mixes embeddings of {sorted(dimensions)} dimensions for the model"
                f" {model_id}: index the music again."
            )
        # Building the columns of 100,000 tracks takes long enough to hold up the event loop.
        return await asyncio.to_thread(
            build_rows, revision, model_id, rows, max(dimensions, default=1)
        )

    async def revision(self) -> int:
        """Return a number that grows with every change of what is served."""
        return await self.db.number("SELECT coalesce(max(revision), 0) FROM change")

    async def changes_since(self, model_id: str, revision: int) -> CatalogueChanges:
        """Return what an index loaded at ``revision`` must do to be up to date."""
        rows = await self.db.all(
            "SELECT revision, model_id, kind, track_id FROM change"
            " WHERE revision >= ? ORDER BY revision",
            (revision,),
        )
        newest = rows[-1][0] if rows else revision
        # The row of `revision` itself proves that none of the later ones has been deleted.
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
        """Return the served tracks with these ids; ids that are served no more are left out."""
        rows = await self.db.all(
            f"{_TRACK}{_SERVED} AND t.id IN (SELECT value FROM json_each(?))",
            (model_id, json.dumps([int(track_id) for track_id in ids])),
        )
        return {row[0]: Track(*row) for row in rows}

    async def fingerprints(self, model_id: str, ids: Iterable[int]) -> dict[int, NDArray[np.int8]]:
        """Return the fingerprints (bands, columns) of those tracks that have one."""
        rows = await self.db.all(
            "SELECT e.track_id, f.print FROM generation AS g JOIN entry AS e"
            " ON e.generation_id = g.id JOIN fingerprint AS f ON f.embedding_id = e.embedding_id"
            " WHERE g.state = 'active' AND g.model_id = ?"
            " AND e.track_id IN (SELECT value FROM json_each(?))",
            (model_id, json.dumps([int(track_id) for track_id in ids])),
        )
        return {track_id: unpack_fingerprint(blob) for track_id, blob in rows}

    async def browse(
        self, model_id: str, scope: str | None = None, *, text: str = "",
        limit: int = 25, offset: int = 0,
    ) -> list[Track]:  # fmt: skip
        """List served tracks by artist and title, those that hold every word of ``text``."""
        where, parameters = _where(scope, text)
        rows = await self.db.all(
            f"{_TRACK}{_SERVED}{where} ORDER BY e.folded, t.id LIMIT ? OFFSET ?",
            (model_id, *parameters, limit, offset),
        )
        return [Track(*row) for row in rows]

    async def count(self, model_id: str, scope: str | None = None, *, text: str = "") -> int:
        """Count the served tracks that ``browse`` would page through."""
        where, parameters = _where(scope, text)
        return await self.db.number(f"SELECT count(*){_SERVED}{where}", (model_id, *parameters))

    async def add(self, scope: str, model_id: str, tracks: Sequence[NewTrack]) -> list[int]:
        """Serve these tracks too, and return their ids; one with a known source replaces it."""
        if not tracks:
            return []
        async with self.db.transaction() as tx:
            dimension = int(tracks[0].embedding.shape[-1])
            generation = await generations.ensure(tx, scope, model_id, dimension, "active")
            ids = await generations.put(tx, generation, tracks)
            await generations.recount(tx, generation)
            await generations.record_changes(tx, model_id, "put", ids)
        return ids

    async def remove(self, scope: str, ids: Iterable[int]) -> int:
        """Remove tracks from a scope, whatever the model, and return how many there were."""
        wanted = [(int(track_id), scope) for track_id in ids]
        removed = 0
        async with self.db.transaction() as tx:
            for track_id, _ in wanted:
                rows = await tx.all(
                    "DELETE FROM entry WHERE track_id = ? AND generation_id IN"
                    " (SELECT id FROM generation WHERE scope = ?)"
                    " RETURNING generation_id, embedding_id",
                    (track_id, scope),
                )
                removed += bool(rows)
                for generation_id, embedding_id in rows:
                    await self._forget(tx, generation_id, embedding_id, track_id)
            await tx.many("DELETE FROM track WHERE id = ? AND scope = ?", wanted)
        return removed

    async def _forget(
        self, tx: SqlSession, generation_id: int, embedding_id: int, track_id: int
    ) -> None:
        row = await tx.one(
            "UPDATE generation SET tracks = tracks - 1 WHERE id = ? AND state = 'active'"
            " RETURNING model_id",
            (generation_id,),
        )
        if row:
            await generations.record_changes(tx, row[0], "remove", (track_id,))
        await tx.run(
            "DELETE FROM embedding WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM entry WHERE embedding_id = ?1)",
            (embedding_id,),
        )

    async def forget_models(self, keep: Collection[str]) -> int:
        """Drop what models other than ``keep`` made of files that can be analysed again.

        The servers' own tracks stay: their audio is gone.
        """
        return await self._retire(
            "scope NOT LIKE 'guild:%' AND model_id NOT IN (SELECT value FROM json_each(?))",
            json.dumps(list(keep)),
        )

    async def remove_scope(self, scope: str) -> int:
        """Drop all tracks of a scope, and return how many generations there were."""
        return await self._retire("scope = ?", scope)

    async def _retire(self, where: str, parameter: str) -> int:
        async with self.db.transaction() as tx:
            rows = await tx.all(
                f"UPDATE generation SET state = 'retired' WHERE {where} RETURNING model_id",
                (parameter,),
            )
            for (model_id,) in rows:
                await generations.record_changes(tx, model_id, "switch")
        await generations.sweep(self.db)
        return len(rows)

    async def stats(self, model_id: str) -> CatalogueStats:
        """Count what is served."""
        async with self.db.snapshot() as session:
            rows = await session.all(f"SELECT g.scope, e.label, e.artist{_SERVED}", (model_id,))
            others = await session.all(
                "SELECT model_id, sum(tracks) FROM generation"
                " WHERE state = 'active' AND model_id <> ? GROUP BY model_id",
                (model_id,),
            )
            failures = await session.number(
                "SELECT count(*) FROM failure WHERE model_id = ?", (model_id,)
            )
        return CatalogueStats(
            model_id=model_id,
            tracks=len(rows),
            artists=len({artist_key(artist) for artist in {row[2] for row in rows}} - {""}),
            by_scope=dict(Counter(row[0] for row in rows).most_common()),
            by_genre=dict(Counter(row[1] for row in rows).most_common()),
            other_models=dict(others),
            failures=failures,
        )


def _where(scope: str | None, text: str) -> tuple[str, list[str]]:
    words = fold(text).split()
    where = " AND instr(e.folded, ?)" * len(words)
    if scope is None:
        return where, words
    return where + " AND g.scope = ?", [*words, scope]
