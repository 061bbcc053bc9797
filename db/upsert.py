"""Statements that insert rows in place of those with the same key, as both engines spell them."""

from __future__ import annotations

from collections.abc import Sequence


def upsert(table: str, key: Sequence[str], columns: Sequence[str], *, rows: str = "") -> str:
    """Return the statement that stores a row, in place of the one with its ``key``.

    Its parameters are the key's columns and then the others. With ``rows``, a SELECT that has a
    WHERE, it stores what that returns.
    """
    names = (*key, *columns)
    values = rows or f"VALUES ({', '.join('?' * len(names))})"
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) {values}"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}"
    )


def insert_new(table: str, columns: Sequence[str]) -> str:
    """Return the statement that stores a row, unless there is one with its key."""
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT DO NOTHING"


PUT_FAILURE = upsert(
    "failure", ("scope", "model_id", "path"), ("size", "mtime_ns", "code", "reason")
)
"""Statement that stores a file that cannot be analysed."""
