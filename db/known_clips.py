"""Find the track of a scope that a clip already is."""

from __future__ import annotations

from db.connection import Database
from db.generations import CONTENT_SOURCE, KnownTrack, NewTrack
from db.vectors import pack_vector

_SELECT = (
    "SELECT e.title, e.artist, e.genre, e.label, t.source, m.content, e.added_by, e.tagged"
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN track AS t ON t.id = e.track_id JOIN embedding AS m ON m.id = e.embedding_id"
    " WHERE g.state = 'active' AND g.scope = ? AND g.model_id = ?"
)


async def known_clip(db: Database, scope: str, model_id: str, track: NewTrack) -> KnownTrack | None:
    """Return the active track of a scope with a new track's source, file or embedding, or None.

    An imported track has neither the source nor the hash of its file, so the embedding is compared
    too: the same file has the same one.
    """
    source = track.source or f"{CONTENT_SOURCE}{track.content}"
    for condition, value in (
        ("t.source = ?", source),
        ("m.content = ?", track.content),
        ("m.vector = ?", pack_vector(track.embedding)),
    ):
        row = await db.one(f"{_SELECT} AND {condition} LIMIT 1", (scope, model_id, value))
        if row is not None:
            title, artist, genre, label, source, content, added_by, tagged = row
            return KnownTrack(
                title=title, artist=artist, genre=genre, label=label, source=source,
                content=content, added_by=added_by, tagged=bool(tagged),
            )  # fmt: skip
    return None
