"""Steps of `db.move` that differ by engine: locks, triggers, sequences, full-text index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from db.move_tables import TABLES, Table, pages
from db.search_text import search_text
from db.session import Database, SqlSession
from genrec.errors import CatalogueError

_SCOPES = "SELECT DISTINCT scope FROM generation"
# Leases are advisory locks of connections with a name of their own, see `db.postgres`.
_LEASES = (
    "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'genrec leases'"
    " AND a.datname = current_database()"
)
_TRIGRAMS = "entry_words_trigrams"
_COUNTED = tuple((table.name, table.key[0]) for table in TABLES if table.counts)


async def refuse_busy(database: Database, session: SqlSession) -> None:
    """Raise CatalogueError if a bot or an indexing run of any machine uses the database.

    A bot with a SQLite file has locked it, see `bot.runtime.instance_lock`.
    """
    if session.engine == "postgres":
        # A transaction sees the connections of its first look until then.
        await session.all("SELECT pg_stat_clear_snapshot()")
        busy = await session.number(_LEASES) > 0
    else:
        scopes = {"library", *(str(scope) for (scope,) in await session.all(_SCOPES))}
        busy = any([await database.leases.is_held(f"scope:{scope}") for scope in sorted(scopes)])
    if busy:
        raise CatalogueError(
            f"A bot or an indexing run uses {database.name}: stop all of them, and move again."
        )


async def freeze(session: SqlSession) -> None:
    """Keep every other program from writing to the tables until the transaction ends.

    The one writer of SQLite is the transaction itself.
    """
    if session.engine == "postgres":
        names = ", ".join(table.name for table in TABLES)
        await session.run(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        # One side waits while the other is read.
        await session.run("SET LOCAL idle_in_transaction_session_timeout = 0")


@asynccontextmanager
async def without_triggers(session: SqlSession) -> AsyncIterator[None]:
    """Turn off the triggers during the block, because the rows that they wrote are copied too.

    If the block raises, the caller rolls back, which brings them back as well.
    """
    if session.engine == "postgres":
        for table in TABLES:
            await session.run(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        yield
        for table in TABLES:
            await session.run(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
        return
    triggers = await session.all("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    for name, _ in triggers:
        await session.run(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        await session.run(sql)


async def last_ids(session: SqlSession) -> dict[str, int]:
    """Return the last id that each sequence gave, also to a row that was deleted since."""
    given: dict[str, int] = {}
    if session.engine == "sqlite":
        rows = await session.all("SELECT name, seq FROM sqlite_sequence")
        given = {str(name): int(last) for name, last in rows}
    for table, column in _COUNTED:
        largest = await session.number(f"SELECT coalesce(max({column}), 0) FROM {table}")
        if session.engine == "postgres":
            row = await session.one(
                "SELECT coalesce(pg_sequence_last_value("
                "pg_get_serial_sequence(?, ?)::regclass), 0)",
                (table, column),
            )
            given[table] = 0 if row is None else int(row[0])
        given[table] = max(given.get(table, 0), largest)
    return given


async def set_last_ids(session: SqlSession, given: Mapping[str, int]) -> None:
    """Set each sequence to continue after the last id that it gave at the source."""
    if session.engine == "postgres":
        for table, column in _COUNTED:
            await session.all(
                "SELECT setval(pg_get_serial_sequence(?, ?)::regclass, greatest(?, 1), ? > 0)",
                (table, column, given[table], given[table]),
            )
        return
    # Tables without AUTOINCREMENT have no row there: SQLite takes the largest id.
    counted = {
        str(name)
        for (name,) in await session.all(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
        )
    }
    await session.run("DELETE FROM sqlite_sequence")
    rows = [(table, last) for table, last in given.items() if table in counted and last]
    await session.many("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", rows)


async def fill_derived(session: SqlSession) -> None:
    """Write the full-text index of the entries, whose texts `db.search_text` makes."""
    if session.engine == "sqlite":
        await session.run(
            "INSERT INTO entry_words (rowid, words)"
            " SELECT generation_id << 40 | track_id, search_text(folded) FROM entry"
        )
        return
    # What a bot made in the empty database has no rows; it is made again, see `db.served`.
    await session.run("DROP TABLE IF EXISTS served")
    # An index that is filled row by row takes several times as long.
    (definition,) = await session.one(f"SELECT pg_get_indexdef('{_TRIGRAMS}'::regclass)") or ("",)
    await session.run(f"DROP INDEX {_TRIGRAMS}")
    entries = Table("entry", ("generation_id", "track_id"))
    async for rows in pages(session, entries, ("generation_id", "track_id", "folded")):
        await session.copy(
            "entry_words",
            ("generation_id", "track_id", "words"),
            [(generation, track, search_text(folded)) for generation, track, folded in rows],
        )
    await session.run(str(definition))
