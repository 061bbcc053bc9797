"""Slow and hanging links of one guild: what uploads and links of others wait for."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from bot.sources import Attachment, SourcePolicy, Sources
from bot.sources import resolver as resolver_module
from genrec.types import Clip
from tests.bot.sources.hostile import NameServer, fetch_outcome, name_server, wait_until, wav

TROLLS, OTHERS = 1, 2


@pytest.fixture
def local(policy: SourcePolicy) -> SourcePolicy:
    """Return limits as in a bot with the defaults, scaled to small files."""
    return dataclasses.replace(
        policy,
        max_disk_bytes=20 * policy.max_bytes,
        attachment_hosts=frozenset({"cdn.test", "music.test"}),
        stall_s=30.0,
        download_s=30.0,
        rate_window_s=30.0,
    )


def upload(port: int, host: str = "127.0.0.1") -> Attachment:
    return Attachment(f"http://{host}:{port}/upload.wav", "upload.wav", len(wav()))


async def _end(tasks: list[asyncio.Task[str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("length", ["", "Content-Length: 200000\r\n"])
async def test_upload_ends_before_slow_links(length, origin, local, dns):
    """Links that reserved the most they could had taken all disk space until they ended."""

    async def slow(_, writer):
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + wav()[:600])
        await writer.drain()
        await asyncio.sleep(60)

    origin.routes["/slow.wav"] = slow
    origin.serve("/upload.wav", wav())
    async with Sources(local, resolve=dns) as sources:
        links = [
            asyncio.create_task(fetch_outcome(sources, "http://music.test/slow.wav"))
            for _ in range(20)
        ]
        await wait_until(lambda: origin.hits["/slow.wav"] >= 10)
        async with asyncio.timeout(5):
            got = await fetch_outcome(sources, upload(origin.port))
        assert got == f"clip {len(wav())}"
        assert not any(link.done() for link in links)
        await _end(links)


@pytest.fixture
async def hanging_names(monkeypatch) -> AsyncIterator[NameServer]:
    """Names under .slow that hang, in DNS and in getaddrinfo; cdn.test is this machine."""
    release = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kw):
        if str(host).endswith(".slow"):
            release.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "hangs")
        return real("127.0.0.1" if host == "cdn.test" else host, port, *args, **kw)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with name_server(records={"cdn.test": ["127.0.0.1"]}, hanging={"slow"}) as server:
        yield server
    release.set()


@pytest.fixture
def system_dns(hanging_names: NameServer, monkeypatch) -> None:
    """Make the fake name server the system's."""

    def servers(_: object) -> list[tuple[str, int]]:
        return [hanging_names.address]

    monkeypatch.setattr(resolver_module, "_system_servers", servers, raising=False)


@pytest.mark.usefixtures("system_dns")
async def test_upload_ends_before_names_that_hang_and_after_them(origin, local, root):
    """Eight look-ups that hung had taken all threads, also after their links were refused."""
    origin.serve("/upload.wav", wav())
    port = origin.port
    opened = dataclasses.replace(
        local,
        open_endpoints=frozenset({("127.0.0.1", port), ("cdn.test", port)}),
        connect_s=2.0,
    )
    async with Sources(opened) as sources:
        links = [
            asyncio.create_task(fetch_outcome(sources, f"http://a{n}.slow:80/x.mp3"))
            for n in range(30)
        ]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(1.5):
            got = await fetch_outcome(sources, upload(port, "cdn.test"))
        assert got == f"clip {len(wav())}"
        assert not any(link.done() for link in links)
        assert set(await asyncio.gather(*links)) == {"LinkRefused"}
        async with asyncio.timeout(1.5):
            got = await fetch_outcome(sources, upload(port, "cdn.test"))
        assert got == f"clip {len(wav())}"


async def test_pages_of_one_guild_leave_a_process_to_others(origin, local, dns, monkeypatch, root):
    hung: list[str] = []

    async def fetch_page(url, site, folder, **_) -> Clip:
        if url.path == "/hang":
            hung.append(url.host)
            await asyncio.sleep(60)
        path = folder / "clip.wav"
        path.write_bytes(wav())
        return Clip(path, "ab" * 32)

    async def fetch(guild: int, link: str) -> None:
        async with sources.fetch(link, owner=guild):
            pass

    module = importlib.import_module("bot.sources.fetch")  # the package's name is the function
    monkeypatch.setattr(module, "fetch_page", fetch_page)
    page = "https://soundcloud.com/{}"
    monkeypatch.setattr(module, "site_of", lambda url, _: object())
    async with Sources(local, resolve=dns) as sources:
        links = [asyncio.create_task(fetch(TROLLS, page.format("hang"))) for _ in range(10)]
        await wait_until(lambda: hung)
        async with asyncio.timeout(5):
            await fetch(OTHERS, page.format("song"))
        assert len(hung) == local.pages_at_once - 1
        await _end(links)
