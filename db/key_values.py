"""Key-value store for single values, such as the hash of the last synced commands."""

from __future__ import annotations

from db.connection import Database, SqlSession
from db.upsert import upsert

SET_VALUE = upsert("kept_value", ("name",), ("value",))
"""Statement that stores a name and its value."""


async def get_value(db: Database | SqlSession, name: str) -> str | None:
    """Return the value stored under ``name``, or None."""
    row = await db.one("SELECT value FROM kept_value WHERE name = ?", (name,))
    return None if row is None else str(row[0])


async def set_value(db: Database | SqlSession, name: str, value: str) -> None:
    """Store a value under ``name``, in place of the old one."""
    await db.run(SET_VALUE, (name, value))
