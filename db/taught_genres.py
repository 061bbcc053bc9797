"""Genres of a scope's own: genre tags of its tracks, and genres that were taught with clips."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.connection import Database, SqlSession
from db.tagging.genre_names import genre_key
from db.tags import clean
from db.vectors import is_sound_vector, pack_vector, unpack_vector
from genrec.errors import InputRefused, ModelMismatch

MAX_TAUGHT = 50
"""Most genres that are taught in one scope."""
MAX_CLIPS = 10
"""Most clips of a genre that is taught."""


class TooManyGenres(InputRefused):
    """Raised for a further genre in a scope that has as many as it may."""

    code = "too_many_genres"


@dataclass(frozen=True, slots=True, eq=False)
class TaughtClip:
    """A clip that teaches a genre; only its hash and embedding, float32 (d,), are stored."""

    content: str
    embedding: NDArray[np.float32]
    added_by: int | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """The result of `teach`: clips of the genre now, new ones, and those beyond `MAX_CLIPS`."""

    name: str
    clips: int
    added: int
    left_out: int


@dataclass(frozen=True, slots=True)
class TaughtGenre:
    """A genre that was taught; ``clips`` counts those of the model, ``others`` of other models."""

    name: str
    clips: int
    others: int


async def teach(
    db: Database, scope: str, model_id: str, name: str, clips: Sequence[TaughtClip]
) -> Taught:
    """Store clips of a genre, which is new or has this name in any spelling.

    Raises
    ------
    TooManyGenres
        The scope has `MAX_TAUGHT` genres.
    """
    folded = genre_key(name)
    async with db.transaction(lock=f"taught:{scope}") as tx:
        row = await _find(tx, scope, folded)
        if row is None:
            count = await tx.number("SELECT count(*) FROM taught_genre WHERE scope = ?", (scope,))
            if count >= MAX_TAUGHT:
                raise TooManyGenres(
                    f"This library has {count} taught genres, the most it may have: forget one"
                    " first."
                )
            await tx.run(
                "INSERT INTO taught_genre (scope, name, folded) VALUES (?, ?, ?)",
                (scope, name, folded),
            )
            row = await _find(tx, scope, folded)
        assert row is not None
        genre_id, shown = row
        known = await _contents(tx, genre_id, model_id)
        new = {clip.content: clip for clip in clips if clip.content not in known}
        chosen = list(new.values())[: max(0, MAX_CLIPS - len(known))]
        await tx.many(
            "INSERT INTO taught_clip (genre_id, content, model_id, vector, added_by)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (genre_id, clip.content, model_id, pack_vector(clip.embedding), clip.added_by)
                for clip in chosen
            ],
        )
    return Taught(shown, len(known) + len(chosen), len(chosen), len(new) - len(chosen))


async def forget_genre(db: Database, scope: str, name: str) -> str | None:
    """Delete a taught genre with its embeddings; return its name, or None if there is none."""
    async with db.transaction() as tx:
        row = await _find(tx, scope, genre_key(name))
        if row is None:
            return None
        await tx.run("DELETE FROM taught_genre WHERE id = ?", (row[0],))
    return row[1]


async def taught_genres(db: Database, scope: str, model_id: str) -> list[TaughtGenre]:
    """Return the taught genres of a scope, sorted by name."""
    rows = await db.all(
        "SELECT g.name, count(CASE WHEN c.model_id = ?2 THEN 1 END),"
        " count(CASE WHEN c.model_id <> ?2 THEN 1 END) FROM taught_genre AS g"
        " LEFT JOIN taught_clip AS c ON c.genre_id = g.id WHERE g.scope = ?1"
        " GROUP BY g.id, g.name, g.folded ORDER BY g.folded",
        (scope, model_id),
    )
    return [TaughtGenre(name, int(clips), int(others)) for name, clips, others in rows]


async def taught_clips(
    db: Database, scope: str, model_id: str, dimension: int
) -> list[tuple[str, NDArray[np.float32]]]:
    """Return the embeddings of a scope's taught clips, each with the genre's name."""
    rows = await db.all(
        "SELECT g.name, c.vector FROM taught_genre AS g JOIN taught_clip AS c ON c.genre_id = g.id"
        " WHERE g.scope = ? AND c.model_id = ? ORDER BY c.id",
        (scope, model_id),
    )
    return [(name, unpack_vector(v)) for name, v in rows if is_sound_vector(v, dimension)]


async def export_taught(db: Database, scope: str, model_id: str) -> str:
    """Return the taught genres of a scope as JSON, with the embeddings of the clips."""
    rows = await db.all(
        "SELECT g.name, c.content, c.vector FROM taught_genre AS g"
        " JOIN taught_clip AS c ON c.genre_id = g.id WHERE g.scope = ? AND c.model_id = ?"
        " ORDER BY g.folded, c.id",
        (scope, model_id),
    )
    genres: dict[str, list[dict[str, str]]] = {}
    for name, content, vector in rows:
        embedding = base64.b64encode(vector).decode("ascii")
        genres.setdefault(name, []).append({"content": content, "embedding": embedding})
    listed = [{"name": name, "clips": clips} for name, clips in genres.items()]
    return json.dumps({"model_id": model_id, "taught_genres": listed}, ensure_ascii=False, indent=1)


async def import_taught(
    db: Database, scope: str, text: str, *, model_id: str, dimension: int
) -> list[Taught]:
    """Add the genres of an export to a scope; return them.

    Raises
    ------
    InputRefused
        The text is no such export, or an embedding is invalid.
    ModelMismatch
        The export is of another model.
    TooManyGenres
        The scope would have more than `MAX_TAUGHT` genres; those before are added.
    """
    try:
        whole = json.loads(text)
        given = [
            (clean(genre["name"]), [(c["content"], c["embedding"]) for c in genre["clips"]])
            for genre in whole["taught_genres"]
        ]
        vectors = [
            (name, [TaughtClip(str(c), unpack_vector(base64.b64decode(e))) for c, e in clips])
            for name, clips in given
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputRefused(
            "The file is no export of `genrec genres export`, or is incomplete: export it again."
        ) from error
    if whole.get("model_id") != model_id:
        raise ModelMismatch(
            f"The genres are of the model {whole.get('model_id')}, and this genrec uses"
            f" {model_id}: use the same preset for both."
        )
    for name, clips in vectors:
        if not genre_key(name) or any(clip.embedding.shape != (dimension,) for clip in clips):
            raise InputRefused(
                f"The genre {name!r} has no name or embeddings of another size: export it again."
            )
    return [await teach(db, scope, model_id, name, clips) for name, clips in vectors]


async def taught_version(db: Database, scope: str) -> tuple[int, int]:
    """Return a value that changes with every change of a scope's taught genres."""
    return (await taught_versions(db, (scope,)))[scope]


