"""Pending replies: rows that let a restart correct messages that a crash left unfinished."""

from __future__ import annotations

import secrets
from dataclasses import astuple, dataclass, field, fields

from db.connection import Database
from db.upsert import upsert


def new_reply_id() -> int:
    """Return a random row id: the row can be changed before its insertion is written."""
    return secrets.randbits(62)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """A message that waits for its final content.

    It is edited through the interaction (``application_id``, ``token``) or as the bot's own message
    (``channel_id``, ``message_id``). The reply to an upload refers to the message ``upload_id``.
    ``created_at`` is in seconds since 1970, and ``run_id`` identifies the process that handles the
    request.
    """

    run_id: str
    kind: str
    user_id: int
    created_at: float
    guild_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None
    upload_id: int | None = None
    application_id: int | None = None
    token: str | None = field(default=None, repr=False)  # a credential, so never logged
    id: int = field(default_factory=new_reply_id)


_COLUMNS = tuple(column.name for column in fields(PendingReply))
_INSERT = upsert("job", ("id",), _COLUMNS[:-1])  # the last one is the id


@dataclass(slots=True)
class ReplyChanges:
    """Changes of pending replies for one transaction.

    ``posted`` maps the id of a reply to the id of its message, and ``deleted`` has the ids of
    replies whose messages are final. ``tried`` has the ids of the added replies that a failed
    transaction may have written all the same: the server can commit and its answer be lost.
    """

    added: dict[int, PendingReply] = field(default_factory=dict)
    posted: dict[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.posted or self.deleted)

    def add(self, reply: PendingReply) -> None:
        """Record a new reply for insertion."""
        self.added[reply.id] = reply

    def delete(self, reply_id: int) -> None:
        """Record the deletion of a reply; one that was surely not saved is never written."""
        self.posted.pop(reply_id, None)
        if self.added.pop(reply_id, None) is None or reply_id in self.tried:
            self.deleted.add(reply_id)

    def failed_before(self, later: ReplyChanges) -> ReplyChanges:
        """Append later changes to these, whose transaction failed, and return the result."""
        self.tried |= self.added.keys()
        for reply in later.added.values():
            self.add(reply)
        self.posted |= later.posted
        for reply_id in later.deleted:
            self.delete(reply_id)
        return self


async def save_reply_changes(db: Database, changes: ReplyChanges) -> None:
    """Write all changes in one transaction."""
    async with db.transaction() as tx:
        if changes.added:
            rows = [astuple(reply) for reply in changes.added.values()]
            await tx.many(_INSERT, [(row[-1], *row[:-1]) for row in rows])
        if changes.posted:
            posted = [(message_id, reply_id) for reply_id, message_id in changes.posted.items()]
            await tx.many("UPDATE job SET message_id = ? WHERE id = ?", posted)
        if changes.deleted:
            await tx.many("DELETE FROM job WHERE id = ?", [(id_,) for id_ in changes.deleted])


async def other_runs(db: Database, run_id: str) -> list[str]:
    """Return the ids of the other processes that have pending replies, oldest first."""
    rows = await db.all(
        "SELECT run_id FROM job WHERE run_id <> ? GROUP BY run_id ORDER BY min(created_at)",
        (run_id,),
    )
    return [row[0] for row in rows]


async def replies_of_run(db: Database, run_id: str) -> list[PendingReply]:
    """Return the pending replies of one process, oldest first."""
    rows = await db.all(
        f"SELECT {', '.join(_COLUMNS)} FROM job WHERE run_id = ? ORDER BY created_at, id",
        (run_id,),
    )
    return [PendingReply(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


async def interrupted_replies(db: Database, run_id: str) -> list[PendingReply]:
    """Return the pending replies of other processes, oldest first."""
    rows = await db.all(
        f"SELECT {', '.join(_COLUMNS)} FROM job WHERE run_id <> ? ORDER BY created_at, id",
        (run_id,),
    )
    return [PendingReply(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
