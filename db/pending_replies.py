"""Journal of the answers that are owed, so that a restart corrects those a crash cut off."""

from __future__ import annotations

from dataclasses import dataclass, field

from db.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """An answer that is owed.

    It is given by editing the response of the interaction (``application_id``, ``token``) or the
    bot's own message (``channel_id``, ``message_id``). ``created_at`` is in seconds since 1970, and
    ``run_id`` names the process that took the job on.
    """

    run_id: str
    kind: str
    user_id: int
    created_at: float
    guild_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None
    application_id: int | None = None
    token: str | None = field(default=None, repr=False)  # a credential: never in a log
    id: int = 0


_COLUMNS = (
    "run_id, kind, user_id, created_at, guild_id, channel_id, message_id, application_id, token"
)


async def add_pending_reply(db: Database, job: PendingReply) -> int:
    """Note down an answer that is owed, and return its id."""
    async with db.transaction() as tx:
        return await tx.number(
            f"INSERT INTO job ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                job.run_id, job.kind, job.user_id, job.created_at, job.guild_id,
                job.channel_id, job.message_id, job.application_id, job.token,
            ),
        )  # fmt: skip


async def delete_pending_reply(db: Database, job_id: int) -> None:
    """Strike out an answer that was given; its token goes with it."""
    await db.run("DELETE FROM job WHERE id = ?", (job_id,))


async def interrupted_replies(db: Database, run_id: str) -> list[PendingReply]:
    """Return the pending replies of other runs, oldest first."""
    rows = await db.all(f"SELECT id, {_COLUMNS} FROM job WHERE run_id <> ? ORDER BY id", (run_id,))
    names = ("id", *_COLUMNS.split(", "))
    return [PendingReply(**dict(zip(names, row, strict=True))) for row in rows]
