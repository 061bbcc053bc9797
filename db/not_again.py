"""Songs and artists that are not recommended again, to a user or in a guild."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from db.connection import Database
from genrec.names import artist_key

MOST_ENTRIES = 500  # of one user or guild
Owner = Literal["user", "guild"]
_OF = {"user": "user_id = ?1", "guild": "guild_id = ?1"}


@dataclass(frozen=True, slots=True)
class ListOwner:
    """The user or the guild that a list belongs to."""

    kind: Owner
    number: int


@dataclass(frozen=True, slots=True)
class NotAgain:
    """An entry: a song by its track, or all songs of an artist; ``name`` is shown to people."""

    id: int
    name: str
    track_id: int | None = None
    artist_key: str | None = None

    @property
    def is_artist(self) -> bool:
        """Whether the entry is about an artist."""
        return self.artist_key is not None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Ids of tracks and keys of artists that are not recommended."""

    tracks: frozenset[int] = frozenset()
    artists: frozenset[str] = frozenset()


async def left_out(
    db: Database, user_id: int, guild_id: int | None, scopes: Collection[str]
) -> LeftOut:
    """Return what is not recommended to a user in a guild; None means a direct message.

    A song also stands for the active tracks of the scopes with the same artist and title.
    """
    rows = await db.all(
        "WITH listed AS (SELECT track_id, artist_key FROM not_again"
        " WHERE user_id = ?1 OR guild_id = ?2)"
        " SELECT track_id, artist_key FROM listed UNION"
        " SELECT same.track_id, NULL FROM listed"
        " JOIN entry AS own ON own.track_id = listed.track_id"
        " JOIN generation AS g ON g.state = 'active'"
        " AND g.scope IN (SELECT value FROM json_each(?3))"
        " JOIN entry AS same ON same.generation_id = g.id AND same.folded = own.folded"
        " WHERE own.folded <> ''",
        (user_id, guild_id, json.dumps(sorted(scopes))),
    )
    return LeftOut(
        frozenset(track_id for track_id, _ in rows if track_id is not None),
        frozenset(key for _, key in rows if key is not None),
    )


async def add_song(db: Database, owner: ListOwner, track_id: int, name: str) -> bool:
    """Add a track to a list; return False if the list is full."""
    return await _add(db, owner, name, track_id=track_id)


async def add_artist(db: Database, owner: ListOwner, artist: str) -> bool:
    """Add an artist to a list; return False if the list is full.

    Raises
    ------
    ValueError
        The name is empty, or one of those for unknown artists.
    """
    key = artist_key(artist)
    if not key:
        raise ValueError(f"artist={artist!r}: expected the name of an artist")
    return await _add(db, owner, artist, artist=key)


async def entries(db: Database, owner: ListOwner) -> list[NotAgain]:
    """Return the entries of a list, the newest first."""
    rows = await db.all(
        "SELECT id, name, track_id, artist_key FROM not_again"
        f" WHERE {_OF[owner.kind]} ORDER BY id DESC",
        (owner.number,),
    )
    return [NotAgain(*row) for row in rows]


async def remove(db: Database, owner: ListOwner, entry_id: int) -> str | None:
    """Remove an entry from its owner's list; return its name, or None if it is not there."""
    async with db.transaction() as tx:
        rows = await tx.all(
            f"DELETE FROM not_again WHERE {_OF[owner.kind]} AND id = ?2 RETURNING name",
            (owner.number, entry_id),
        )
    return str(rows[0][0]) if rows else None


async def _add(
    db: Database,
    owner: ListOwner,
    name: str,
    *,
    track_id: int | None = None,
    artist: str | None = None,
) -> bool:
    user_id = owner.number if owner.kind == "user" else None
    guild_id = owner.number if owner.kind == "guild" else None
    async with db.transaction(lock=f"not_again:{owner.kind}:{owner.number}") as tx:
        await tx.run(
            "INSERT INTO not_again (user_id, guild_id, track_id, artist_key, name)"
            " SELECT ?2, ?3, ?4, ?5, ?6 WHERE"
            f" (SELECT count(*) FROM not_again WHERE {_OF[owner.kind]}) < {MOST_ENTRIES}"
            " ON CONFLICT DO NOTHING",
            (owner.number, user_id, guild_id, track_id, artist, name),
        )
        found = await tx.number(
            f"SELECT count(*) FROM not_again WHERE {_OF[owner.kind]}"
            " AND (track_id = ?2 OR artist_key = ?3)",
            (owner.number, track_id, artist),
        )
    return bool(found)
