"""`DnsResolver`: hosts file, name servers that hang, truncate or lie, and what a timeout frees."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sources.resolver import DnsResolver, Endpoint, resolve_public
from genrec.errors import LinkRefused
from tests.bot.sources.hostile import NameServer, name_server, wait_until


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with name_server() as made:
        yield made


@pytest.fixture
def resolve(server: NameServer, tmp_path: Path) -> DnsResolver:
    return DnsResolver(nameservers=[server.address], hosts_file=tmp_path / "hosts")


async def test_addresses_of_both_families_ipv4_first(server, resolve):
    server.records["music.test"] = ["2606:4700::1", "93.184.216.34", "93.184.216.35"]
    found = await resolve("music.test", 443)
    assert found[-1] == Endpoint(socket.AF_INET6, "2606:4700::1", 443)
    assert {one.address for one in found[:2]} == {"93.184.216.34", "93.184.216.35"}
    assert {one.family for one in found[:2]} == {socket.AF_INET}


async def test_unknown_and_impossible_names_raise_os_error(server, resolve):
    server.records["empty.test"] = []
    for host in ("nowhere.test", "empty.test", "a..test", "x" * 64 + ".test", "é.test", "\\"):
        with pytest.raises(OSError):  # noqa: PT011 - the message is the library's
            await resolve(host, 443)


async def test_names_are_looked_up_as_they_are_without_search_domains(server, resolve):
    with pytest.raises(OSError):  # noqa: PT011
        await resolve("nowhere.test", 443)
    assert set(server.asked) == {"nowhere.test"}


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "127.0.0.1"])
async def test_ipv4_in_any_spelling_is_that_address(host, server, resolve):
    assert await resolve(host, 80) == [Endpoint(socket.AF_INET, "127.0.0.1", 80)]
    assert not server.asked


async def test_ipv6_literal_is_that_address(resolve):
    assert await resolve("::1", 80) == [Endpoint(socket.AF_INET6, "::1", 80)]


async def test_hosts_file_goes_before_name_server_and_is_read_again(server, resolve, tmp_path):
    server.records["music.test"] = ["93.184.216.34"]
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# a comment\n0.0.0.0 Ads.test music.test # blocked\nrubbish x.test\n::1 six\n"
    )
    assert (await resolve("MUSIC.test", 80))[0].address == "0.0.0.0"
    assert (await resolve("six", 80))[0] == Endpoint(socket.AF_INET6, "::1", 80)
    hosts.write_text("")
    assert (await resolve("music.test", 80))[0].address == "93.184.216.34"


async def test_one_family_is_enough_when_the_other_hangs(server, resolve, monkeypatch):
    monkeypatch.setattr("bot.sources.resolver._LOOKUP_S", 0.5)
    server.records["music.test"] = ["93.184.216.34", "2606:4700::1"]
    server.hanging.add("AAAA")
    assert [one.address for one in await resolve("music.test", 80)] == ["93.184.216.34"]


async def test_hanging_names_delay_no_other_and_free_their_sockets(server, resolve, policy):
    """Two hundred look-ups that hang, then one that is answered; the old limit was eight."""
    server.records["cdn.test"] = ["93.184.216.34"]
    server.hanging.add("slow")
    files = open_files()
    hanging = [asyncio.create_task(resolve(f"a{n}.slow", 80)) for n in range(200)]
    await wait_until(lambda: len(server.asked) >= 50)  # some datagrams may be lost
    assert (await resolve("cdn.test", 80))[0].address == "93.184.216.34"
    assert not any(task.done() for task in hanging)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert open_files() <= files
    quick = dataclasses.replace(policy, connect_s=0.2)
    with pytest.raises(LinkRefused, match="could not be found"):
        await resolve_public("a.slow", 80, policy=quick, resolve=resolve)


async def test_truncated_reply_is_read_over_tcp(server, resolve):
    server.records["music.test"] = [f"93.184.216.{n}" for n in range(60)]
    server.truncated.add("music.test")
    assert len(await resolve("music.test", 80)) == 16


async def test_large_reply_over_tcp_is_not_parsed(server, resolve):
    server.records["music.test"] = ["93.184.216.34"]
    server.truncated.add("music.test")
    server.padding = 60_000
    started = time.monotonic()
    with pytest.raises(OSError, match="no address"):
        await resolve("music.test", 80)
    assert time.monotonic() - started < 3


async def test_absent_name_server_is_an_os_error(tmp_path, monkeypatch):
    monkeypatch.setattr("bot.sources.resolver._LOOKUP_S", 0.3)
    resolve = DnsResolver(nameservers=[("127.0.0.1", 1)], hosts_file=tmp_path / "none")
    with pytest.raises(OSError, match="no address"):
        await resolve("music.test", 80)


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"])
async def test_one_private_address_among_public_ones_is_refused(private, server, resolve, policy):
    server.records["music.test"] = ["93.184.216.34", private]
    with pytest.raises(LinkRefused, match="private network"):
        await resolve_public("music.test", 80, policy=policy, resolve=resolve)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
