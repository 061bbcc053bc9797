"""Count and delete the data of one user."""

from __future__ import annotations

from dataclasses import dataclass

from db.connection import Database
from db.deletions import DELETE_USER, SEEN, record_deletion
from db.generations import CATALOGUE

_TASTE = {
    "track_votes": "track_vote",
    "not_again": "not_again",
    "taste": "taste",
    "taste_shown": "taste_shown",
}


@dataclass(frozen=True, slots=True)
class UserData:
    """Numbers of rows with a user's id.

    ``taste`` is 1 if the user gets recommendations from the own votes, else 0.
    """

    votes: int
    tracks_added: int
    pending_replies: int
    clips_taught: int = 0
    track_votes: int = 0
    not_again: int = 0
    taste: int = 0
    taste_shown: int = 0


async def count_user_data(db: Database, user_id: int) -> UserData:
    """Count the rows with a user's id."""
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
            clips_taught=await session.number(
                "SELECT count(*) FROM taught_clip WHERE added_by = ?", (user_id,)
            ),
            **{
                field: await session.number(
                    f"SELECT count(*) FROM {table} WHERE user_id = ?", (user_id,)
                )
                for field, table in _TASTE.items()
            },
        )


async def delete_user_data(db: Database, user_id: int) -> None:
    """Delete a user's votes, lists and pending replies, and the id from added tracks and clips.

    The tracks and taught genres stay, because they belong to the guild, whose admins can remove
    them. The deletion list makes it last when a backup is restored.
    """
    async with db.transaction(lock=CATALOGUE) as tx:
        if listed := await record_deletion(db.file, "user", user_id):
            await tx.run(SEEN, listed)
        for statement in DELETE_USER:
            await tx.run(statement, (user_id,))
