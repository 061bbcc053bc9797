"""Generations of a scope: written in one transaction or many, activated as a whole."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from db.connection import Database, SqlSession
from db.details import TrackDetails, put_details
from db.quality import UNKNOWN_QUALITY, FileQuality
from db.search_text import search_text
from db.served import follow_changes, follow_descriptions, follow_scope
from db.set_rows import run_for_rows
from db.vectors import is_sound_vector, pack_fingerprint, pack_vector
from db.word_index import put_words
from genrec.description_codec import pack_description
from genrec.errors import CatalogueError, ModelMismatch
from genrec.names import artist_key, name_key
from genrec.types import Analysis, MusicDescription

# Most rows for one transaction, so that other writers do not wait long for the lock.
BATCH = 500
_MAX_CHANGES = 10_000
MAX_RECORDED = _MAX_CHANGES // 2
"""Most tracks whose changes are recorded one by one; of more, indexes in memory load all again."""
CATALOGUE = "catalogue"
"""Lock of each transaction that writes tracks: revisions are seen in the order they are given."""
MAX_SOURCE_BYTES = 2_500
"""Most bytes of a track's source on PostgreSQL, whose B-trees have entries of 2,704 at most."""
LISTED = "SELECT CAST(value AS bigint) FROM json_each(?)"
"""Ids of a list in JSON: one statement fires the triggers that count once, on PostgreSQL."""
UNKNOWN_ARTIST = "Unknown artist"
# Content, model id, vector, predicted genre, duration in s, lossless, bits per second, description.
_Embedding = tuple[str, str, bytes, str, float, bool | None, int | None, bytes | None]
# Prefix of the source of a clip without file or link: the content hash identifies it.
CONTENT_SOURCE = "sha256:"
_REPLACED = ", ".join(
    f"{column} = excluded.{column}"
    for column in (
        "embedding_id", "title", "artist", "genre", "label", "folded", "artist_key", "size",
        "mtime_ns", "added_by", "tagged",
    )
)  # fmt: skip

