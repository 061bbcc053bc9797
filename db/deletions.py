"""Deletion list: salted hashes of deleted users and guilds, in a file beside the database.

A restored backup is older than some deletions. The list is a file of its own, so it survives the
restore, and ``open_db`` applies the entries that the database has not seen. Layout: a first line
with the salt, then one line for each deletion with an HMAC of its kind and id.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import re
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiosqlite

from db.upsert import upsert

Kind = Literal["user", "guild"]

log = logging.getLogger(__name__)

_HEAD = re.compile(r"genrec deletions 1 ([0-9a-f]{64})")
_KEY = "deletions"
SEEN = upsert("kept_value", ("name",), ("value",))
"""Statement that stores the row of `record_deletion`."""

_USERS = (
    "SELECT user_id FROM feedback UNION SELECT user_id FROM job UNION SELECT user_id FROM taste"
    " UNION SELECT user_id FROM track_vote"
    " UNION SELECT user_id FROM not_again WHERE user_id IS NOT NULL"
    " UNION SELECT added_by FROM entry WHERE added_by IS NOT NULL"
    " UNION SELECT added_by FROM taught_clip WHERE added_by IS NOT NULL"
)
_GUILDS = (
    "SELECT guild_id FROM guild UNION SELECT guild_id FROM feedback WHERE guild_id IS NOT NULL"
    " UNION SELECT guild_id FROM job WHERE guild_id IS NOT NULL"
    " UNION SELECT guild_id FROM track_vote WHERE guild_id IS NOT NULL"
    " UNION SELECT guild_id FROM not_again WHERE guild_id IS NOT NULL"
    " UNION SELECT CAST(substr(scope, 7) AS INTEGER) FROM generation WHERE scope LIKE 'guild:%'"
    " UNION SELECT CAST(substr(scope, 7) AS INTEGER) FROM taught_genre WHERE scope LIKE 'guild:%'"
)
# The rows of a user or guild; `db.privacy` and `db.guild_settings` delete with them too.
DELETE_USER = (
    "DELETE FROM feedback WHERE user_id = ?1",
    "DELETE FROM track_vote WHERE user_id = ?1",
    "DELETE FROM not_again WHERE user_id = ?1",
    "DELETE FROM taste_shown WHERE user_id = ?1",
    "DELETE FROM taste WHERE user_id = ?1",
    "DELETE FROM job WHERE user_id = ?1",
    "UPDATE entry SET added_by = NULL WHERE added_by = ?1",
    "UPDATE taught_clip SET added_by = NULL WHERE added_by = ?1",
)
_NUMBER = "CAST(CAST(?1 AS bigint) AS text)"  # of a guild, in a text
DELETE_GUILD = (
    "DELETE FROM guild WHERE guild_id = ?1",
    "DELETE FROM feedback WHERE guild_id = ?1",
    "DELETE FROM track_vote WHERE guild_id = ?1",
    "DELETE FROM not_again WHERE guild_id = ?1",
    "DELETE FROM job WHERE guild_id = ?1",
    f"DELETE FROM taught_genre WHERE scope = 'guild:' || {_NUMBER}",
    (
        f"DELETE FROM kept_value WHERE name IN ('unanswered:' || {_NUMBER},"
        f" 'welcomed:' || {_NUMBER}, 'own_tracks_only:guild:' || {_NUMBER})"
    ),
)
_RETIRE = (
    (
        "INSERT INTO change (model_id, kind) SELECT model_id, 'switch' FROM generation"
        f" WHERE scope = 'guild:' || {_NUMBER} AND state = 'active'"
    ),
    f"UPDATE generation SET state = 'retired' WHERE scope = 'guild:' || {_NUMBER}",
)


@dataclass(frozen=True, slots=True)
class _DeletionList:
    salt: str
    hashes: tuple[str, ...] = ()

    def seen(self, count: int) -> str:
        """Return the stored value of a database that has applied ``count`` entries."""
        return f"{hashlib.sha256(self.salt.encode()).hexdigest()[:16]}:{count}"

    def hash(self, kind: Kind, number: int) -> str:
        message = f"{kind}:{number}".encode()
        return hmac.new(bytes.fromhex(self.salt), message, hashlib.sha256).hexdigest()


def deletions_path(database: Path | str) -> Path:
    """Return the path of a database's deletion list."""
    path = Path(database)
    return path.with_name(path.name + "-deleted")


