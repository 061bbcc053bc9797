"""A user's taste: the choice to get recommendations from votes, the votes, the tracks shown."""

from __future__ import annotations

import time
from collections.abc import Iterable

from db.connection import Database
from db.upsert import upsert

MOST_VOTES = 1_000  # the newest tracks that a user has voted for
SHOWN_DAYS = 30.0  # so long a track is not shown again
_DAY_S = 86_400.0
_SHOW = upsert(
    "taste_shown",
    ("user_id", "track_id"),
    ("shown_at",),
    rows="SELECT user_id, CAST(?2 AS bigint), CAST(?3 AS double precision) FROM taste"
    " WHERE user_id = ?1",
)


async def opt_in(db: Database, user_id: int) -> None:
    """Store that a user wants recommendations from the own votes."""
    async with db.transaction() as tx:
        await tx.run("INSERT INTO taste VALUES (?) ON CONFLICT DO NOTHING", (user_id,))


async def opt_out(db: Database, user_id: int) -> bool:
    """Withdraw it and forget the tracks shown; the votes stay. Return whether it was stored."""
    async with db.transaction() as tx:
        return bool(await tx.run("DELETE FROM taste WHERE user_id = ?", (user_id,)))


async def opted_in(db: Database, user_id: int) -> bool:
    """Return whether a user wants recommendations from the own votes."""
    return await db.one("SELECT 1 FROM taste WHERE user_id = ?", (user_id,)) is not None


async def voted_tracks(db: Database, user_id: int) -> dict[int, float]:
    """Return the weight of each track that a user has voted for, -1..1, the newest first.

    It is 1 or -1 by the newest vote for that track alone. Without one it is the sum of its shares
    of votes for whole answers, cut to that range.
    """
    rows = await db.all(
        "SELECT track_id, verdict, shared, cast_at FROM track_vote WHERE user_id = ?"
        " ORDER BY cast_at DESC, message_id DESC",
        (user_id,),
    )
    alone: dict[int, float] = {}
    divided: dict[int, float] = {}
    for track_id, verdict, shared, _ in rows:
        if not shared:
            alone.setdefault(track_id, float(verdict))
        divided[track_id] = divided.get(track_id, 0.0) + verdict / max(shared, 1)
    weights = {
        track_id: alone.get(track_id, min(max(weight, -1.0), 1.0))
        for track_id, weight in divided.items()
    }
    return dict(list(weights.items())[:MOST_VOTES])


async def shown_lately(db: Database, user_id: int, *, now: float | None = None) -> frozenset[int]:
    """Return the tracks that a user was shown in the last `SHOWN_DAYS` days."""
    since = (time.time() if now is None else now) - SHOWN_DAYS * _DAY_S
    rows = await db.all(
        "SELECT track_id FROM taste_shown WHERE user_id = ? AND shown_at >= ?", (user_id, since)
    )
    return frozenset(track_id for (track_id,) in rows)


async def record_shown(
    db: Database, user_id: int, tracks: Iterable[int], *, now: float | None = None
) -> None:
    """Store that a user was shown tracks, and forget those of longer ago.

    Nothing is stored for a user who has not opted in, or who deleted the data in the meantime.
    """
    at = time.time() if now is None else now
    async with db.transaction() as tx:
        await tx.run(
            "DELETE FROM taste_shown WHERE user_id = ? AND shown_at < ?",
            (user_id, at - SHOWN_DAYS * _DAY_S),
        )
        await tx.many(
            _SHOW,
            [(user_id, track_id, at) for track_id in tracks],
        )