async def taught_versions(db: Database, scopes: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return the `taught_version` of each scope."""
    rows = await db.all(
        "SELECT g.scope, max(c.id), count(*) FROM taught_genre AS g"
        " JOIN taught_clip AS c ON c.genre_id = g.id"
        " WHERE g.scope IN (SELECT value FROM json_each(?)) GROUP BY g.scope",
        (json.dumps(list(scopes)),),
    )
    none = dict.fromkeys(scopes, (0, 0))
    return none | {scope: (newest, count) for scope, newest, count in rows}


async def tagged_tracks(db: Database, scope: str, model_id: str) -> list[tuple[int, str]]:
    """Return the id and the genre tag of a scope's active tracks that have one."""
    rows = await db.all(
        "SELECT e.track_id, e.genre FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
        " WHERE g.state = 'active' AND g.scope = ? AND g.model_id = ? AND e.tagged = 1"
        " AND e.gone_at IS NULL ORDER BY e.track_id",
        (scope, model_id),
    )
    return [(track_id, genre) for track_id, genre in rows]


async def is_tagged(db: Database, track_id: int) -> bool:
    """Return whether a track's genre is from a tag or a person, in any generation."""
    return bool(
        await db.number(
            "SELECT coalesce(max(tagged), 0) FROM entry WHERE track_id = ?", (track_id,)
        )
    )


async def _find(tx: SqlSession, scope: str, folded: str) -> tuple[int, str] | None:
    row = await tx.one(
        "SELECT id, name FROM taught_genre WHERE scope = ? AND folded = ?", (scope, folded)
    )
    return None if row is None else (int(row[0]), str(row[1]))


async def _contents(tx: SqlSession, genre_id: int, model_id: str) -> set[str]:
    rows = await tx.all(
        "SELECT content FROM taught_clip WHERE genre_id = ? AND model_id = ?", (genre_id, model_id)
    )
    return {content for (content,) in rows}
