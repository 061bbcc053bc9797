"""Single values to keep, such as the hash of the commands as they were last synced."""

from __future__ import annotations

from db.connection import Database


async def get_value(db: Database, name: str) -> str | None:
    """Return a value, if it is kept."""
    row = await db.one("SELECT value FROM kept_value WHERE name = ?", (name,))
    return None if row is None else str(row[0])


async def set_value(db: Database, name: str, value: str) -> None:
    """Keep a value in the place of the one before."""
    await db.run("INSERT OR REPLACE INTO kept_value VALUES (?, ?)", (name, value))
