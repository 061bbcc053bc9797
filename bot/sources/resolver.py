"""Resolve host names to public addresses and connect to them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bot.sources.policy import SourcePolicy, check_endpoint
from genrec.errors import LinkRefused


class Endpoint(NamedTuple):
    """One resolved address of a host name."""

    family: socket.AddressFamily
    address: str
    port: int


Resolve = Callable[[str, int], Awaitable[list[Endpoint]]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class SystemResolver:
    """Resolve names with ``getaddrinfo`` on a separate thread pool.

    A hostile name server can block a look-up for many seconds. On the event loop's default threads,
    a few such links would block all other users of those threads.
    """

    def __init__(self, *, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="genrec-dns")

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        """Return the addresses of ``host``; raise OSError if there are none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [
            Endpoint(family, str(address[0]), int(address[1])) for family, _, _, _, address in found
        ]

    def close(self) -> None:
        """Release the threads without waiting for a blocked look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def resolve_public(
    host: str, port: int, *, policy: SourcePolicy, resolve: Resolve
) -> list[Endpoint]:
    """Return the addresses of ``host``; raise LinkRefused if any of them is not public."""
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
    """Connect to ``host`` if all its addresses are public.

    The name is resolved once, and the socket uses the checked address. DNS rebinding has no effect.
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
    """Connect through the operator's proxy to the checked address, never to the name."""
    host_and_port = policy.upstream_proxy.removeprefix("http://").rstrip("/")
    host, _, port = host_and_port.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    numeric = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    target = f"{numeric}:{endpoint.port}"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    try:
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            raise ConnectionRefusedError("the upstream proxy refused CONNECT")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise ConnectionResetError("the upstream proxy closed the connection") from error
    except BaseException:
        writer.close()
        raise
    return reader, writer
