"""Tables of the database as `db.move` copies them: order, keys, rows in pages, digests."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from db.session import SqlSession
from genrec.errors import CatalogueError

ROWS_AT_ONCE = 2000
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Table:
    """A table and the columns of its primary key; ``counts`` are its ids given by a sequence."""

    name: str
    key: tuple[str, ...]
    counts: bool = False


# Parents come before the tables that refer to them.
TABLES = (
    Table("generation", ("id",), counts=True),
    Table("track", ("id",), counts=True),
    Table("embedding", ("id",), counts=True),
    Table("fingerprint", ("embedding_id",)),
    Table("entry", ("generation_id", "track_id")),
    Table("detail", ("track_id",)),
    Table("change", ("revision",), counts=True),
    Table("maybe_unused", ("id",), counts=True),
    Table("tally", ("model_id", "kind", "name")),
    Table("failure", ("scope", "model_id", "path")),
    Table("folder", ("scope", "path")),
    Table("analysis", ("sha256", "model_id")),
    Table("taught_genre", ("id",), counts=True),
    Table("taught_clip", ("id",), counts=True),
    Table("guild", ("guild_id",)),
    Table("upload_channel", ("channel_id",)),
    Table("feedback", ("message_id", "user_id")),
    Table("track_vote", ("message_id", "user_id", "track_id")),
    Table("not_again", ("id",), counts=True),
    Table("taste", ("user_id",)),
    Table("taste_shown", ("user_id", "track_id")),
    Table("job", ("id",), counts=True),
    Table("kept_value", ("name",)),
)
# Made anew at the destination from the tables above.
DERIVED_TABLES = frozenset({"entry_words", "served", "schema_migration"})

_COLUMNS = {
    "sqlite": (
        "SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c"
        " WHERE t.type = 'table' ORDER BY t.name, c.cid"
    ),
    "postgres": (
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ),
}


@dataclass(frozen=True, slots=True)
class Content:
    """Number of rows of a table, and their digest as 32 hexadecimal digits."""

    rows: int
    digest: str


class RowDigest:
    """Digest of a set of rows that does not depend on their order.

    It is the sum of the rows' hashes modulo 2^128, so two databases may read in different orders:
    MSet-Add-Hash of Clarke et al., "Incremental Multiset Hash Functions" (2003). A row is written
    with marshal, whose format is the same within one process only: compare no digest of another.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of int, float, str, bytes and None."""
        for row in rows:
            # Version 2 has no references, so equal rows are equal bytes.
            written = hashlib.blake2b(marshal.dumps(row, 2), digest_size=_DIGEST_BYTES).digest()
            self._sum += int.from_bytes(written, "big")
        self._rows += len(rows)

    @property
    def content(self) -> Content:
        """The number and the digest of all rows so far."""
        total = self._sum % (1 << 8 * _DIGEST_BYTES)
        return Content(self._rows, f"{total:0{2 * _DIGEST_BYTES}x}")


async def columns_of(session: SqlSession) -> dict[str, tuple[str, ...]]:
    """Return the names of all columns of each table."""
    found: dict[str, tuple[str, ...]] = {}
    for table, column in await session.all(_COLUMNS[session.engine]):
        found[table] = (*found.get(table, ()), column)
    return found


async def pages(
    session: SqlSession, table: Table, columns: Sequence[str], *, limit: int = ROWS_AT_ONCE
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table in pages of ``limit`` at most, ordered by its key."""
    chosen, key = ", ".join(columns), ", ".join(table.key)
    places = [columns.index(name) for name in table.key]
    marks = ", ".join("?" for _ in table.key)
    last: tuple[Any, ...] | None = None
    while True:
        after = "" if last is None else f"WHERE ({key}) > ({marks}) "
        rows = await session.all(
            f"SELECT {chosen} FROM {table.name} {after}ORDER BY {key} LIMIT {int(limit)}",
            last or (),
        )
        if rows:
            yield rows
            last = tuple(rows[-1][place] for place in places)
        if len(rows) < limit:
            return


async def content(session: SqlSession, table: Table, columns: Sequence[str]) -> Content:
    """Read a table and return its number of rows and their digest."""
    digest = RowDigest()
    async for rows in pages(session, table, columns):
        digest.add(rows)
    return digest.content


def shared_columns(
    source: dict[str, tuple[str, ...]], destination: dict[str, tuple[str, ...]], table: Table
) -> tuple[str, ...]:
    """Return the columns that both sides have, which are all of one side at least.

    Raises
    ------
    CatalogueError
        Each side has columns that the other lacks, so one of them would be lost.
    """
    here, there = source.get(table.name, ()), destination.get(table.name, ())
    shared = tuple(column for column in here if column in there)
    if not shared or len(shared) < min(len(here), len(there)):
        raise CatalogueError(
            f"The table {table.name} has other columns at the destination than at the source:"
            " update genrec, and move again."
        )
    return shared


def refuse_nul(table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Raise CatalogueError for a text that PostgreSQL cannot store."""
    for row in rows:
        if any(isinstance(value, str) and "\0" in value for value in row):
            raise CatalogueError(
                f"A text of the table {table.name} has a NUL, which PostgreSQL cannot store"
                f" ({', '.join(table.key)}: {row[: len(table.key)]!r}): remove that row, and move"
                " again."
            )
