"""Votes, thumbs up or down: one for each user and message, stored until the user deletes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from db.connection import Database

Verdict = Literal[1, -1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A user's vote for a response: 1 is thumbs up, -1 thumbs down."""

    message_id: int
    user_id: int
    guild_id: int | None
    model_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """Numbers of thumbs up and down."""

    up: int
    down: int

    @property
    def share(self) -> float | None:
        """Share of thumbs up among all votes, 0..1, or None without a vote."""
        return self.up / (self.up + self.down) if self.up + self.down else None


async def vote(db: Database, cast: Vote) -> bool:
    """Store a user's vote, or withdraw an equal earlier one; return whether a vote is stored.

    A different earlier vote of the user for the same message is replaced.
    """
    key = (cast.message_id, cast.user_id)
    async with db.transaction() as tx:
        deleted = await tx.run(
            "DELETE FROM feedback WHERE message_id = ? AND user_id = ? AND verdict = ?",
            (*key, cast.verdict),
        )
        if not deleted:
            await tx.run(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)",
                (*key, cast.guild_id, cast.model_id, cast.verdict),
            )
    return not deleted


async def count_votes(db: Database, *, model_id: str | None = None) -> VoteCounts:
    """Return the numbers of thumbs up and down for one model, or for all."""
    rows = await db.all(
        "SELECT verdict, count(*) FROM feedback WHERE ?1 IS NULL OR model_id = ?1 GROUP BY verdict",
        (model_id,),
    )
    counts = dict(rows)
    return VoteCounts(up=counts.get(1, 0), down=counts.get(-1, 0))
