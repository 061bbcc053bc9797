"""Thumbs up and down: one vote a user and answer, kept until its user has it deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from db.connection import Database

Verdict = Literal[1, -1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What a user thinks of an answer, 1 or -1."""

    message_id: int
    user_id: int
    guild_id: int | None
    model_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """How answers were received."""

    up: int
    down: int

    @property
    def share(self) -> float | None:
        """Share of thumbs up among all votes; none where nobody voted."""
        return self.up / (self.up + self.down) if self.up + self.down else None


async def vote(db: Database, cast: Vote) -> bool:
    """Keep a vote in the place of the user's last one; the same vote again takes it back.

    Return whether the vote stands.
    """
    key = (cast.message_id, cast.user_id)
    async with db.transaction() as tx:
        taken_back = await tx.run(
            "DELETE FROM feedback WHERE message_id = ? AND user_id = ? AND verdict = ?",
            (*key, cast.verdict),
        )
        if not taken_back:
            await tx.run(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)",
                (*key, cast.guild_id, cast.model_id, cast.verdict),
            )
    return not taken_back


async def count_votes(
    db: Database,
    *,
    model_id: str | None = None,
    guild_id: int | None = None,
    message_id: int | None = None,
) -> VoteCounts:
    """Count the votes, of all or of one model, server or message."""
    rows = await db.all(
        "SELECT verdict, count(*) FROM feedback WHERE (?1 IS NULL OR model_id = ?1)"
        " AND (?2 IS NULL OR guild_id = ?2) AND (?3 IS NULL OR message_id = ?3) GROUP BY verdict",
        (model_id, guild_id, message_id),
    )
    counts = dict(rows)
    return VoteCounts(counts.get(1, 0), counts.get(-1, 0))
