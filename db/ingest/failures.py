"""Store the files that cannot be analysed, with the reasons; runs skip them until they change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from db.connection import Database, SqlSession
from db.ingest.scan import FileStamp
from db.upsert import PUT_FAILURE


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that cannot be analysed; ``lasting`` is True if only a change of the file can help."""

    path: str
    stamp: FileStamp
    code: str
    reason: str
    lasting: bool = True


async def load_failures(session: SqlSession, scope: str, model_id: str) -> dict[str, Failure]:
    """Return the stored failures of a scope and model, by path."""
    rows = await session.all(
        "SELECT path, size, mtime_ns, code, reason FROM failure"
        " WHERE scope = ? AND model_id = ? ORDER BY path",
        (scope, model_id),
    )
    return {row[0]: Failure(row[0], FileStamp(row[1], row[2]), row[3], row[4]) for row in rows}


async def save_failures(
    tx: SqlSession, scope: str, model_id: str, failures: Iterable[Failure]
) -> None:
    """Store those of the failures that are lasting, in place of earlier ones of the same files."""
    await tx.many(
        PUT_FAILURE,
        [
            (
                scope, model_id, failure.path, failure.stamp.size, failure.stamp.mtime_ns,
                failure.code, failure.reason,
            )
            for failure in failures
            if failure.lasting
        ],
    )  # fmt: skip


async def delete_failures(tx: SqlSession, scope: str, model_id: str, paths: Iterable[str]) -> None:
    """Delete the stored failures of these files."""
    await tx.many(
        "DELETE FROM failure WHERE scope = ? AND model_id = ? AND path = ?",
        [(scope, model_id, path) for path in paths],
    )


async def delete_models_failures(db: Database, models: Sequence[str]) -> None:
    """Delete all stored failures of these models."""
    await db.run(
        "DELETE FROM failure WHERE model_id IN (SELECT value FROM json_each(?))",
        (json.dumps(models),),
    )
