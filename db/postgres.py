"""A PostgreSQL database: a pool of connections, locks by name, and errors as sentences."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import asyncpg

from db.address import PostgresAddress
from db.leases import Leases
from db.pgvector_settings import SEARCH_SETTINGS
from db.postgres_errors import GONE, UNDONE, translate_postgres_errors
from db.postgres_leases import LEASE_SETTINGS, PostgresLeases, lock_number
from db.postgres_migrate import migrate_postgres
from db.session import Engine
from genrec.errors import CatalogueError, WrongDatabaseAddress

log = logging.getLogger(__name__)

_CONNECTIONS = 8
_CONNECT_S = 10.0
_ACQUIRE_S = 30.0
# A read has somebody waiting; a transaction may rewrite a whole scope.
_READ_S = 60.0
_WRITE_S = 600.0
_TRIES = 3
_SETTINGS = {
    "application_name": "genrec",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "10min",
    "jit": "off",  # our statements are short, and compiling them takes longer
    # How common a word is decides how it is searched, so each statement is planned with its values.
    "plan_cache_mode": "force_custom_plan",
    "random_page_cost": "1.1",  # of an SSD; rows by id are then looked up in the index
    **SEARCH_SETTINGS,
}
_PARAMETER = re.compile(r"'[^']*'|\?(\d*)")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Return a statement with ``?`` and ``?1`` as ``$1``, outside of quoted text."""
    last = 0

    def number(found: re.Match[str]) -> str:
        nonlocal last
        if found[1] is None:
            return found[0]
        given = int(found[1]) if found[1] else last + 1
        last = max(last, given)
        return f"${given}"

    return _PARAMETER.sub(number, sql)


class PostgresSession:
    """Statements on one connection."""

    engine: Engine = "postgres"

    def __init__(
        self, connection: Any, name: str, timeout_s: float | None, kept: dict[str, Any]
    ) -> None:
        self.kept = kept
        self._connection = connection
        self._name = name
        self._timeout_s = timeout_s

    def set_no_limit(self) -> None:
        """Remove the time limit of the statements of this transaction."""
        self._timeout_s = None

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with translate_postgres_errors(self._name):
            rows = await self._connection.fetch(numbered(sql), *parameters, timeout=self._timeout_s)
        return [tuple(row) for row in rows]

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Run a statement and return its first row, or None."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the first column of its first row as an int."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        with translate_postgres_errors(self._name):
            status = await self._connection.execute(
                numbered(sql), *parameters, timeout=self._timeout_s
            )
        count = status.rpartition(" ")[2]  # such as "INSERT 0 5"
        return int(count) if count.isdigit() else 0

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``."""
        with translate_postgres_errors(self._name):
            await self._connection.executemany(numbered(sql), rows, timeout=self._timeout_s)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert ``rows`` in bulk (COPY)."""
        with translate_postgres_errors(self._name):
            await self._connection.copy_records_to_table(
                table, columns=list(columns), records=rows, timeout=self._timeout_s
            )


