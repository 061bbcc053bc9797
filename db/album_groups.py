"""Groups of a scope's tracks by artist, album and genre tag, for lists of artists and albums."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from db.connection import Database

# The ids of a group as one text.
_TRACKS = {
    "sqlite": "group_concat(e.track_id)",
    "postgres": "string_agg(CAST(e.track_id AS text), ',')",
}
_GROUPS = (
    "SELECT g.scope, e.artist_key, min(e.artist), coalesce(d.album, ''),"
    " coalesce(d.release_id, ''), max(coalesce(d.artist_id, '')), e.genre,"
    " max(coalesce(d.year, 0)), sum(m.duration_s), max(coalesce(e.mtime_ns, 0)),"
    " {tracks}"
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN embedding AS m ON m.id = e.embedding_id"
    " LEFT JOIN detail AS d ON d.track_id = e.track_id"
    " WHERE g.state = 'active' AND g.model_id = ?1 AND e.gone_at IS NULL"
    " AND g.scope IN (SELECT value FROM json_each(?2))"
    " GROUP BY g.scope, e.artist_key, coalesce(d.album, ''), coalesce(d.release_id, ''), e.genre"
)
_LENGTHS = (
    "SELECT e.track_id, m.duration_s FROM generation AS g JOIN entry AS e"
    " ON e.generation_id = g.id JOIN embedding AS m ON m.id = e.embedding_id"
    " WHERE g.state = 'active' AND g.model_id = ?"
    " AND e.track_id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
)


@dataclass(frozen=True, slots=True)
class AlbumGroup:
    """The tracks of a scope that share artist, album and genre tag.

    ``album``, ``release_id`` and ``artist_id`` are "" if unknown, ``year`` is 0. ``changed_ns`` is
    the newest modification time of a file in ns since 1970, 0 without files. ``tracks`` are ids.
    """

    scope: str
    artist_key: str
    artist: str
    album: str
    release_id: str
    artist_id: str
    genre: str
    year: int
    duration_s: float
    changed_ns: int
    tracks: tuple[int, ...]


async def album_groups(db: Database, model_id: str, scopes: Collection[str]) -> list[AlbumGroup]:
    """Return the groups of all active tracks of the scopes; one pass over them."""
    rows = await db.all(
        _GROUPS.format(tracks=_TRACKS[db.engine]), (model_id, json.dumps(sorted(scopes)))
    )
    return [AlbumGroup(*[*row[:-1], tuple(map(int, row[-1].split(",")))]) for row in rows]


async def track_lengths(db: Database, model_id: str, ids: Collection[int]) -> dict[int, float]:
    """Return the lengths of the tracks' files in seconds, by track id."""
    rows = await db.all(_LENGTHS, (model_id, json.dumps([int(track_id) for track_id in ids])))
    return dict(rows)
