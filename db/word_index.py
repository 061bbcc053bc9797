"""The index of parts of names: SQLite's trigram index, or an array of trigrams on PostgreSQL.

Both find a text by its parts of three letters and more, and return the same tracks in the same
order. On PostgreSQL an index of the arrays (GIN) gives the texts with the trigrams of the rarer
parts (see `db.common_trigrams`), and a comparison tells those in which all parts are. For a part of
many texts its planner reads the texts by track instead, until there are enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from db.common_trigrams import trigram_shares
from db.connection import SqlSession
from db.search_text import WordQuery
from db.set_rows import run_for_rows

_ID_BITS = 40  # of the rowid of a text on SQLite: generation_id << 40 | track_id
_SQLITE = "entry_words MATCH ? AND w.rowid BETWEEN ? AND ?"
_COLUMNS = (
    ("generation_id", "bigint"), ("text", "text"), ("scope", "text"), ("source", "text"),
)  # fmt: skip
_PUT_SQLITE = (
    "INSERT OR REPLACE INTO entry_words (rowid, words)"
    f" SELECT r.generation_id << {_ID_BITS} | t.id, r.text"
    " FROM {rows} CROSS JOIN track AS t WHERE t.scope = r.scope AND t.source = r.source"
)
_PUT_POSTGRES = (
    "INSERT INTO entry_words (generation_id, track_id, words) SELECT r.generation_id, t.id, r.text"
    " FROM {rows} CROSS JOIN track AS t WHERE t.scope = r.scope AND t.source = r.source"
    " ON CONFLICT (generation_id, track_id) DO UPDATE SET words = excluded.words"
    " WHERE entry_words.words <> excluded.words"
)


async def put_words(
    tx: SqlSession, generation_id: int, scope: str, texts: Iterable[tuple[str, str]]
) -> None:
    """Store the texts (``search_text``) of entries by the source of their track."""
    statement = _PUT_SQLITE if tx.engine == "sqlite" else _PUT_POSTGRES
    rows = [(generation_id, text, scope, source) for source, text in texts]
    await run_for_rows(tx, statement, _COLUMNS, rows)


async def matching_ids(
    session: SqlSession, generation_id: int, query: WordQuery, limit: int
) -> list[int]:
    """Return at most ``limit`` track ids of a generation's texts with one part of each group.

    The lowest ids come first. Tracks whose file is gone are among them.
    """
    if session.engine == "sqlite":
        rows = await session.all(
            f"SELECT w.rowid & {(1 << _ID_BITS) - 1} FROM entry_words AS w WHERE {_SQLITE} LIMIT ?",
            (_match(query), *_bounds(generation_id), limit),
        )
    else:
        condition, parts = await _condition(session, query)
        rows = await session.all(
            f"SELECT w.track_id FROM entry_words AS w WHERE w.generation_id = ? AND {condition}"
            " ORDER BY w.track_id LIMIT ?",
            (generation_id, *parts, limit),
        )
    return [track_id for (track_id,) in rows]


async def count_matching(session: SqlSession, generation_id: int, query: WordQuery) -> int:
    """Return the number of a generation's texts with one part of each group, without gone files."""
    if session.engine == "sqlite":
        return await session.number(
            "SELECT count(*) FROM entry_words AS w CROSS JOIN entry AS e ON e.generation_id = ?"
            f" AND e.track_id = w.rowid & {(1 << _ID_BITS) - 1}"
            f" WHERE e.gone_at IS NULL AND {_SQLITE}",
            (generation_id, _match(query), *_bounds(generation_id)),
        )
    condition, parts = await _condition(session, query)
    return await session.number(
        "SELECT count(*) FROM entry_words AS w JOIN entry AS e USING (generation_id, track_id)"
        f" WHERE w.generation_id = ? AND e.gone_at IS NULL AND {condition}",
        (generation_id, *parts),
    )


def _match(query: WordQuery) -> str:
    """Return a query as FTS5 spells it."""
    groups = (" OR ".join('"' + part.replace('"', '""') + '"' for part in group) for group in query)
    return " AND ".join(f"({group})" for group in groups)


def _bounds(generation_id: int) -> tuple[int, int]:
    """Return the first and last rowid that may belong to a generation."""
    return generation_id << _ID_BITS, (generation_id + 1 << _ID_BITS) - 1


async def _condition(session: SqlSession, query: WordQuery) -> tuple[str, list[Any]]:
    """Return a query as a condition of PostgreSQL, and its parameters."""
    shares = await trigram_shares(session)
    conditions, parameters = [], list[Any]()
    for group, look in zip(query, shares.looked_up(query), strict=True):
        found = []
        for part in group:
            found.append("strpos(w.words, ?) > 0")
            if look:
                found[-1] = f"(w.trigrams @> CAST(? AS text[]) AND {found[-1]})"
                parameters.append(shares.telling(part))
            parameters.append(part)
        conditions.append(f"({' OR '.join(found)})")
    return " AND ".join(conditions), parameters
