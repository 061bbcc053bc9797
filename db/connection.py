"""Opens the database: one connection that writes, one that reads, and sentences for what fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiosqlite

from db.background_check import background_check
from db.migrate import migrate
from genrec.errors import CatalogueError

MEMORY = ":memory:"
# STRICT tables came with this one.
_OLDEST_SQLITE = (3, 37, 0)
_WAL_BYTES_KEPT = 64 * 2**20
# To look through more takes seconds: the bot is up meanwhile.
_LOOKED_THROUGH_FIRST = 256 * 2**20

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "is being written to by another program: try again in a moment",
    sqlite3.SQLITE_LOCKED: "is being written to by another program: try again in a moment",
    sqlite3.SQLITE_FULL: "could not be written, because the disk is full: make room and try again",
    sqlite3.SQLITE_CORRUPT: "is damaged: {way_out}",
    sqlite3.SQLITE_NOTADB: "is not a database, or is damaged: {way_out}",
    sqlite3.SQLITE_READONLY: "cannot be written to: make the file and its folder writable",
    sqlite3.SQLITE_PERM: "may not be opened: make the file and its folder readable and writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_IOERR: "could not be read or written: check the disk it lies on",
}


class SqlSession:
    """Statements on one connection."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        # aiosqlite promises no more than an iterable of rows, and sqlite3 makes a list of tuples.
        return cast(
            "list[tuple[Any, ...]]", await self._connection.execute_fetchall(sql, parameters)
        )

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Run a statement and return its first row, if there is one."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement that has a first row, and return the number that starts it."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        async with self._connection.execute(sql, parameters) as cursor:
            return cursor.rowcount

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once for every row, and return the number of rows it changed."""
        async with self._connection.executemany(sql, rows) as cursor:
            return cursor.rowcount


class Database:
    """An open database; ``open_db`` makes and closes it.

    Reads go through a connection of their own, so that nobody sees half of a transaction. Inside
    ``transaction()`` and ``snapshot()`` use the session they give: asking the database itself there
    waits for ever in memory, where both are one connection.
    """

    def __init__(
        self, path: str, writer: aiosqlite.Connection, reader: aiosqlite.Connection
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self.locked_scopes: set[str] = set()
        self._write_lock = asyncio.Lock()
        self._read_lock = self._write_lock if reader is writer else asyncio.Lock()

    @property
    def in_memory(self) -> bool:
        """Whether the database is gone when it is closed."""
        return self.path == MEMORY

    @asynccontextmanager
    async def transaction(self, *, durable: bool = False) -> AsyncIterator[SqlSession]:
        """Do all of the block or nothing; ``durable`` also outlives a loss of power.

        Keep it short and without waiting for anything but the session: there is one writer.
        """
        async with self._write_lock:
            with translate_errors(self.path):
                if durable:
                    await self._writer.execute_fetchall("PRAGMA synchronous = FULL")
                try:
                    # Queued statements run even when their caller is cancelled, and in order; so
                    # the rollback comes after whatever was begun, and before the next block.
                    await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                    yield SqlSession(self._writer)
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise
                finally:
                    if durable:
                        await self._writer.execute_fetchall("PRAGMA synchronous = NORMAL")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqlSession]:
        """Read several things as they were at one moment."""
        async with self._read_lock:
            with translate_errors(self.path):
                try:
                    await self._reader.execute_fetchall("BEGIN")
                    yield SqlSession(self._reader)
                finally:
                    await self._reader.rollback()

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        async with self._read_lock:
            with translate_errors(self.path):
                return await SqlSession(self._reader).all(sql, parameters)

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of one query, if there is one."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Return the number that starts the first row of a query that has one."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one statement in a transaction of its own, and return the rows it changed."""
        async with self.transaction() as tx:
            return await tx.run(sql, parameters)

    async def backup(self) -> Path:
        """Copy the database, whole and compact, beside itself, and return the copy's path."""
        if self.in_memory:
            raise CatalogueError("A catalogue in memory cannot be backed up: give it a file.")
        target = backup_path(self.path)
        draft = target.with_name(target.name + ".part")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        try:
            with translate_errors(self.path):
                # On a connection of its own: readers and the writer go on meanwhile.
                async with aiosqlite.connect(self.path, isolation_level=None) as connection:
                    await connection.execute_fetchall("VACUUM INTO ?", (str(draft),))
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target


