"""Leases of several processes in one test, which can be lost as with a broken connection."""

from __future__ import annotations

import asyncio

from genrec.errors import CatalogueError


class FakeServer:
    """The database server: who holds which lease, and whether it can be reached."""

    def __init__(self) -> None:
        self.holders: dict[str, FakeLeases] = {}
        self.error: BaseException | None = None
        self.refused = ""  # the name of one lease that cannot be taken


class FakeLease:
    """A lease of one process."""

    def __init__(self, leases: FakeLeases, name: str) -> None:
        self.name = name
        self.lost = asyncio.Event()
        self._leases = leases

    async def confirm(self) -> bool:
        return not self.lost.is_set()

    async def release(self) -> None:
        if self._leases.held.pop(self.name, None) is self:
            del self._leases.server.holders[self.name]


class FakeLeases:
    """The leases that one process takes from a server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.held: dict[str, FakeLease] = {}
        self.fault: Exception | None = None  # of this process alone

    async def take(self, name: str) -> FakeLease | None:
        if self.fault is not None:
            raise self.fault
        if self.server.error is not None:
            raise CatalogueError("The database cannot be reached.") from self.server.error
        if name == self.server.refused:
            raise CatalogueError("The database did not respond in time.")
        if name in self.server.holders:
            return None
        self.server.holders[name] = self
        lease = self.held[name] = FakeLease(self, name)
        return lease

    async def is_held(self, name: str) -> bool:
        return name in self.server.holders

    def lose(self) -> None:
        """Lose the connection, and all leases with it."""
        for name, lease in self.held.items():
            del self.server.holders[name]
            lease.lost.set()
        self.held = {}
