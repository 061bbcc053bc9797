"""Requests a minute for each client: a token bucket by address."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_CLIENTS = 10_000


class RequestRates:
    """Lets each client have ``per_minute`` requests a minute, all of them at once if it likes.

    This is the token bucket of Turner (1986), *New directions in communications*. The clients that
    were quiet longest are forgotten above `MAX_CLIENTS`.
    """

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most = per_minute / 60.0, float(per_minute)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when

    def count(self, client: str) -> float:
        """Count a request and return 0, or return the seconds to wait and count nothing."""
        wait_s = max(0.0, (1.0 - self._now_left(client)) / self._per_s)
        if not wait_s:
            self._left[client] = (self._now_left(client) - 1.0, self._clock())
            self._left.move_to_end(client)
            while len(self._left) > MAX_CLIENTS:
                self._left.popitem(last=False)
        return wait_s

    def _now_left(self, client: str) -> float:
        left, at = self._left.get(client, (self._most, self._clock()))
        return min(self._most, left + self._per_s * (self._clock() - at))


def client_of(remote: str | None) -> str:
    """Return the client of an address: of IPv6 its /64 network, which one subscriber has."""
    try:
        address = ipaddress.ip_address((remote or "").split("%", 1)[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
