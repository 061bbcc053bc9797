"""Resolve host names to public addresses and connect to them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from bot.sources.policy import SourcePolicy, check_endpoint
from genrec.errors import LinkRefused

_HOSTS_FILE = Path("/etc/hosts")
# Both address families are looked up at once, and one alone is enough after this time. It is
# shorter than ``SourcePolicy.connect_s``.
_LOOKUP_S = 4.0
_UDP_BYTES = 1232  # the size that passes without fragments
# dnspython parses 64 KiB of hostile names in 0.9 s, during which the event loop stands still.
_MAX_REPLY_BYTES = 2048
_MAX_ADDRESSES = 16


class Endpoint(NamedTuple):
    """One resolved address of a host name."""

    family: socket.AddressFamily
    address: str
    port: int


Resolve = Callable[[str, int], Awaitable[list[Endpoint]]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class DnsResolver:
    """Resolve names on the event loop, from the hosts file and the system's name servers.

    ``getaddrinfo`` blocks a thread until the name server responds. A few hostile name servers could
    take all threads, and a timeout would free none of them. Here a timeout or a cancelled fetch
    closes the socket. Search domains are not applied, because links have whole names.
    """

    def __init__(
        self, *, nameservers: Sequence[tuple[str, int]] = (), hosts_file: Path = _HOSTS_FILE
    ) -> None:
        self._nameservers = nameservers
        self._hosts = _HostsFile(hosts_file)

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        """Return the addresses of ``host``, IPv4 first; raise OSError if there are none."""
        addresses = _literal(host) or self._hosts.addresses(host) or await self._look_up(host)
        return [
            Endpoint(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port)
            for address in addresses
        ]

    async def _look_up(self, host: str) -> list[str]:
        resolver = self._configured()
        try:
            name = dns.name.from_text(host, origin=dns.name.root)
        except dns.exception.DNSException as error:
            raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
        found = await asyncio.gather(
            *(
                resolver.resolve(
                    name,
                    kind,
                    raise_on_no_answer=False,
                    lifetime=_LOOKUP_S,
                    search=False,
                )
                for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
            ),
            return_exceptions=True,
        )
        addresses = []
        for answer in found:
            if isinstance(answer, dns.resolver.Answer):
                addresses += [record.address for record in answer][:_MAX_ADDRESSES]
            elif not isinstance(answer, dns.exception.DNSException | OSError | EOFError):
                raise answer
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return addresses

    def _configured(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        # Read for each look-up, because the name servers change with the network.
        servers = self._nameservers or _system_servers(resolver)
        resolver.nameservers = [_NameServer(*server) for server in servers]
        resolver.use_edns(0, payload=_UDP_BYTES)
        return resolver


def _system_servers(resolver: dns.asyncresolver.Resolver) -> list[tuple[str, int]]:
    """Read /etc/resolv.conf with ``resolver``, and return the name servers."""
    try:
        resolver.read_resolv_conf("/etc/resolv.conf")
    except (dns.resolver.NoResolverConfiguration, ValueError):
        return [("127.0.0.1", 53)]  # the default of the system's own resolver
    return [(str(address), 53) for address in resolver.nameservers]


class _NameServer(dns.nameserver.Do53Nameserver):
    """A name server whose replies over TCP have a limited length."""

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ASYNC109 - dnspython's signature
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Send ``request``; ``max_size`` is dnspython's name for TCP, after a truncated reply."""
        if not max_size:
            return await super().async_query(
                request,
                timeout,
                source,
                source_port,
                max_size,
                backend,
                one_rr_per_rrset,
                ignore_trailing,
            )
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(self.address, self.port)
            try:
                question = request.to_wire()
                writer.write(struct.pack("!H", len(question)) + question)
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                if size > _MAX_REPLY_BYTES:
                    raise OSError(f"reply of {size} bytes: limit {_MAX_REPLY_BYTES}")
                reply = dns.message.from_wire(await reader.readexactly(size))
            finally:
                writer.close()
        if not request.is_response(reply):
            raise dns.exception.FormError
        return reply


class _HostsFile:
    """Addresses of /etc/hosts, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._names: dict[str, list[str]] = {}

    def addresses(self, host: str) -> list[str]:
        """Return the addresses of ``host``, or none."""
        try:
            state = self._path.stat()
            version = (state.st_ino, state.st_size, state.st_mtime_ns)
            if version != self._version:
                self._names = _parse_hosts(self._path.read_text("utf-8", "replace"))
                self._version = version
        except OSError:
            return []
        return self._names.get(host.lower().rstrip("."), [])


def _parse_hosts(text: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *hosts = line.partition("#")[0].split() or [""]
        try:
            ipaddress.ip_address(address)
        except ValueError:
            continue
        for host in hosts:
            names.setdefault(host.lower(), []).append(address)
    return names


def _literal(host: str) -> list[str]:
    """Return the address that ``host`` spells, like ``getaddrinfo`` also 127.1 and 0x7f000001."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        return []


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
