"""Messages to systemd: the bot serves, what it does, that it is alive, that it stops.

The protocol is that of sd_notify(3): lines ``NAME=value`` in a datagram to a Unix socket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.config import ServiceManagerAddress

log = logging.getLogger(__name__)

_STATUS_EVERY_S, _READY_EVERY_S = 30.0, 0.1


@asynccontextmanager
async def service_manager(
    address: ServiceManagerAddress,
    status: Callable[[], str],
    *,
    ready: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Callable[[], None]]:
    """Report to systemd for the block: ready, then the status and a sign of life, then stopping.

    Until ``ready`` returns True only the status is sent.

    The block calls what is yielded when it begins to stop; its end reports that otherwise.
    ``status`` returns one line. A sign of life is sent twice in the time after which systemd would
    start the bot again. Without an address nothing is sent.
    """
    if not address.socket:
        yield lambda: None
        return
    pause_s = min(_STATUS_EVERY_S, address.watchdog_s / 2 or _STATUS_EVERY_S)
    _send(address, *(["READY=1"] if ready() else []), f"STATUS={status()}")
    living = asyncio.create_task(_show_life(address, status, pause_s, ready))

    def stopping() -> None:
        if not living.cancelling():
            living.cancel()
            _send(address, "STOPPING=1", "STATUS=finishing requests")

    try:
        yield stopping
    finally:
        stopping()


async def _show_life(
    address: ServiceManagerAddress,
    status: Callable[[], str],
    pause_s: float,
    ready: Callable[[], bool],
) -> None:
    if not ready():
        while not ready():  # noqa: ASYNC110 - a connection has no event for it
            await asyncio.sleep(_READY_EVERY_S)
        _send(address, "READY=1", f"STATUS={status()}")
    while True:
        await asyncio.sleep(pause_s)
        _send(address, "WATCHDOG=1", f"STATUS={status()}")


def _send(address: ServiceManagerAddress, *lines: str) -> None:
    """Send lines without waiting; a manager that does not read loses them."""
    # An abstract socket is written with an @ and begins with a zero byte.
    name = f"\0{address.socket[1:]}" if address.socket.startswith("@") else address.socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), name)
    except OSError as error:
        log.warning("service manager not reached: %s: %s", address.socket, error.strerror)