class PostgresDatabase:
    """An open PostgreSQL database; ``open_postgres`` creates and closes it.

    Transactions of one process run beside each other, as those of several processes do: what only
    one may do at a time holds a lock by name.
    """

    engine: Engine = "postgres"
    in_memory = False
    file: Path | None = None

    def __init__(self, pool: Any, leases: Leases, *, name: str, schema: str) -> None:
        self.name = name
        self.schema = schema
        self.leases = leases
        self._pool = pool
        self._kept: dict[str, Any] = {}

    @asynccontextmanager
    async def transaction(
        self, *, durable: bool = False, lock: str = ""
    ) -> AsyncIterator[PostgresSession]:
        """Run the block as one transaction, which holds the lock of that name until its end."""
        del durable  # PostgreSQL syncs each commit
        async with self._begun() as session:
            if lock:
                number = lock_number(self.schema, f"lock:{lock}")
                await session.run("SELECT pg_advisory_xact_lock(?)", (number,))
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresSession]:
        """Yield a session whose reads all show the same state of the database."""
        async with self._begun(isolation="repeatable_read", readonly=True) as session:
            yield session

    async def all(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        parameters = tuple(parameters)
        try:
            return await self._read(sql, parameters)
        except CatalogueError as error:
            if not isinstance(error.__cause__, GONE):
                raise
            # The server was restarted since this connection was used: the next one is new.
            return await self._read(sql, parameters)

    async def one(self, sql: str, parameters: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of one query, or None."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    async def number(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Return the first column of the first row of a query as an int."""
        return int((await self.all(sql, parameters))[0][0])

    async def run(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one statement in its own transaction and return the number of rows it changed.

        A statement that PostgreSQL undid because of another transaction runs again.
        """
        parameters = tuple(parameters)
        attempt = 1
        while True:
            try:
                async with self._begun() as session:
                    changed = await session.run(sql, parameters)
            except CatalogueError as error:
                if attempt == _TRIES or not isinstance(error.__cause__, UNDONE):
                    raise
            else:
                return changed
            await asyncio.sleep(0.05 * attempt)
            attempt += 1

    async def alone(self, sql: str, *, memory_mb: int = 0) -> None:
        """Run one statement outside of a transaction and without a time limit.

        CONCURRENTLY needs that. ``memory_mb`` raises ``maintenance_work_mem`` for it.
        """
        async with self._acquired() as connection:
            with translate_postgres_errors(self.name):
                if memory_mb:
                    await connection.execute(f"SET maintenance_work_mem = '{memory_mb:d}MB'")
                await connection.execute(sql, timeout=None)

    async def backup(self) -> Path:
        """Raise CatalogueError: PostgreSQL's own tools back it up."""
        raise CatalogueError(
            f"The catalogue {self.name} is on a PostgreSQL server: back it up with pg_dump."
        )

    async def _read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        async with self._acquired() as connection:
            return await self._session(connection, _READ_S).all(sql, parameters)

    def _session(self, connection: Any, timeout_s: float) -> PostgresSession:
        return PostgresSession(connection, self.name, timeout_s, self._kept)

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        with translate_postgres_errors(self.name):
            connection = await self._pool.acquire(timeout=_ACQUIRE_S)
        try:
            yield connection
        finally:
            with suppress(*GONE, TimeoutError):
                await self._pool.release(connection, timeout=_CONNECT_S)

    @asynccontextmanager
    async def _begun(self, **options: Any) -> AsyncIterator[PostgresSession]:
        # Errors are translated call by call, so those of the block itself pass unchanged.
        async with self._acquired() as connection:
            transaction = connection.transaction(**options)
            with translate_postgres_errors(self.name):
                await transaction.start()
            try:
                yield self._session(connection, _WRITE_S)
            except BaseException:
                with suppress(*GONE):  # the server undoes a transaction whose connection is gone
                    await transaction.rollback()
                raise
            with translate_postgres_errors(self.name):
                await transaction.commit()


@asynccontextmanager
async def open_postgres(address: PostgresAddress) -> AsyncIterator[PostgresDatabase]:
    """Open the database at ``address`` and migrate it; any problem raises ``CatalogueError``."""
    if address.may_be_plain:
        log.warning(
            "database without TLS: %s is not on this machine: add ?sslmode=verify-full",
            address.name,
        )
    await asyncio.to_thread(_check_files, address)
    async with AsyncExitStack() as stack:
        with _opening(address.name):
            pool = await asyncpg.create_pool(
                address.secret(), min_size=0, max_size=_CONNECTIONS, timeout=_CONNECT_S,
                server_settings=_SETTINGS,
            )  # fmt: skip
            stack.push_async_callback(_close, pool)
            async with pool.acquire() as connection:
                schema = await connection.fetchval("SELECT current_schema()")
                if schema is None:
                    raise CatalogueError(
                        f"The catalogue {address.name} has no schema in its search_path: create"
                        " it (CREATE SCHEMA)."
                    )
                await migrate_postgres(connection, schema)
        connect = partial(
            asyncpg.connect, address.secret(), timeout=_CONNECT_S,
            server_settings={**_SETTINGS, **LEASE_SETTINGS, "application_name": "genrec leases"},
        )  # fmt: skip
        leases = PostgresLeases(connect, schema, address.name)
        stack.push_async_callback(leases.close)
        yield PostgresDatabase(pool, leases, name=address.name, schema=schema)


def _check_files(address: PostgresAddress) -> None:
    for option, file in address.files.items():
        if not os.access(file, os.R_OK):
            raise WrongDatabaseAddress(
                f"The catalogue {address.name} cannot be opened: {option}={file} in GENREC_DATABASE"
                " is no file that genrec can read."
            )
    passwords = "" if address.secrets else address.files.get("passfile", "")
    # As libpq, asyncpg then reads no password from it.
    if passwords and Path(passwords).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WrongDatabaseAddress(
            f"The catalogue {address.name} cannot be opened: others may read the passfile"
            f" {passwords}. Run chmod 600 on it."
        )


@contextmanager
def _opening(name: str) -> Iterator[None]:
    """Raise every error of the server as CatalogueError; its words never have the password."""
    try:
        with translate_postgres_errors(name):
            yield
    except asyncpg.PostgresError as error:
        raise CatalogueError(f"The catalogue {name} cannot be opened ({error}).") from error
    except (asyncpg.InterfaceError, ValueError) as error:
        if "root certificate file" in str(error):
            raise WrongDatabaseAddress(
                f"The catalogue {name} cannot be opened without the certificate of the authority of"
                " its server: add &sslrootcert=FILE to GENREC_DATABASE."
            ) from None
        # Without the cause: asyncpg's words about an address may repeat a part of it.
        raise WrongDatabaseAddress(
            f"The catalogue {name} cannot be opened ({type(error).__name__}): correct the options"
            " after the question mark in GENREC_DATABASE."
        ) from None


async def _close(pool: Any) -> None:
    try:
        await asyncio.wait_for(pool.close(), _CONNECT_S)
    except TimeoutError:
        pool.terminate()
