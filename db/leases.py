"""Leases: named locks that one process holds until it ends, in files or on PostgreSQL.

Names in use: ``run:ID`` (a running bot), ``shard:K/N``, ``scope:NAME`` (indexing), ``sync`` (of
Discord's commands) and ``identify:B`` (a bucket of gateway logins). A killed process loses its
leases at once, because the kernel or the PostgreSQL server drops them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Protocol

from genrec.errors import CatalogueError


class Lease(Protocol):
    """A held lease."""

    @property
    def name(self) -> str:
        """The name that was taken."""

    @property
    def lost(self) -> asyncio.Event:
        """Set when the lease is gone without ``release``: another process may hold it now."""

    async def confirm(self) -> bool:
        """Return whether this process still holds the lease, which PostgreSQL is queried for."""

    async def release(self) -> None:
        """Give the lease back; a second call does nothing."""


class Leases(Protocol):
    """The leases of one database."""

    async def take(self, name: str) -> Lease | None:
        """Take a lease without waiting; None if it is held, also by this process."""

    async def is_held(self, name: str) -> bool:
        """Return whether any process holds the lease."""


class FileLease:
    """A lease in a locked file, or in memory where there is no file."""

    def __init__(self, leases: FileLeases, name: str, descriptor: int | None) -> None:
        self.name = name
        self.lost = asyncio.Event()
        self._leases = leases
        self._descriptor = descriptor
        self._released = False

    async def confirm(self) -> bool:
        """Return whether this process still holds the lease: until it is released."""
        return not self._released

    async def release(self) -> None:
        """Give the lease back; a second call does nothing."""
        if not self._released:
            self._released = True
            self._leases.forget(self.name, self._descriptor)


class FileLeases:
    """Leases as locked files beside the database (flock); in memory without a database file."""

    def __init__(self, database: Path | None) -> None:
        self._database = database
        self._held: set[str] = set()

    async def take(self, name: str) -> FileLease | None:
        """Take a lease without waiting; None if it is held, also by this process."""
        if name in self._held:
            return None
        descriptor = self._lock(name)
        if descriptor is None and self._database is not None:
            return None
        self._held.add(name)
        return FileLease(self, name, descriptor)

    async def is_held(self, name: str) -> bool:
        """Return whether any process holds the lease."""
        if name in self._held:
            return True
        if self._database is None or not self._path(name).exists():
            return False
        descriptor = self._lock(name)
        if descriptor is None:
            return True
        self._unlock(name, descriptor)
        return False

    def forget(self, name: str, descriptor: int | None) -> None:
        """Release a lease that ``take`` gave."""
        self._held.discard(name)
        if descriptor is not None:
            self._unlock(name, descriptor)

    def _path(self, name: str) -> Path:
        assert self._database is not None
        safe = name.replace(":", "-").replace("/", "-")
        return self._database.with_name(f"{self._database.name}.{safe}.lock")

    def _lock(self, name: str) -> int | None:
        """Return the descriptor of the locked file; None if it is locked, or there is none."""
        if self._database is None:
            return None
        path = self._path(name)
        try:
            while True:
                descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _is_same(descriptor, path):
                        return descriptor
                except BlockingIOError:
                    os.close(descriptor)
                    return None
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)  # its holder removed it meanwhile
        except OSError as error:
            raise CatalogueError(
                f"The lock {path} cannot be taken ({error.strerror}): check that its folder is"
                " writable."
            ) from error

    def _unlock(self, name: str, descriptor: int) -> None:
        # Removed under the lock, so no other process can hold this file.
        self._path(name).unlink(missing_ok=True)
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
