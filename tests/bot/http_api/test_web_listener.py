"""Connections of the HTTP interface: silent ones and too many are closed, others are kept."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address

import aiohttp
import pytest
from aiohttp import web

from bot.http_api import web_listener
from bot.http_api.web_listener import base_address, listening

LOOPBACK = IPv4Address("127.0.0.1")
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def application() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def test_silent_connections_are_closed_and_speaking_ones_are_kept() -> None:
    async with listening(application(), host=LOOPBACK, port=0, quiet_s=0.4) as address:
        port = int(address.rsplit(":", 1)[1])
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", port)
        half, half_writer = await asyncio.open_connection("127.0.0.1", port)
        half_writer.write(REQUEST[:-2])
        spoke, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        assert b"200 OK" in await spoke.readuntil(b"hello")
        assert await asyncio.wait_for(silent.read(), 3) == b""
        assert await asyncio.wait_for(half.read(), 3) == b""
        await asyncio.sleep(0.4)
        writer.write(REQUEST)
        assert b"200 OK" in await asyncio.wait_for(spoke.readuntil(b"hello"), 3)
        for each in (silent_writer, half_writer, writer):
            each.close()


async def test_connections_above_the_limit_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_listener, "MOST_CONNECTIONS", 3)
    async with listening(application(), host=LOOPBACK, port=0, quiet_s=3.0) as address:
        port = int(address.rsplit(":", 1)[1])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        closing = [asyncio.create_task(reader.read()) for reader, _ in opened]
        await asyncio.sleep(1.5)
        assert sum(task.done() for task in closing) == 5
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            assert response.status == 200
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*closing, return_exceptions=True)


async def test_silent_connections_above_the_limit_are_closed_before_those_that_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_listener, "MOST_CONNECTIONS", 3)
    app = application()

    async def slow(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await request.read())} bytes")

    app.router.add_post("/", slow)
    async with listening(app, host=LOOPBACK, port=0, quiet_s=30.0) as address:
        port = int(address.rsplit(":", 1)[1])
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        idle_writer.write(REQUEST)
        await idle.readuntil(b"hello")
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        busy, busy_writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
        busy_writer.write(head + b"a")
        closing = [asyncio.create_task(reader.read()) for reader, _ in silent]
        await asyncio.sleep(1.5)
        assert [task.done() for task in closing] == [True, True, False]
        busy_writer.write(b"b")
        assert b"200 OK" in await asyncio.wait_for(busy.readuntil(b"2 bytes"), 3)
        idle_writer.write(REQUEST)
        assert b"200 OK" in await asyncio.wait_for(idle.readuntil(b"hello"), 3)
        for writer in (idle_writer, busy_writer, *(writer for _, writer in silent)):
            writer.close()
        await asyncio.gather(*closing, return_exceptions=True)


def test_address_of_ipv6_has_brackets() -> None:
    assert base_address(str(IPv6Address("::1")), 80) == "http://[::1]:80"
    assert base_address("127.0.0.1", 80) == "http://127.0.0.1:80"
