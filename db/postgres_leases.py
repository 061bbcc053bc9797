"""Leases on PostgreSQL: advisory locks of one connection, dropped by the server with it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg

from db.postgres_errors import GONE, translate_postgres_errors

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
_TIMEOUT_S = 10.0
# With these the server drops the locks of a host that vanished within 30 s.
LEASE_SETTINGS = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
}
_HELD = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32) | objid::bigint = $1)"
)


def lock_number(schema: str, name: str) -> int:
    """Return the number of a lock's name, which differs between the schemas of a database."""
    digest = hashlib.sha256(f"{schema}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class PostgresLease:
    """A lease that an advisory lock holds."""

    def __init__(self, leases: PostgresLeases, name: str) -> None:
        self.name = name
        self.lost = asyncio.Event()
        self._leases = leases

    async def confirm(self) -> bool:
        """Return whether the connection of the lease still responds."""
        return await self._leases.confirm(self)

    async def release(self) -> None:
        """Give the lease back; a second call does nothing."""
        await self._leases.give_back(self)


class PostgresLeases:
    """The leases of one database; its connection is made when the first lease is taken.

    Parameters
    ----------
    connect
        Opens a connection with ``LEASE_SETTINGS``.
    schema
        Schema of the tables: each has its own leases.
    name
        What sentences call the database.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], schema: str, name: str
    ) -> None:
        self._connect = connect
        self._schema = schema
        self._name = name
        self._held: dict[str, PostgresLease] = {}
        self._connection: asyncpg.Connection | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def take(self, name: str) -> PostgresLease | None:
        """Take a lease without waiting; None if it is held, also by this process."""
        async with self._one_at_a_time:
            if name in self._held:
                return None  # the server would give its own session the lock once more
            if not await self._ask("SELECT pg_try_advisory_lock($1)", name):
                return None
            lease = self._held[name] = PostgresLease(self, name)
            if self._connection is None:  # it broke just now, and the lock with it
                self._forget_all()
            return lease

    async def is_held(self, name: str) -> bool:
        """Return whether any process holds the lease."""
        async with self._one_at_a_time:
            return name in self._held or bool(await self._ask(_HELD, name))

    async def confirm(self, lease: PostgresLease) -> bool:
        """Return whether a lease that ``take`` gave is held; a heartbeat learns of it later."""
        async with self._one_at_a_time:
            await self._check()
            return self._held.get(lease.name) is lease

    async def give_back(self, lease: PostgresLease) -> None:
        """Release a lease that ``take`` gave, unless it is lost."""
        async with self._one_at_a_time:
            if self._held.get(lease.name) is not lease:
                return
            del self._held[lease.name]
            try:
                await self._ask("SELECT pg_advisory_unlock($1)", lease.name)
            except BaseException:
                self._drop()  # the server then releases the lock
                raise

    async def close(self) -> None:
        """Close the connection, which releases all leases."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.wait([self._heartbeat])
        self._held.clear()
        if self._connection is not None:
            with suppress(*GONE, TimeoutError):
                await self._connection.close(timeout=_TIMEOUT_S)

    async def _ask(self, sql: str, name: str) -> Any:
        with translate_postgres_errors(self._name):
            if self._connection is None or self._connection.is_closed():
                self._drop()
                self._connection = await self._connect()
                self._connection.add_termination_listener(self._ended)
                if self._heartbeat is None:
                    self._heartbeat = asyncio.create_task(self._beat())
            number = lock_number(self._schema, f"lease:{name}")
            try:
                return await self._connection.fetchval(sql, number, timeout=_TIMEOUT_S)
            except (asyncio.CancelledError, TimeoutError, *GONE):
                # Whether the lock was given is unknown. A connection that breaks during a statement
                # may do so without a call of its termination listener.
                self._drop()
                raise

    async def _beat(self) -> None:
        """Find a connection that broke without a word."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            async with self._one_at_a_time:
                await self._check()

    async def _check(self) -> None:
        """Drop a connection that does not respond."""
        if self._connection is None:
            return
        try:
            await self._connection.fetchval("SELECT 1", timeout=_TIMEOUT_S)
        except (*GONE, OSError, asyncpg.PostgresError) as error:
            log.warning("leases lost: the connection of %s broke: %s", self._name, error)
            self._drop()

    def _ended(self, _: Any) -> None:
        # asyncpg passes a proxy of the connection, so compare by state.
        if self._connection is not None and self._connection.is_closed():
            self._connection = None
            self._forget_all()

    def _drop(self) -> None:
        """Terminate the connection; all its leases are lost."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        self._forget_all()

    def _forget_all(self) -> None:
        for lease in self._held.values():
            lease.lost.set()
        self._held.clear()
