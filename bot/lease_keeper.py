"""Leases that a bot process keeps as long as it runs, and blocks that only one process runs.

A process that loses its connection to the database may have lost its leases: it takes them again
within ``RETAKE_S``, or it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from db.leases import Lease, Leases
from genrec.errors import CatalogueError, GenrecError

log = logging.getLogger(__name__)

RETAKE_S = 2.0
# While a server on this machine refuses connections it does not run, so nobody holds a lease.
REFUSED_S = 30.0
TRY_S = 0.2
_STARTING_UP = "57P03"  # SQLSTATE cannot_connect_now


class LeaseKeeper:
    """Holds leases of this process, and takes them again if the database was out of reach.

    ``lost`` is set as soon as one could not be taken again in time: the process must stop.

    Parameters
    ----------
    local
        Whether the database server is on this machine. Elsewhere a refused connection does not
        prove that no server runs: a firewall or a stopped proxy refuses this process alone.
    """

    def __init__(self, leases: Leases, *, local: bool = False) -> None:
        self.leases = leases
        self._local = local
        self.lost = asyncio.Event()
        self._held: dict[str, Lease] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}

    async def take(self, name: str) -> bool:
        """Take a lease without waiting and keep it; False if another process holds it."""
        lease = await self.leases.take(name)
        if lease is None:
            return False
        self._held[name] = lease
        self._watches[name] = asyncio.create_task(self._watch(name))
        return True

    async def release(self, names: Iterable[str] | None = None) -> None:
        """Give back the leases of these names, by default all."""
        given_back = []
        for name in list(self._held if names is None else names):
            self._watches.pop(name).cancel()
            given_back.append(self._held.pop(name))
        for lease in given_back:
            with contextlib.suppress(CatalogueError):  # a lost connection has released it
                await lease.release()

    async def _watch(self, name: str) -> None:
        try:
            await self._keep(name)
        except Exception:
            log.exception("lease no longer watched: %s", name)
        log.error("lease lost for good: %s", name)
        self.lost.set()

    async def _keep(self, name: str) -> None:
        """Take a lease again each time that it is lost; return once that fails."""
        while True:
            await self._held[name].lost.wait()
            log.warning("lease lost: %s, taking it again", name)
            again = await self._retake(name)
            if again is None:
                return
            self._held[name] = again

    async def _retake(self, name: str) -> Lease | None:
        """Take a lost lease again; None if that fails for too long."""
        started = last = time.monotonic()
        while (now := time.monotonic()) < min(last + RETAKE_S, started + REFUSED_S):
            try:
                async with asyncio.timeout(last + RETAKE_S - now):
                    lease = await self.leases.take(name)
            except CatalogueError as error:
                if self._local and _refused(error):
                    last = time.monotonic()
            except TimeoutError:
                return None
            else:
                if lease is not None:
                    return lease
            await asyncio.sleep(TRY_S)
        return None


def _refused(error: BaseException) -> bool:
    """Return whether no server runs at the address, or one that still starts."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return True
        if getattr(cause, "sqlstate", None) == _STARTING_UP:
            return True
        cause = cause.__cause__
    return False


@asynccontextmanager
async def exclusive(leases: Leases, name: str, *, wait_s: float) -> AsyncIterator[None]:
    """Hold a lease for the block; raise GenrecError if it is not free within ``wait_s``."""
    deadline = time.monotonic() + wait_s
    while (lease := await leases.take(name)) is None:
        if time.monotonic() > deadline:
            raise GenrecError(
                f"Another bot process has held the lease {name} for {wait_s:.0f} s: stop it, or"
                " start again."
            )
        await asyncio.sleep(TRY_S)
    try:
        yield
    finally:
        with contextlib.suppress(CatalogueError):
            await lease.release()
