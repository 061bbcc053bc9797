"""Names to addresses to sockets, for everything a person's link makes us reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bot.sources.policy import SourcePolicy, check_endpoint
from genrec.errors import LinkRefused


class Endpoint(NamedTuple):
    """An address that a name stands for, as a socket takes it."""

    family: socket.AddressFamily
    address: str
    port: int


Resolve = Callable[[str, int], Awaitable[list[Endpoint]]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class SystemResolver:
    """Ask the system for addresses, on threads of our own.

    A stranger's name server can make a look-up hang for many seconds; on the event loop's shared
    threads a few such links would stop everything else that uses them.
    """

    def __init__(self, *, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="genrec-dns")

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        """Return the addresses of ``host``; OSError where it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [Endpoint(family, str(where[0]), int(where[1])) for family, _, _, _, where in found]

    def close(self) -> None:
        """Let go of the threads without waiting for a look-up that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def resolve_public(
    host: str, port: int, *, policy: SourcePolicy, resolve: Resolve
) -> list[Endpoint]:
    """Return the addresses of ``host``, or refuse it where any of them is not public."""
    try:
        async with asyncio.timeout(policy.connect_s):
            endpoints = await resolve(host, port)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        raise LinkRefused(
            f"The site {host[:100]} could not be found. Check the link, or upload the file."
        ) from error
    for endpoint in endpoints:
        check_endpoint(endpoint.address, endpoint.port, policy)
    return endpoints


async def open_checked(host: str, port: int, *, policy: SourcePolicy, resolve: Resolve) -> Streams:
    """Connect to ``host`` if the address really used is public.

    The name is looked up once; what was judged is what the socket gets, so a name that answers
    differently the second time gains nothing.
    """
    endpoints = await resolve_public(host, port, policy=policy, resolve=resolve)
    failure: OSError = OSError("no address")
    for endpoint in endpoints:
        try:
            async with asyncio.timeout(policy.connect_s):
                if policy.upstream_proxy:
                    return await _through_upstream(endpoint, policy)
                return await asyncio.open_connection(
                    endpoint.address, endpoint.port, family=endpoint.family
                )
        except OSError as error:
            failure = error
    raise failure


async def _through_upstream(endpoint: Endpoint, policy: SourcePolicy) -> Streams:
    """Ask the operator's own proxy for the address that was judged, never for the name."""
    scheme_and_place = policy.upstream_proxy.removeprefix("http://").rstrip("/")
    host, _, port = scheme_and_place.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    numeric = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    target = f"{numeric}:{endpoint.port}"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    try:
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            raise ConnectionRefusedError("the upstream proxy refused")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise ConnectionResetError("the upstream proxy hung up") from error
    except BaseException:
        writer.close()
        raise
    return reader, writer
