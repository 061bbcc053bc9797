"""Generations of tracks: written row by row in one transaction or many, served as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.connection import Database, SqlSession
from db.vectors import pack_fingerprint, pack_vector
from genrec.errors import CatalogueError, ModelMismatch
from genrec.names import fold

# Rows a transaction may touch where others wait for the write lock.
BATCH = 500
_CHANGES_KEPT = 10_000
UNKNOWN_ARTIST = "Unknown artist"


@dataclass(frozen=True, slots=True, eq=False)
class NewTrack:
    """A track on its way into the catalogue.

    ``embedding`` is float32 (d,) of length 1, ``fingerprint`` int8 (bands, columns) or none.
    ``content`` is the sha256 of what was analysed. ``label`` is the preset's genre that filters go
    by, ``genre`` what is shown; ``size`` and ``mtime_ns`` are those of the file, where there is
    one. Without a ``source`` the content names it.
    """

    title: str
    artist: str
    genre: str
    embedding: NDArray[np.float32]
    fingerprint: NDArray[np.int8] | None = None
    source: str = ""
    content: str = ""
    label: str = ""
    heard: str = ""
    duration_s: float = 0.0
    size: int | None = None
    mtime_ns: int | None = None
    added_by: int | None = None


@dataclass(frozen=True, slots=True)
class KnownTrack:
    """A track whose content has been analysed before, by its content hash."""

    title: str
    artist: str
    genre: str
    label: str
    source: str
    content: str
    size: int | None = None
    mtime_ns: int | None = None
    added_by: int | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What a scope holds for one model."""

    id: int
    scope: str
    model_id: str
    dimension: int
    state: str
    tracks: int


async def find(session: SqlSession, scope: str, model_id: str, state: str) -> Generation | None:
    """Return the generation of a scope and model that is ``active`` or ``building``."""
    row = await session.one(
        "SELECT id, scope, model_id, dimension, state, tracks FROM generation"
        " WHERE scope = ? AND model_id = ? AND state = ?",
        (scope, model_id, state),
    )
    return Generation(*row) if row else None


async def ensure(
    tx: SqlSession, scope: str, model_id: str, dimension: int, state: str
) -> Generation:
    """Return that generation, made where there is none; refuse one of another dimension."""
    generation = await find(tx, scope, model_id, state)
    if generation is None:
        await tx.run(
            "INSERT INTO generation (scope, model_id, dimension, state) VALUES (?, ?, ?, ?)",
            (scope, model_id, dimension, state),
        )
        generation = await find(tx, scope, model_id, state)
    if generation is None or generation.dimension != dimension:
        raise ModelMismatch(
            f"The tracks of {scope} are kept with another number of dimensions than the"
            f" {dimension} of the model {model_id}: index the music again."
        )
    return generation


async def put(tx: SqlSession, generation: Generation, tracks: Sequence[NewTrack]) -> list[int]:
    """Write tracks and their embeddings into a generation, and return the tracks' ids."""
    known, embeddings, prints = [], [], []
    for track in tracks:
        vector, printed = _packed(generation, track)
        content = track.content or hashlib.sha256(vector + printed).hexdigest()
        label = track.label or track.genre
        heard = track.heard or label
        embeddings.append((content, generation.model_id, vector, heard, track.duration_s))
        if printed:
            prints.append((printed, content, generation.model_id))
        source = track.source or f"sha256:{content}"
        known.append(
            KnownTrack(
                track.title, track.artist, track.genre, label, source, content,
                size=track.size, mtime_ns=track.mtime_ns, added_by=track.added_by,
            )
        )  # fmt: skip
    await tx.many(
        "INSERT INTO embedding (content, model_id, vector, heard, duration_s)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        embeddings,
    )
    await tx.many(
        "INSERT OR IGNORE INTO fingerprint (embedding_id, print)"
        " SELECT id, ? FROM embedding WHERE content = ? AND model_id = ?",
        prints,
    )
    await put_known(tx, generation, known)
    return await _track_ids(tx, generation.scope, [track.source for track in known])


async def put_known(
    tx: SqlSession, generation: Generation, tracks: Sequence[KnownTrack]
) -> list[KnownTrack]:
    """Write tracks whose embeddings are kept already, and return those whose are not."""
    rows = await tx.all(
        "SELECT content FROM embedding WHERE model_id = ?"
        " AND content IN (SELECT value FROM json_each(?))",
        (generation.model_id, json.dumps([track.content for track in tracks])),
    )
    kept = {content for (content,) in rows}
    known = [track for track in tracks if track.content in kept]
    await tx.many(
        "INSERT INTO track (scope, source) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(generation.scope, track.source) for track in known],
    )
    await tx.many(
        "INSERT OR REPLACE INTO entry (generation_id, track_id, embedding_id, title, artist,"
        " genre, label, folded, size, mtime_ns, added_by)"
        " SELECT ?, t.id, m.id, ?, ?, ?, ?, ?, ?, ?, ? FROM track AS t, embedding AS m"
        " WHERE t.scope = ? AND t.source = ? AND m.content = ? AND m.model_id = ?",
        [_entry(generation, track) for track in known],
    )
    return [track for track in tracks if track.content not in kept]