_SOURCES = (("scope", "text"), ("source", "text"))
_ENTRY = (
    ("generation_id", "bigint"), ("title", "text"), ("artist", "text"), ("genre", "text"),
    ("label", "text"), ("folded", "text"), ("artist_key", "text"), ("size", "bigint"),
    ("mtime_ns", "bigint"), ("added_by", "bigint"), ("tagged", "bigint"), *_SOURCES,
    ("content", "text"), ("model_id", "text"),
)  # fmt: skip
_PUT_ENTRY = (
    "INSERT INTO entry (generation_id, track_id, embedding_id, title, artist, genre, label,"
    " folded, artist_key, size, mtime_ns, added_by, tagged)"
    " SELECT r.generation_id, t.id, m.id, r.title, r.artist, r.genre, r.label, r.folded,"
    " r.artist_key, r.size, r.mtime_ns, r.added_by, r.tagged"
    " FROM {rows} CROSS JOIN track AS t CROSS JOIN embedding AS m WHERE t.scope = r.scope"
    " AND t.source = r.source AND m.content = r.content AND m.model_id = r.model_id"
    f" ON CONFLICT (generation_id, track_id) DO UPDATE SET {_REPLACED}, gone_at = NULL"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NewTrack:
    """A track to write into the catalogue, with its embedding.

    ``embedding`` is float32 (d,) of length 1, ``fingerprint`` int8 (bands, columns) or None.
    ``genre`` is shown to users; ``label`` is the preset's genre for filters, by default ``genre``;
    ``predicted`` is the preset's most probable genre, by default ``label``. ``content`` is the
    SHA-256 of the analysed file, by default of the embedding; without a ``source`` it identifies
    the track. ``tagged`` is whether the genre is from a tag or a person, and not predicted.
    ``quality``, ``size`` and ``mtime_ns`` are those of the file, if there is one. ``details`` are
    those of its tags, or None to leave what is stored. ``description`` is the music description, or
    None to leave what is stored.
    """

    title: str
    artist: str
    genre: str
    embedding: NDArray[np.float32]
    fingerprint: NDArray[np.int8] | None = None
    source: str = ""
    content: str = ""
    label: str = ""
    predicted: str = ""
    duration_s: float = 0.0
    quality: FileQuality = UNKNOWN_QUALITY
    size: int | None = None
    mtime_ns: int | None = None
    added_by: int | None = None
    tagged: bool = False
    details: TrackDetails | None = None
    description: MusicDescription | None = None

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        *,
        title: str,
        artist: str,
        content: str,
        source: str = "",
        genre: str = "",
        label: str = "",
        size: int | None = None,
        mtime_ns: int | None = None,
        added_by: int | None = None,
    ) -> NewTrack:
        """Make a track of an analysis; ``genre`` and ``label`` default to the predicted genre."""
        predicted = analysis.scores[0].label if analysis.scores else ""
        return cls(
            title=title,
            artist=artist,
            genre=genre or predicted,
            label=label or predicted,
            predicted=predicted,
            embedding=analysis.embedding,
            fingerprint=analysis.fingerprint,
            description=analysis.description,
            duration_s=analysis.duration_s,
            source=source,
            content=content,
            size=size,
            mtime_ns=mtime_ns,
            added_by=added_by,
            tagged=bool(genre),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTrack:
    """A track whose content already has an embedding in the database."""

    title: str
    artist: str
    genre: str
    label: str
    source: str
    content: str
    size: int | None = None
    mtime_ns: int | None = None
    added_by: int | None = None
    tagged: bool = False
    details: TrackDetails | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """One indexed version of a scope for one model."""

    id: int
    scope: str
    model_id: str
    dimension: int
    state: str
    tracks: int


async def find(session: SqlSession, scope: str, model_id: str, state: str) -> Generation | None:
    """Return the ``active`` or ``building`` generation of a scope and model, or None."""
    row = await session.one(
        "SELECT id, scope, model_id, dimension, state, tracks FROM generation"
        " WHERE scope = ? AND model_id = ? AND state = ?",
        (scope, model_id, state),
    )
    return Generation(*row) if row else None


async def is_building(session: SqlSession, generation: Generation) -> bool:
    """Return whether a generation is there and not active yet."""
    found = await session.number(
        "SELECT COUNT(*) FROM generation WHERE id = ? AND state = 'building'", (generation.id,)
    )
    return found > 0


async def ensure(
    tx: SqlSession, scope: str, model_id: str, dimension: int, state: str
) -> Generation:
    """Return the generation like ``find``, created if absent; refuse another dimension."""
    generation = await find(tx, scope, model_id, state)
    if generation is None:
        await tx.run(
            "INSERT INTO generation (scope, model_id, dimension, state) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (scope, model_id, dimension, state),
        )
        generation = await find(tx, scope, model_id, state)
    if generation is None or generation.dimension != dimension:
        raise ModelMismatch(
            f"The embeddings of {scope} do not have the {dimension} dimensions of the model"
            f" {model_id}: index the music again."
        )
    return generation


async def put(tx: SqlSession, generation: Generation, tracks: Sequence[NewTrack]) -> list[int]:
    """Write tracks and their embeddings into a generation and return the ids of the tracks."""
    known, embeddings, fingerprints = [], [], []
    for track in tracks:
        vector, fingerprint = _packed(generation, track)
        content = track.content or hashlib.sha256(vector + fingerprint).hexdigest()
        label = track.label or track.genre
        predicted = track.predicted or label
        coding = (track.duration_s, track.quality.lossless, track.quality.bit_rate)
        described = None if track.description is None else pack_description(track.description)
        embeddings.append((content, generation.model_id, vector, predicted, *coding, described))
        if fingerprint:
            fingerprints.append((fingerprint, content, generation.model_id))
        known.append(
            KnownTrack(
                title=track.title,
                artist=track.artist,
                genre=track.genre,
                label=label,
                source=track.source or f"{CONTENT_SOURCE}{content}",
                content=content,
                size=track.size,
                mtime_ns=track.mtime_ns,
                added_by=track.added_by,
                tagged=track.tagged,
                details=track.details,
            )
        )
    await _repair(tx, generation, embeddings)
    await tx.many(
        "INSERT INTO embedding (content, model_id, vector, heard, duration_s, lossless, bit_rate,"
        " description) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (content, model_id)"
        " DO UPDATE SET description = excluded.description WHERE embedding.description IS NULL"
        " AND excluded.description IS NOT NULL",
        embeddings,
    )
    if tx.engine == "postgres":
        contents = [row[0] for row in embeddings if row[-1] is not None]
        await follow_descriptions(tx, generation.model_id, contents)
    await tx.many(
        "INSERT INTO fingerprint (embedding_id, print)"
        " SELECT id, ? FROM embedding WHERE content = ? AND model_id = ? ON CONFLICT DO NOTHING",
        fingerprints,
    )
    await put_known(tx, generation, known)
    return await _track_ids(tx, generation.scope, [track.source for track in known])


async def _repair(tx: SqlSession, generation: Generation, embeddings: Sequence[_Embedding]) -> None:
    """Replace the damaged ones among the stored embeddings of the same contents."""
    vectors = {content: vector for content, _, vector, *_ in embeddings}
    rows = await tx.all(
        "SELECT id, content, vector FROM embedding WHERE model_id = ?"
        " AND content IN (SELECT value FROM json_each(?))",
        (generation.model_id, json.dumps(list(vectors))),
    )
    for embedding_id, content, stored in rows:
        if is_sound_vector(stored, generation.dimension):
            continue
        await tx.run(
            "UPDATE embedding SET vector = ? WHERE id = ?", (vectors[content], embedding_id)
        )
        await tx.run("DELETE FROM fingerprint WHERE embedding_id = ?", (embedding_id,))
        # Tracks of other scopes have the same file.
        others = await tx.all(
            "SELECT e.track_id FROM entry AS e JOIN generation AS g ON g.id = e.generation_id"
            " WHERE e.embedding_id = ? AND g.state = 'active'",
            (embedding_id,),
        )
        await record_changes(tx, generation.model_id, "put", [track_id for (track_id,) in others])


async def put_known(
    tx: SqlSession, generation: Generation, tracks: Sequence[KnownTrack]
) -> list[KnownTrack]:
    """Write the tracks whose embeddings are stored, and return the others."""
    rows = await tx.all(
        "SELECT content FROM embedding WHERE model_id = ?"
        " AND content IN (SELECT value FROM json_each(?))",
        (generation.model_id, json.dumps([track.content for track in tracks])),
    )
    stored = {content for (content,) in rows}
    # The last one of a source is stored.
    known = list(
        {track.source: _storable(tx, track) for track in tracks if track.content in stored}.values()
    )
    await run_for_rows(
        tx,
        "INSERT INTO track (scope, source) SELECT r.scope, r.source FROM {rows} WHERE true"
        " ON CONFLICT DO NOTHING",
        _SOURCES,
        [(generation.scope, track.source) for track in known],
    )
    await run_for_rows(tx, _PUT_ENTRY, _ENTRY, [_entry(generation, track) for track in known])
    await put_details(tx, generation.scope, [(track.source, track.details) for track in known])
    words = [(track.source, search_text(_folded(track))) for track in known]
    await put_words(tx, generation.id, generation.scope, words)
    return [track for track in tracks if track.content not in stored]


async def drop(tx: SqlSession, generation: Generation, track_ids: Iterable[int]) -> None:
    """Remove tracks from a generation."""
    await tx.run(
        f"DELETE FROM entry WHERE generation_id = ? AND track_id IN ({LISTED})",
        (generation.id, json.dumps(list(track_ids))),
    )


def _packed(generation: Generation, track: NewTrack) -> tuple[bytes, bytes]:
    if track.embedding.shape != (generation.dimension,):
        raise ModelMismatch(
            f"An embedding of shape {track.embedding.shape} does not fit the model"
            f" {generation.model_id} with {generation.dimension} dimensions: analyse the track"
            " with that model."
        )
    fingerprint = b"" if track.fingerprint is None else pack_fingerprint(track.fingerprint)
    return pack_vector(track.embedding), fingerprint


def _entry(generation: Generation, track: KnownTrack) -> tuple[object, ...]:
    if not track.title.strip():
        raise CatalogueError(f"The track {track.source} has no title: give it one.")
    artist = track.artist.strip() or UNKNOWN_ARTIST
    return (
        generation.id, track.title, artist, track.genre, track.label, _folded(track),
        artist_key(artist), track.size, track.mtime_ns, track.added_by, track.tagged,
        generation.scope, track.source, track.content, generation.model_id,
    )  # fmt: skip


def _storable(tx: SqlSession, track: KnownTrack) -> KnownTrack:
    """Return a track without NUL in its names; PostgreSQL stores none, so both engines do."""
    length = len(track.source.encode())
    if tx.engine == "postgres" and length > MAX_SOURCE_BYTES:
        raise CatalogueError(
            f"The source {track.source[:60]}... has {length:,} bytes, and PostgreSQL stores"
            f" {MAX_SOURCE_BYTES:,} at most: shorten the path or the link."
        )
    if "\0" in track.source:
        raise CatalogueError(
            f"The source {track.source!r} has a NUL character: rename the file, or leave it out."
        )
    names = {name: getattr(track, name) for name in ("title", "artist", "genre", "label")}
    if not any("\0" in text for text in names.values()):
        return track
    return replace(track, **{name: text.replace("\0", " ") for name, text in names.items()})


def _folded(track: KnownTrack) -> str:
    return name_key(track.artist.strip() or UNKNOWN_ARTIST, track.title)


async def _track_ids(tx: SqlSession, scope: str, sources: Sequence[str]) -> list[int]:
    rows = await tx.all(
        "SELECT source, id FROM track WHERE scope = ?"
        " AND source IN (SELECT value FROM json_each(?))",
        (scope, json.dumps(sources)),
    )
    ids = dict(rows)
    return [ids[source] for source in sources]


async def merge(tx: SqlSession, new: Generation, active: Generation) -> Generation:
    """Make the tracks of a building generation active, with those of the active one.

    They replace tracks with the same id. The smaller side moves to the other generation, which is
    returned and is the active one. Changes are recorded.
    """
    ids = "SELECT track_id FROM entry WHERE generation_id = ?"
    rows = await tx.all(ids, (new.id,))
    move = "UPDATE entry SET generation_id = ? WHERE generation_id = ?"
    if 2 * len(rows) > active.tracks:
        await tx.run(
            f"{move} AND NOT EXISTS (SELECT 1 FROM entry AS n WHERE n.generation_id = ?"
            " AND n.track_id = entry.track_id)",
            (new.id, active.id, new.id),
        )
        await activate(tx, new)
        return new
    await tx.run(
        f"DELETE FROM entry WHERE generation_id = ? AND track_id IN ({ids})", (active.id, new.id)
    )
    await tx.run(move, (active.id, new.id))
    await tx.run("DELETE FROM generation WHERE id = ?", (new.id,))
    await record_changes(tx, active.model_id, "put", [track_id for (track_id,) in rows])
    return active


async def set_gone(
    tx: SqlSession, generation: Generation, track_ids: Iterable[int], gone_at: float | None
) -> None:
    """Store when the files of tracks were found to be gone; None if they are there."""
    await tx.run(
        f"UPDATE entry SET gone_at = ? WHERE generation_id = ? AND track_id IN ({LISTED})",
        (gone_at, generation.id, json.dumps(list(track_ids))),
    )


async def drop_moved(tx: SqlSession, generation: Generation) -> list[int]:
    """Remove the tracks whose file is gone, but has a copy at the path of another track."""
    rows = await tx.all(
        "DELETE FROM entry WHERE generation_id = ?1 AND gone_at IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM entry AS e WHERE e.embedding_id = entry.embedding_id"
        " AND e.generation_id = ?1 AND e.gone_at IS NULL) RETURNING track_id",
        (generation.id,),
    )
    return [track_id for (track_id,) in rows]


async def count(session: SqlSession, generation: Generation) -> int:
    """Return the number of tracks of a generation whose file, if they have one, is there."""
    return await session.number("SELECT tracks FROM generation WHERE id = ?", (generation.id,))


async def activate(tx: SqlSession, generation: Generation, digest: str = "") -> int:
    """Make a generation the active one of its scope and model, and return its track count."""
    await tx.run(
        "UPDATE generation SET state = 'retired'"
        " WHERE scope = ? AND model_id = ? AND state = 'active'",
        (generation.scope, generation.model_id),
    )
    await tx.run(
        "UPDATE generation SET state = 'active', digest = ? WHERE id = ?", (digest, generation.id)
    )
    await record_switch(tx, generation.model_id, generation.scope)
    return await count(tx, generation)


async def record_changes(
    tx: SqlSession, model_id: str, kind: str, track_ids: Sequence[int]
) -> None:
    """Record changes for the indexes in memory; ``kind`` is ``put`` or ``remove``.

    On PostgreSQL the table of served tracks follows in the same transaction.
    More changes than are kept become one switch, after which the indexes are loaded again.
    """
    if not track_ids:
        return
    rows = [(model_id, kind, track_id) for track_id in track_ids]
    await _record(tx, rows if len(rows) <= MAX_RECORDED else [(model_id, "switch", None)])
    if tx.engine == "postgres":
        await follow_changes(tx, model_id, track_ids)


async def record_by_generation(
    tx: SqlSession, kind: str, changed: Iterable[tuple[int, int]]
) -> None:
    """Record changes of tracks by the id of their generation, where that is active."""
    ids = defaultdict(list)
    for generation_id, track_id in changed:
        ids[generation_id].append(track_id)
    for generation_id, track_ids in ids.items():
        active = await tx.one(
            "SELECT model_id FROM generation WHERE id = ? AND state = 'active'", (generation_id,)
        )
        if active is not None:
            await record_changes(tx, active[0], kind, track_ids)


async def record_switch(tx: SqlSession, model_id: str, scope: str) -> None:
    """Record that another generation of a scope is active, or none; see `record_changes`."""
    await _record(tx, [(model_id, "switch", None)])
    if tx.engine == "postgres":
        await follow_scope(tx, model_id, scope)


async def _record(tx: SqlSession, rows: Sequence[tuple[str, str, int | None]]) -> None:
    await tx.many("INSERT INTO change (model_id, kind, track_id) VALUES (?, ?, ?)", rows)
    await tx.run(
        "DELETE FROM change WHERE revision <= (SELECT max(revision) FROM change) - ?",
        (_MAX_CHANGES,),
    )


async def sweep(db: Database) -> None:
    """Delete retired generations, and tracks and embeddings without entries that had some.

    It works in small transactions, and its cost depends on what was removed since the last sweep.
    """
    for (generation_id,) in await db.all(
        "SELECT id FROM generation WHERE state = 'retired' ORDER BY id"
    ):
        gone = BATCH
        while gone == BATCH:
            async with db.transaction(lock=CATALOGUE) as tx:
                # By its number the planner knows how large a generation is.
                gone = await tx.run(
                    "DELETE FROM entry WHERE generation_id = ?1 AND track_id IN (SELECT track_id"
                    " FROM entry WHERE generation_id = ?1 ORDER BY track_id LIMIT ?2)",
                    (generation_id, BATCH),
                )
                if gone < BATCH:
                    await tx.run("DELETE FROM generation WHERE id = ?", (generation_id,))
    while rows := await db.all(
        "SELECT id, track_id, embedding_id FROM maybe_unused ORDER BY id LIMIT ?", (BATCH,)
    ):
        async with db.transaction(lock=CATALOGUE) as tx:
            for table, place in (("track", 1), ("embedding", 2)):
                await tx.many(
                    f"DELETE FROM {table} WHERE id = ? AND NOT EXISTS"
                    f" (SELECT 1 FROM entry WHERE {table}_id = {table}.id)",
                    sorted({(row[place],) for row in rows}),
                )
            await tx.many("DELETE FROM maybe_unused WHERE id = ?", [row[:1] for row in rows])
