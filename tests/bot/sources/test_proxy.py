"""The filtering proxy alone: allowed and refused targets, limits, and its password."""

from __future__ import annotations

import asyncio
import base64
import dataclasses

import pytest

from bot.sources.proxy import FilteringProxy
from tests.bot.sources.hostile import FakeServer, response, start_server


def password(proxy: FilteringProxy) -> str:
    """Return the header that a client sends for the proxy's URL."""
    given = proxy.url.partition("://")[2].partition("@")[0]
    return f"Proxy-Authorization: Basic {base64.b64encode(given.encode()).decode()}"


async def ask(proxy: FilteringProxy, first: str, *headers: str, more: bytes = b"") -> bytes:
    """Send one request with the password and return the whole response."""
    return await ask_raw(proxy, "\r\n".join([first, password(proxy), *headers, "", ""]), more)


async def ask_raw(proxy: FilteringProxy, text: str, more: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text.encode("latin-1") + more)
        async with asyncio.timeout(3):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.fixture
async def proxy(policy, dns):
    async with FilteringProxy(policy=policy, resolve=dns, budget=10_000) as proxy:
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


@pytest.mark.parametrize(
    "text",
    [
        "GET http://music.test/x HTTP/1.1\r\n\r\n",
        "GET http://music.test/x HTTP/1.1\r\nProxy-Authorization: Basic Z2VucmVjOg==\r\n\r\n",
        "CONNECT music.test:443 HTTP/1.1\r\nAuthorization: Basic x\r\n\r\n",
    ],
)
async def test_proxy_without_password_returns_407(text, proxy, origin):
    assert (await ask_raw(proxy, text)).startswith(b"HTTP/1.1 407")
    assert origin.connections == 0


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
    async with FilteringProxy(policy=opened, resolve=dns, budget=1) as proxy:
        got = await ask(proxy, "GET http://closed.test/x HTTP/1.1")
        assert got.startswith(b"HTTP/1.1 502")
        assert proxy.refused is None


async def test_proxy_passwords_differ(policy, dns, proxy):
    async with FilteringProxy(policy=policy, resolve=dns, budget=1) as other:
        assert password(other) != password(proxy)


async def test_proxy_close_ends_open_connections(policy, dns, origin):
    async def answer(_, writer):
        writer.write(response(b"", "Content-Length: 9"))
        await writer.drain()
        await asyncio.sleep(30)

    origin.routes["/x"] = answer
    async with FilteringProxy(policy=policy, resolve=dns, budget=10_000) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"GET http://music.test/x HTTP/1.1\r\n{password(proxy)}\r\n\r\n".encode())
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
    async with FilteringProxy(policy=chained, resolve=dns, budget=10_000) as proxy:
        got = await ask(proxy, "GET http://music.test/x HTTP/1.1")
        assert got.endswith(b"sound")
        inside = await ask(proxy, "GET http://inside.test/secret HTTP/1.1")
        assert inside.startswith(b"HTTP/1.1 403")
    server.close()
    assert requested == [f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1".encode()]
