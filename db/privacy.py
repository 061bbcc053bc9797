"""What is kept about one person, and its deletion."""

from __future__ import annotations

from dataclasses import dataclass

from db.connection import Database


@dataclass(frozen=True, slots=True)
class UserData:
    """How many things carry a user's id."""

    votes: int
    tracks_added: int
    pending_replies: int


async def count_user_data(db: Database, user_id: int) -> UserData:
    """Count what carries a user's id."""
    async with db.snapshot() as session:
        return UserData(
            votes=await session.number(
                "SELECT count(*) FROM feedback WHERE user_id = ?", (user_id,)
            ),
            tracks_added=await session.number(
                "SELECT count(DISTINCT track_id) FROM entry WHERE added_by = ?", (user_id,)
            ),
            pending_replies=await session.number(
                "SELECT count(*) FROM job WHERE user_id = ?", (user_id,)
            ),
        )


async def delete_user_data(db: Database, user_id: int) -> None:
    """Delete a user's votes and owed answers, and the user's id from the tracks they added.

    The tracks stay: they are the server's, which can remove them.
    """
    async with db.transaction() as tx:
        await tx.run("DELETE FROM feedback WHERE user_id = ?", (user_id,))
        await tx.run("DELETE FROM job WHERE user_id = ?", (user_id,))
        await tx.run("UPDATE entry SET added_by = NULL WHERE added_by = ?", (user_id,))
