"""Fake web servers and a fake DNS on loopback, for tests of hostile links."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import socket
import wave
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from bot.sources import Attachment, Site, SourcePolicy, Sources, fetch
from bot.sources.resolver import Endpoint
from genrec.errors import GenrecError, InputRefused, LinkRefused

Handler = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """One HTTP request that a fake server received."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class FakeServer:
    """A web server whose responses the test defines byte by byte."""

    port: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    routes: dict[str, Handler] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def serve(self, path: str, body: bytes, *headers: str, status: str = "200 OK") -> None:
        async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(response(body, *headers, status=status))

        self.routes[path] = answer

    def redirect(self, path: str, target: str) -> None:
        self.serve(path, b"", f"Location: {target}", status="302 Found")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            method, path, _ = first.split(" ")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            request = Request(method, path, headers)
            path = path.partition("?")[0]
            self.hits[path] += 1
            self.requests.append(request)
            handler = self.routes.get(path)
            if handler is None:
                writer.write(response(b"no", status="404 Not Found"))
            else:
                await handler(request, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    named = {line.partition(":")[0].lower() for line in headers}
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close"]
    if "content-length" not in named and "transfer-encoding" not in named:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class FakeDns:
    """A resolver with fixed answers per host; later look-ups may get other answers."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[tuple[str, int]]]] = {}
        self.lookups: Counter[str] = Counter()

    def set(self, host: str, *answers: list[tuple[str, int]]) -> None:
        self.answers[host] = list(answers)

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        earlier = self.lookups[host]
        self.lookups[host] += 1
        with suppress(OSError):  # like the system's, it accepts an IPv4 address in any spelling
            return [Endpoint(socket.AF_INET, socket.inet_ntoa(socket.inet_aton(host)), port)]
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answers = self.answers[host]
        return [
            Endpoint(socket.AF_INET6 if ":" in address else socket.AF_INET, address, at or port)
            for address, at in answers[min(earlier, len(answers) - 1)]
        ]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """A DNS server on loopback: UDP and, after a truncated reply, TCP; other names do not exist."""

    records: dict[str, list[str]] = field(default_factory=dict)  # by name
    hanging: set[str] = field(default_factory=set)  # last labels, or "A" and "AAAA"
    truncated: set[str] = field(default_factory=set)
    padding: int = 0  # bytes after a reply over TCP
    asked: Counter[str] = field(default_factory=Counter)
    address: tuple[str, int] = ("127.0.0.1", 0)

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        reply = self._reply(data, tcp=False)
        if reply is not None:
            self._transport.sendto(reply.to_wire(), addr)

    async def handle_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            reply = self._reply(await reader.readexactly(size), tcp=True)
            wire = (reply.to_wire() if reply is not None else b"") + bytes(self.padding)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()

    def _reply(self, data: bytes, *, tcp: bool) -> dns.message.Message | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
        self.asked[name] += 1
        if {kind, name.rpartition(".")[2]} & self.hanging:
            return None
        reply = dns.message.make_response(query)
        if name in self.truncated and not tcp:
            reply.flags |= dns.flags.TC
            return reply
        if name not in self.records:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply
        wanted = [one for one in self.records[name] if (":" in one) == (kind == "AAAA")]
        if wanted:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *wanted))
        return reply


@asynccontextmanager
async def name_server(**given) -> AsyncIterator[NameServer]:
    """Run a `NameServer` on a free port."""
    loop = asyncio.get_running_loop()
    made = NameServer(**given)
    tcp = await asyncio.start_server(made.handle_tcp, "127.0.0.1", 0)
    made.address = tcp.sockets[0].getsockname()
    transport, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=made.address)
    try:
        yield made
    finally:
        transport.close()
        tcp.close()


async def start_server(origin: FakeServer) -> asyncio.Server:
    server = await asyncio.start_server(origin.handle, "127.0.0.1", origin.port, limit=1 << 16)
    origin.port = server.sockets[0].getsockname()[1]
    return server


def wav(seconds: float = 1.0) -> bytes:
    """Return a WAV file that is not silent."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(range(256)) * int(seconds * 8000 * 2 / 256))
    return buffer.getvalue()


def processes_in(root: Path) -> list[int]:
    """Return the ids of processes whose working directory is or was under ``root``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(root):
                found.append(int(entry.name))
        except OSError:  # exited, or owned by another user
            continue
    return found


async def wait_until(happened: Callable[[], object]) -> None:
    """Poll until ``happened()`` is true."""
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 - the other side is a process or a server
            await asyncio.sleep(0.01)


# It declares addresses and private hosts as its own, so that tests reach the address rule.
LOCAL_SITE = Site(
    "local",
    "Local Test",
    ("pages.test",),
    ("localtest",),
    networks=("pages.test", "music.test", "inside.test", "nowhere.test", "*1", "*.254"),
)


def with_local_site(policy: SourcePolicy) -> SourcePolicy:
    """Return the policy with the test extractor enabled as a yt-dlp plugin."""
    return dataclasses.replace(
        policy,
        extra_sites=(LOCAL_SITE,),
        ytdlp_dir=Path(__file__).parent,
        ytdlp_plugins=True,
    )


async def fetch_outcome(sources: Sources, source: str | Attachment, *, owner: object = None) -> str:
    """Fetch ``source``; return "clip SIZE" or the class name of the error."""
    try:
        async with sources.fetch(source, owner=owner) as clip:
            await asyncio.sleep(0.01)
            return f"clip {clip.path.stat().st_size}"
    except GenrecError as error:
        return type(error).__name__


async def fetch_error(link, policy, dns, kind: type[GenrecError] = LinkRefused) -> str:
    """Fetch ``link``, which must be refused with a message for users, and return the message."""
    with pytest.raises(kind) as caught:
        async with fetch(link, policy=policy, resolve=dns):
            pytest.fail("a hostile link became a clip")
    sentence = str(caught.value)
    assert isinstance(caught.value, InputRefused)
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert "Error" not in sentence
    assert "127.0.0.1" not in sentence
    return sentence