async def drop(tx: SqlSession, generation: Generation, track_ids: Iterable[int]) -> None:
    """Take tracks out of a generation."""
    await tx.many(
        "DELETE FROM entry WHERE generation_id = ? AND track_id = ?",
        [(generation.id, track_id) for track_id in track_ids],
    )


def _packed(generation: Generation, track: NewTrack) -> tuple[bytes, bytes]:
    if track.embedding.shape != (generation.dimension,):
        raise ModelMismatch(
            f"An embedding of shape {track.embedding.shape} does not fit the model"
            f" {generation.model_id}, which has {generation.dimension} dimensions: analyse the"
            " track with that model."
        )
    printed = b"" if track.fingerprint is None else pack_fingerprint(track.fingerprint)
    return pack_vector(track.embedding), printed


def _entry(generation: Generation, track: KnownTrack) -> tuple[object, ...]:
    if not track.title.strip():
        raise CatalogueError(f"The track {track.source} has no title: give it one.")
    artist = track.artist.strip() or UNKNOWN_ARTIST
    return (
        generation.id, track.title, artist, track.genre, track.label,
        fold(f"{artist} {track.title}"), track.size, track.mtime_ns, track.added_by,
        generation.scope, track.source, track.content, generation.model_id,
    )  # fmt: skip


async def _track_ids(tx: SqlSession, scope: str, sources: Sequence[str]) -> list[int]:
    rows = await tx.all(
        "SELECT source, id FROM track WHERE scope = ?"
        " AND source IN (SELECT value FROM json_each(?))",
        (scope, json.dumps(sources)),
    )
    ids = dict(rows)
    return [ids[source] for source in sources]


async def copy(tx: SqlSession, old: Generation, new: Generation, track_ids: Iterable[int]) -> None:
    """Take tracks over from one generation of a scope and model to the next."""
    await tx.many(
        "INSERT OR REPLACE INTO entry SELECT ?, track_id, embedding_id, title, artist, genre,"
        " label, folded, size, mtime_ns, added_by FROM entry"
        " WHERE generation_id = ? AND track_id = ?",
        [(new.id, old.id, track_id) for track_id in track_ids],
    )


async def recount(tx: SqlSession, generation: Generation) -> int:
    """Bring the number in the generation's row up to date, and return it."""
    return await tx.number(
        "UPDATE generation SET tracks = (SELECT count(*) FROM entry WHERE generation_id = ?1)"
        " WHERE id = ?1 RETURNING tracks",
        (generation.id,),
    )


async def activate(tx: SqlSession, generation: Generation, digest: str = "") -> int:
    """Serve a generation instead of the one before, and return its number of tracks."""
    await tx.run(
        "UPDATE generation SET state = 'retired'"
        " WHERE scope = ? AND model_id = ? AND state = 'active'",
        (generation.scope, generation.model_id),
    )
    await tx.run(
        "UPDATE generation SET state = 'active', digest = ? WHERE id = ?", (digest, generation.id)
    )
    count = await recount(tx, generation)
    await note(tx, generation.model_id, "switch")
    return count


async def note(
    tx: SqlSession, model_id: str, kind: str, track_ids: Sequence[int | None] = (None,)
) -> None:
    """Tell indexes in memory what happened: ``put``, ``remove`` or ``switch``."""
    await tx.many(
        "INSERT INTO change (model_id, kind, track_id) VALUES (?, ?, ?)",
        [(model_id, kind, track_id) for track_id in track_ids],
    )
    await tx.run(
        "DELETE FROM change WHERE revision <= (SELECT max(revision) FROM change) - ?",
        (_CHANGES_KEPT,),
    )


async def sweep(db: Database) -> None:
    """Delete what no generation serves or builds, in small steps; a half-built one stays."""
    while True:
        async with db.transaction() as tx:
            gone = await tx.run(
                "DELETE FROM entry WHERE (generation_id, track_id) IN (SELECT generation_id,"
                " track_id FROM entry WHERE generation_id IN"
                " (SELECT id FROM generation WHERE state = 'retired') LIMIT ?)",
                (BATCH,),
            )
            if not gone:
                await tx.run("DELETE FROM generation WHERE state = 'retired'")
                break
    for table, column in (("track", "track_id"), ("embedding", "embedding_id")):
        without_entry = f"NOT EXISTS (SELECT 1 FROM entry WHERE {column} = {table}.id)"
        rows = await db.all(f"SELECT id FROM {table} WHERE {without_entry}")
        for start in range(0, len(rows), BATCH):
            async with db.transaction() as tx:
                await tx.many(
                    f"DELETE FROM {table} WHERE id = ? AND {without_entry}",
                    rows[start : start + BATCH],
                )
