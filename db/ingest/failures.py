"""Files that could not be analysed, and why: they are not tried again until they change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from db.connection import Database, SqlSession
from db.ingest.scan import FileStamp


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that is not in the catalogue; ``lasting`` where only a change of it can help."""

    path: str
    stamp: FileStamp
    code: str
    reason: str
    lasting: bool = True


async def list_failures(db: Database, scope: str, model_id: str) -> list[Failure]:
    """List the files that are known to fail, by path."""
    async with db.snapshot() as session:
        return list((await load_failures(session, scope, model_id)).values())


async def load_failures(session: SqlSession, scope: str, model_id: str) -> dict[str, Failure]:
    """Return the files that are known to fail, by path."""
    rows = await session.all(
        "SELECT path, size, mtime_ns, code, reason FROM failure"
        " WHERE scope = ? AND model_id = ? ORDER BY path",
        (scope, model_id),
    )
    return {row[0]: Failure(row[0], FileStamp(row[1], row[2]), row[3], row[4]) for row in rows}


async def save_failures(
    tx: SqlSession, scope: str, model_id: str, found: Iterable[Failure]
) -> None:
    """Keep the failures that will last."""
    await tx.many(
        "INSERT OR REPLACE INTO failure (scope, model_id, path, size, mtime_ns, code, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                scope, model_id, failure.path, failure.stamp.size, failure.stamp.mtime_ns,
                failure.code, failure.reason,
            )
            for failure in found
            if failure.lasting
        ],
    )  # fmt: skip


async def delete_failures(tx: SqlSession, scope: str, model_id: str, paths: Iterable[str]) -> None:
    """Drop what is known about these files: they succeeded, changed or are gone."""
    await tx.many(
        "DELETE FROM failure WHERE scope = ? AND model_id = ? AND path = ?",
        [(scope, model_id, path) for path in paths],
    )