async def record_deletion(database: Path | None, kind: Kind, number: int) -> tuple[str, str] | None:
    """Append a deletion to the list and return the row that marks it as applied.

    Call it inside the transaction that deletes, and store the row with ``SEEN``: after a kill in
    between, the next start deletes. None if the database has no file (in memory, PostgreSQL) or the
    list cannot be written, which is logged, because the deletion must not wait.
    """
    if database is None:
        return None
    try:
        listed = await asyncio.to_thread(_append, deletions_path(database), kind, number)
    except OSError as error:
        log.warning("deletion list not written, a restored backup would undo it: %s", error)
        return None
    return (_KEY, listed.seen(len(listed.hashes)))


async def apply_deletions(connection: aiosqlite.Connection, database: str) -> None:
    """Delete what a restored database still has of deleted users and guilds."""
    path = deletions_path(database)
    listed = await asyncio.to_thread(_read, path) if path.exists() else None
    if listed is None:
        return
    rows = await connection.execute_fetchall("SELECT value FROM kept_value WHERE name = ?", (_KEY,))
    seen = next((str(value) for (value,) in rows), "")
    if seen == listed.seen(len(listed.hashes)):
        return
    of_list, _, count = seen.partition(":")
    # A database with another list, or none, may be older than all entries.
    first = int(count) if listed.seen(0).startswith(f"{of_list}:") and count.isdigit() else 0
    missed = frozenset(listed.hashes[first:])
    try:
        await _delete(connection, listed, missed)
    except sqlite3.OperationalError as error:
        # A database that cannot be written is still served.
        log.warning("deletions not applied to the database: %s", error)


async def _delete(
    connection: aiosqlite.Connection, listed: _DeletionList, missed: frozenset[str]
) -> None:
    deleted = 0
    await connection.execute_fetchall("BEGIN IMMEDIATE")
    try:
        kinds: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
            ("user", _USERS, DELETE_USER), ("guild", _GUILDS, DELETE_GUILD + _RETIRE)
        )  # fmt: skip
        for kind, select, statements in kinds:
            for (number,) in await connection.execute_fetchall(select) if missed else ():
                if listed.hash(kind, number) in missed:
                    deleted += 1
                    for statement in statements:
                        await connection.execute_fetchall(statement, (number,))
        await connection.execute_fetchall(SEEN, (_KEY, listed.seen(len(listed.hashes))))
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise
    if deleted:
        log.info("restored database: data of %d deleted users and guilds removed", deleted)


def _append(path: Path, kind: Kind, number: int) -> _DeletionList:
    known = _read(path)
    listed = known or _DeletionList(secrets.token_hex(32))
    entry = listed.hash(kind, number)
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
        if known is None:
            file.truncate(0)  # a list without its salt is of no use
            file.write(f"genrec deletions 1 {listed.salt}\n".encode())
        elif not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # a kill cut the last line
        file.write(f"{entry}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    return _DeletionList(listed.salt, (*listed.hashes, entry))


def _read(path: Path) -> _DeletionList | None:
    """Return the list, or None if there is none; an incomplete line stays, as a place."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("deletion list not read, a restored backup keeps deleted data: %s", error)
        return None
    head = _HEAD.fullmatch(lines[0])
    if head is None:
        log.warning("deletion list %s has no valid first line: it is ignored", path)
        return None
    return _DeletionList(head[1], tuple(line for line in lines[1:] if line))
