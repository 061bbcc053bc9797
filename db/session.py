"""Protocols of a database: what `db` needs of SQLite and of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from db.leases import Leases

Engine = Literal["sqlite", "postgres"]


class SqlSession(Protocol):
    """Statements on one connection; `?` and `?1` are parameters, whatever the engine."""

    @property
    def engine(self) -> Engine:
        """The engine, for statements with two spellings."""

    @property
    def kept(self) -> dict[str, Any]:
        """Values that this process keeps about the database, such as statistics."""

    def set_no_limit(self) -> None:
        """Remove the time limit of the statements of this transaction."""

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Run a statement and return its first row, or None."""

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the first column of its first row as an int."""

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``."""

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert ``rows`` in bulk: COPY on PostgreSQL."""


class Database(Protocol):
    """An open database; ``db.connection.open_db`` creates and closes it.

    Reads of the database itself never return half of a transaction. Inside ``transaction()`` and
    ``snapshot()``, use the session that they yield: SQLite has one writer, and a database in memory
    one connection, so a call of the database itself would deadlock there.
    """

    @property
    def engine(self) -> Engine:
        """The engine, for statements with two spellings."""

    @property
    def name(self) -> str:
        """The path or address as sentences name it, never with a password."""

    @property
    def file(self) -> Path | None:
        """The SQLite file, beside which other files may lie; None in memory and on PostgreSQL."""

    @property
    def in_memory(self) -> bool:
        """Whether the database is in memory and lost when it is closed."""

    @property
    def leases(self) -> Leases:
        """Leases that all processes of this database share."""

    def transaction(
        self, *, durable: bool = False, lock: str = ""
    ) -> AbstractAsyncContextManager[SqlSession]:
        """Run the block as one transaction.

        Parameters
        ----------
        durable
            Sync to disk before returning. PostgreSQL always does, unless its operator turned
            ``synchronous_commit`` off.
        lock
            Name of a lock that the transaction holds on PostgreSQL, such as ``catalogue:MODEL``.
            SQLite has one writer, so there every transaction excludes the others.
        """

    def snapshot(self) -> AbstractAsyncContextManager[SqlSession]:
        """Yield a session whose reads all show the same state of the database."""

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of one query, or None."""

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Return the first column of the first row of a query as an int."""

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one statement in its own transaction and return the number of rows it changed."""

    async def backup(self) -> Path:
        """Copy the database to a file beside it and return that path."""
