"""A SQLite database: one connection writes, one reads, and errors become sentences."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import aiosqlite

from db.background_check import background_check
from db.deletions import apply_deletions
from db.leases import FileLeases, Leases
from db.migrate import check_schema, migrate
from db.session import Engine
from genrec.errors import CatalogueError
from genrec.files import atomic_write, remove_leftovers

MEMORY = ":memory:"
# The first version with STRICT tables.
_OLDEST_SQLITE = (3, 37, 0)
_MAX_WAL_BYTES = 64 * 2**20
_FULL_BYTES = 2**16
# Checking a larger file takes seconds, so it runs in the background.
_MAX_BYTES_CHECKED_FIRST = 256 * 2**20

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "is being written to by another program: try again in a moment",
    sqlite3.SQLITE_LOCKED: "is being written to by another program: try again in a moment",
    sqlite3.SQLITE_FULL: (
        "could not be written, because the disk is full: free disk space and try again"
    ),
    sqlite3.SQLITE_CORRUPT: "is damaged: {fix}",
    sqlite3.SQLITE_NOTADB: "is not a database, or is damaged: {fix}",
    sqlite3.SQLITE_READONLY: "cannot be written to: make the file and its folder writable",
    sqlite3.SQLITE_PERM: "cannot be opened: make the file and its folder readable and writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_PROTOCOL: "cannot be locked: keep it on a local disk",
    sqlite3.SQLITE_NOLFS: "is too large for this system: move it to another disk",
    sqlite3.SQLITE_NOMEM: "needs more memory than there is: stop other programs",
    sqlite3.SQLITE_TOOBIG: "has a value that is too large: {fix}",
    sqlite3.SQLITE_IOERR: "could not be read or written: check the disk it is on",
}


class SqliteSession:
    """Statements on one connection."""

    engine: Engine = "sqlite"

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.kept: dict[str, Any] = {}
        self._connection = connection

    def set_no_limit(self) -> None:
        """Do nothing: statements of SQLite have no time limit."""

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        # aiosqlite's annotation is an iterable of rows; sqlite3 returns a list of tuples.
        return cast(
            "list[tuple[Any, ...]]", await self._connection.execute_fetchall(sql, parameters)
        )

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Run a statement and return its first row, or None."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the first column of its first row as an int."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        async with self._connection.execute(sql, parameters) as cursor:
            return cursor.rowcount

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``."""
        async with self._connection.executemany(sql, rows):
            pass

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert ``rows`` in bulk."""
        places = ", ".join("?" * len(columns))
        await self.many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)


class SqliteDatabase:
    """An open SQLite database; ``open_sqlite`` creates and closes it.

    Reads use a connection of their own, so they never return half of a transaction. Inside
    ``transaction()`` and ``snapshot()``, use the session that they yield. A database in memory has
    one connection, so a call of the database itself would deadlock there.
    """

    engine: Engine = "sqlite"

    def __init__(
        self, path: str, writer: aiosqlite.Connection, reader: aiosqlite.Connection
    ) -> None:
        self.path = path
        self.file = None if path == MEMORY else Path(path)
        self.leases: Leases = FileLeases(self.file)
        self._writer = writer
        self._reader = reader
        self._write_lock = asyncio.Lock()
        self._read_lock = self._write_lock if reader is writer else asyncio.Lock()

    @property
    def name(self) -> str:
        """The path, as sentences name it."""
        return self.path

    @property
    def in_memory(self) -> bool:
        """Whether the database is in memory and lost when it is closed."""
        return self.file is None

    @asynccontextmanager
    async def transaction(
        self, *, durable: bool = False, lock: str = ""
    ) -> AsyncIterator[SqliteSession]:
        """Run the block as one transaction; ``durable`` syncs it to disk before returning.

        Await only the session inside the block, because there is one writer; so ``lock`` needs no
        lock of its own.
        """
        del lock
        async with self._write_lock:
            with translate_errors(self.path):
                if durable:
                    await self._writer.execute_fetchall("PRAGMA synchronous = FULL")
                try:
                    # Queued statements run in order, even if their caller is cancelled. So the
                    # rollback runs after any statement of this block and before the next block.
                    await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                    yield SqliteSession(self._writer)
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise
                finally:
                    if durable:
                        await self._writer.execute_fetchall("PRAGMA synchronous = NORMAL")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteSession]:
        """Yield a session whose reads all show the same state of the database."""
        async with self._read_lock:
            with translate_errors(self.path):
                try:
                    await self._reader.execute_fetchall("BEGIN")
                    yield SqliteSession(self._reader)
                finally:
                    await self._reader.rollback()

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        async with self._read_lock:
            with translate_errors(self.path):
                return await SqliteSession(self._reader).all(sql, parameters)

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of one query, or None."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Return the first column of the first row of a query as an int."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one statement in its own transaction and return the number of rows it changed."""
        async with self.transaction() as tx:
            return await tx.run(sql, parameters)

    async def backup(self) -> Path:
        """Copy the database to ``backup_path`` in compact form and return that path."""
        if self.in_memory:
            raise CatalogueError(
                "A catalogue in memory cannot be backed up: set GENREC_DATABASE to a file."
            )
        target = backup_path(self.path)
        try:
            remove_leftovers(target)
            with atomic_write(target, private=True) as temporary, translate_errors(self.path):
                # A connection of its own lets readers and the writer continue.
                async with aiosqlite.connect(self.path, isolation_level=None) as connection:
                    await connection.execute_fetchall("VACUUM INTO ?", (str(temporary),))
        except OSError as error:
            raise CatalogueError(
                f"The backup {target} cannot be written ({error.strerror}): free disk space or"
                " make its folder writable."
            ) from error
        return target