@asynccontextmanager
async def open_db(
    path: Path | str, *, check: bool = True, busy_timeout_s: float = 5.0
) -> AsyncIterator[Database]:
    """Open the database at ``path``, or in memory for ``":memory:"``, brought up to date.

    Whatever is wrong with the file is a ``CatalogueError``. ``check`` looks for damage, which reads
    the whole file: first, or in a large file beside the block, which damage then ends.
    """
    name = str(path)
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise CatalogueError(
            f"This Python comes with SQLite {sqlite3.sqlite_version}, and genrec needs 3.37 or"
            " newer: use a newer Python."
        )
    if name != MEMORY:
        make_private(Path(name))
    async with AsyncExitStack() as stack:
        with translate_errors(name):
            writer = await _connect(stack, name, busy_timeout_s)
            await writer.execute_fetchall("PRAGMA journal_mode = WAL")
            await writer.execute_fetchall(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
            large = name != MEMORY and _size(Path(name)) > _LOOKED_THROUGH_FIRST
            if check and not large:
                await _check(writer, name)
            await migrate(writer)
            reader = writer
            if name != MEMORY:
                reader = await _connect(stack, name, busy_timeout_s)
                await reader.execute_fetchall("PRAGMA query_only = ON")
        if check and large:
            await stack.enter_async_context(background_check(partial(_look_through, name)))
        yield Database(name, writer, reader)


@contextmanager
def translate_errors(path: str) -> Iterator[None]:
    """Turn what SQLite says about the file into a sentence; mistakes in our SQL stay raw."""
    try:
        yield
    except sqlite3.Error as error:
        code: int | None = getattr(error, "sqlite_errorcode", None)
        sentence = _SENTENCES.get(code & 0xFF) if code is not None else None
        if sentence is None:
            raise
        what = sentence.format(way_out=_way_out(path))
        raise CatalogueError(f"The catalogue {path} {what}.") from error


def backup_path(path: str) -> Path:
    """Return where ``Database.backup`` keeps the copy of the database at ``path``."""
    original = Path(path)
    return original.with_name(f"{original.stem}.backup{original.suffix}")


async def _connect(stack: AsyncExitStack, name: str, busy_timeout_s: float) -> aiosqlite.Connection:
    connection = await stack.enter_async_context(
        aiosqlite.connect(name, isolation_level=None, timeout=busy_timeout_s)
    )
    await connection.execute_fetchall("PRAGMA foreign_keys = ON")
    await connection.execute_fetchall("PRAGMA synchronous = NORMAL")
    return connection


async def _check(connection: aiosqlite.Connection, name: str) -> None:
    rows = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
    if rows[0][0] != "ok":
        raise CatalogueError(f"The catalogue {name} is damaged: {_way_out(name)}.")


def _size(path: Path) -> int:
    return path.stat().st_size


async def _look_through(name: str) -> None:
    """Check on a connection of its own: readers and the writer go on meanwhile."""
    with translate_errors(name):
        async with aiosqlite.connect(name, isolation_level=None) as connection:
            try:
                await _check(connection, name)
            finally:
                await connection.interrupt()  # where it is no longer waited for


def _way_out(path: str) -> str:
    backup = backup_path(path)
    if backup.exists():
        return f"put its backup {backup.name} in its place"
    return "move it away and index your music again"


def make_private(path: Path) -> None:
    """Create the file so that only its owner reads it: it holds user ids and short-lived tokens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise _closed(path, error.strerror or "") from error
    # Looked at, not opened: to close a file drops all locks that this process has on it.
    if not path.is_file():
        raise _closed(path, "it is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise _closed(path, "permission denied")


def _closed(path: Path, reason: str) -> CatalogueError:
    return CatalogueError(
        f"The catalogue {path} cannot be opened ({reason}): check that its folder exists and is"
        " writable."
    )
