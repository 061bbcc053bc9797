"""Pending replies: rows that let a restart correct messages that a crash left unfinished."""

from __future__ import annotations

from dataclasses import dataclass, field

from db.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """A message that waits for its final content.

    It is edited through the interaction (``application_id``, ``token``) or as the bot's own message
    (``channel_id``, ``message_id``). ``created_at`` is in seconds since 1970, and ``run_id``
    identifies the process that handles the request.
    """

    run_id: str
    kind: str
    user_id: int
    created_at: float
    guild_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None
    application_id: int | None = None
    token: str | None = field(default=None, repr=False)  # a credential, so never logged
    id: int = 0


_COLUMNS = (
    "run_id, kind, user_id, created_at, guild_id, channel_id, message_id, application_id, token"
)


async def add_pending_reply(db: Database, reply: PendingReply) -> int:
    """Store a pending reply and return its id."""
    async with db.transaction() as tx:
        return await tx.number(
            f"INSERT INTO job ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                reply.run_id, reply.kind, reply.user_id, reply.created_at, reply.guild_id,
                reply.channel_id, reply.message_id, reply.application_id, reply.token,
            ),
        )  # fmt: skip


async def delete_pending_reply(db: Database, reply_id: int) -> None:
    """Delete a pending reply together with its token."""
    await db.run("DELETE FROM job WHERE id = ?", (reply_id,))


async def interrupted_replies(db: Database, run_id: str) -> list[PendingReply]:
    """Return the pending replies of other processes, oldest first."""
    rows = await db.all(f"SELECT id, {_COLUMNS} FROM job WHERE run_id <> ? ORDER BY id", (run_id,))
    names = ("id", *_COLUMNS.split(", "))
    return [PendingReply(**dict(zip(names, row, strict=True))) for row in rows]