@asynccontextmanager
async def open_sqlite(
    path: Path | str, *, check: bool = True, busy_timeout_s: float = 5.0
) -> AsyncIterator[SqliteDatabase]:
    """Open the database at ``path`` (``":memory:"`` for one in memory) and migrate it.

    Any problem with the file raises ``CatalogueError``. ``check`` reads the whole file to find
    damage: before the block, or for a large file in the background, where damage ends the block.
    """
    name = str(path)
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise CatalogueError(
            f"This Python has SQLite {sqlite3.sqlite_version}, and genrec needs 3.37 or newer: use"
            " a newer Python."
        )
    if not _has_full_text():
        raise CatalogueError(
            f"This Python's SQLite {sqlite3.sqlite_version} has no full-text index (FTS5): use"
            " another Python."
        )
    if name != MEMORY:
        name = str(without_links(Path(name)))
        make_private(Path(name))
    async with AsyncExitStack() as stack:
        with translate_errors(name):
            writer = await _connect(stack, name, busy_timeout_s)
            await _use_wal(writer, busy_timeout_s)
            await writer.execute_fetchall(f"PRAGMA journal_size_limit = {_MAX_WAL_BYTES}")
            large = name != MEMORY and _size(Path(name)) > _MAX_BYTES_CHECKED_FIRST
            if check and not large:
                await _check(writer, name)
            await _migrate(writer, name)
            if name != MEMORY:
                await apply_deletions(writer, name)
            reader = writer
            if name != MEMORY:
                reader = await _connect(stack, name, busy_timeout_s)
                await reader.execute_fetchall("PRAGMA query_only = ON")
        if check and large:
            await stack.enter_async_context(background_check(partial(_check_alone, name)))
        yield SqliteDatabase(name, writer, reader)


@contextmanager
def translate_errors(path: str) -> Iterator[None]:
    """Raise SQLite errors about the file as CatalogueError; errors in our SQL pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        code: int | None = getattr(error, "sqlite_errorcode", None)
        kind = None if code is None else code & 0xFF
        if kind == sqlite3.SQLITE_IOERR and _disk_is_full(path):
            kind = sqlite3.SQLITE_FULL  # as SQLite reports it where it maps a file
        sentence = None if kind is None else _SENTENCES.get(kind)
        if sentence is None:
            raise
        raise CatalogueError(f"The catalogue {path} {sentence.format(fix=_fix(path))}.") from error


def _disk_is_full(path: str) -> bool:
    try:
        return shutil.disk_usage(Path(path).parent).free < _FULL_BYTES
    except OSError:
        return False


def backup_path(path: str) -> Path:
    """Return the path of the backup that ``Database.backup`` writes for ``path``."""
    original = Path(path)
    return original.with_name(f"{original.stem}.backup{original.suffix}")


async def _connect(stack: AsyncExitStack, name: str, busy_timeout_s: float) -> aiosqlite.Connection:
    connection = await stack.enter_async_context(
        aiosqlite.connect(name, isolation_level=None, timeout=busy_timeout_s)
    )
    await connection.execute_fetchall("PRAGMA foreign_keys = ON")
    await connection.execute_fetchall("PRAGMA synchronous = NORMAL")
    return connection


async def _use_wal(connection: aiosqlite.Connection, timeout_s: float) -> None:
    """Turn on the write-ahead log; SQLite does not wait for a program that does the same."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            await asyncio.sleep(0.02)
        else:
            return


async def _migrate(connection: aiosqlite.Connection, name: str) -> None:
    try:
        await migrate(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise CatalogueError(
            f"The schema of the catalogue {name} cannot be updated ({error}): {_fix(name)}."
        ) from error
    await check_schema(connection)


async def _check(connection: aiosqlite.Connection, name: str) -> None:
    rows = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
    if rows[0][0] != "ok":
        raise CatalogueError(f"The catalogue {name} is damaged: {_fix(name)}.")


@lru_cache(maxsize=1)
def _has_full_text() -> bool:
    with closing(sqlite3.connect(MEMORY)) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE a USING fts5 (b, tokenize = 'trigram')")
        except sqlite3.OperationalError:
            return False
    return True


def _size(path: Path) -> int:
    return path.stat().st_size


async def _check_alone(name: str) -> None:
    """Check on a connection of its own, so that readers and the writer continue."""
    with translate_errors(name):
        async with aiosqlite.connect(name, isolation_level=None) as connection:
            try:
                await _check(connection, name)
            finally:
                await connection.interrupt()  # a cancelled check would otherwise run on


def _fix(path: str) -> str:
    backup = backup_path(path)
    if backup.exists():
        return f"replace it with its backup {backup.name}"
    return "move it away and index your music again"


def without_links(path: Path) -> Path:
    """Return the file that symbolic links lead to, so that its locks and backups have one name."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop, before Python 3.13
        raise _cannot_open(path, "its symbolic links form a loop") from error
    return path if resolved == path.absolute() else resolved


def make_private(path: Path) -> None:
    """Create the file with mode 0600, because it holds user ids and interaction tokens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise _cannot_open(path, error.strerror or "") from error
    # Not opened: closing a file releases all POSIX locks that this process holds on it.
    if not path.is_file():
        raise _cannot_open(path, "it is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise _cannot_open(path, "permission denied")


def _cannot_open(path: Path, reason: str) -> CatalogueError:
    return CatalogueError(
        f"The catalogue {path} cannot be opened ({reason}): check that its folder exists and is"
        " writable."
    )
