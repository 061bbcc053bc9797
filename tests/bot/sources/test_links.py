"""Links to private addresses are refused with a message and never connected to."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import ssl

import aiohttp
import pytest
import trustme

from bot.sources import fetch
from bot.sources.download import guarded_session
from bot.sources.resolver import DnsResolver
from genrec.errors import (
    LinkRefused,
    UnsupportedSource,
)
from tests.bot.sources.hostile import FakeServer, fetch_error, wav

HERE = "http://music.test"


async def test_link_becomes_clip_with_title_and_source(origin, policy, dns, root):
    body = wav()
    origin.serve("/songs/My_Song%20%5Blive%5D.wav", body)
    link = f"{HERE}/songs/My_Song%20%5Blive%5D.wav?x=1"
    async with fetch(link, policy=policy, resolve=dns) as clip:
        assert clip.path.read_bytes() == body
        assert clip.path.is_relative_to(root)
        assert clip.path.suffix == ".wav"
        assert clip.sha256 == hashlib.sha256(body).hexdigest()
        assert (clip.title, clip.artist, clip.source) == ("My Song [live]", "", link)
    assert not clip.path.exists()
    assert origin.requests[0].headers["accept-encoding"] == "identity"
    assert "cookie" not in origin.requests[0].headers


async def test_clip_is_removed_when_the_caller_raises(origin, policy, dns):
    origin.serve("/x.wav", wav())
    with pytest.raises(ZeroDivisionError):
        async with fetch(f"{HERE}/x.wav", policy=policy, resolve=dns):
            1 / 0  # noqa: B018 - the caller's own error


async def test_https_link_checks_certificate_and_scheme(policy, dns, tmp_path):
    authority, secure = trustme.CA(), FakeServer()
    secure.serve("/x.wav", wav())
    context = secure_context(authority, "music.test")
    server = await asyncio.start_server(secure.handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    dns.set("music.test", [("127.0.0.1", port)])
    dns.set("other.test", [("127.0.0.1", port)])
    opened = dataclasses.replace(
        policy,
        schemes=frozenset({"https"}),
        open_endpoints=frozenset({("127.0.0.1", port)}),
        ca_file=tmp_path / "ca.pem",
    )
    try:
        async with fetch("https://music.test/x.wav", policy=opened, resolve=dns) as clip:
            assert clip.path.read_bytes() == wav()
        assert "certificate" in await fetch_error("https://other.test/x.wav", opened, dns)
        assert "https://" in await fetch_error("http://music.test/x.wav", opened, dns)
    finally:
        server.close()


def secure_context(authority, *hosts):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    return context


# --- where a link may lead ----------------------------------------------------------------------

INSIDE = [
    "http://inside.test/secret",
    "http://127.0.0.1:{port}/secret",
    "http://localhost:{port}/secret",
    "http://127.1:{port}/secret",
    "http://2130706433:{port}/secret",
    "http://0x7f000001:{port}/secret",
    "http://0177.0.0.1:{port}/secret",
    "http://0.0.0.0:{port}/secret",
    "http://[::1]:{port}/secret",
    "http://[::ffff:127.0.0.1]:{port}/secret",
    "http://[::127.0.0.1]:{port}/secret",
    "http://[64:ff9b::7f00:1]:{port}/secret",
    "http://127。0。0。1:{port}/secret",
    "http://①②⑦.0.0.1:{port}/secret",
    "http://music.test@127.0.0.1:{port}/secret",
    "http://music.test:80@127.0.0.1:{port}/secret",
    "http://music.test\\@127.0.0.1:{port}/secret",
    "http://music.test#@127.0.0.1:{port}/secret",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/secret",
    "gopher://127.0.0.1:{port}/_GET",
    "data:audio/wav;base64,UklGRg==",
]


@pytest.mark.parametrize("target", INSIDE)
async def test_link_to_private_address_is_refused(target, forbidden, policy, dns):
    await fetch_error(target.format(port=forbidden.port), policy, dns)


@pytest.mark.parametrize("target", INSIDE)
async def test_redirect_to_private_address_is_refused(target, origin, forbidden, policy, dns):
    try:
        where = target.format(port=forbidden.port).encode().decode("latin-1")
    except UnicodeError:
        pytest.skip("not a header")
    origin.redirect("/x.wav", where)
    await fetch_error(f"{HERE}/x.wav", policy, dns)
    assert origin.hits["/x.wav"] == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"],
)
async def test_socket_factory_refuses_private_address(host, forbidden, policy):
    resolver = DnsResolver()
    async with guarded_session(policy, resolver) as session:
        with pytest.raises((LinkRefused, aiohttp.ClientError)):
            await session.get(f"http://{host}:{forbidden.port}/secret")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1%lo",
    ],
)
async def test_host_that_resolves_to_private_address_is_refused(address, forbidden, policy, dns):
    dns.set("rebind.test", [(address, forbidden.port)])
    assert "private network" in await fetch_error("http://rebind.test/secret", policy, dns)
    assert dns.lookups["rebind.test"] == 1


async def test_dns_rebinding_is_refused(origin, forbidden, policy, dns):
    inside = [("127.0.0.1", forbidden.port)]
    dns.set("rebind.test", [("127.0.0.1", origin.port)], inside)
    origin.redirect("/x.wav", "http://rebind.test/secret")
    assert "private network" in await fetch_error("http://rebind.test/x.wav", policy, dns)
    assert dns.lookups["rebind.test"] == 2


async def test_one_private_address_refuses_the_host(origin, forbidden, policy, dns):
    origin.serve("/x.wav", wav())
    both = [("127.0.0.1", origin.port), ("127.0.0.1", forbidden.port)]
    for order in (both, both[::-1]):
        dns.set("mixed.test", order)
        assert "private" in await fetch_error("http://mixed.test/x.wav", policy, dns)


async def test_other_ports(policy, dns):
    dns.set("ssh.test", [("93.184.215.14", 22)])
    assert "port 22" in await fetch_error("http://ssh.test/x.wav", policy, dns)


@pytest.mark.parametrize("hops", [["/b", "/a"], ["/a"]])
async def test_redirect_loop_is_refused(hops, origin, policy, dns):
    for here, there in zip(["/a", *hops], hops, strict=False):
        origin.redirect(here, f"{HERE}{there}")
    origin.redirect("/b", f"{HERE}/a")
    assert "5 times" in await fetch_error(f"{HERE}/a", policy, dns)
    assert origin.hits.total() == policy.max_redirects + 1


async def test_redirects_are_followed(origin, policy, dns):
    origin.serve("/c.wav", wav())
    origin.redirect("/b", "../c.wav")
    origin.redirect("/a", "http://music.test/b?q=1")
    async with fetch(f"{HERE}/a", policy=policy, resolve=dns) as clip:
        assert clip.title == "c"
        assert clip.source == f"{HERE}/a"


async def test_redirect_to_disabled_site_is_refused(origin, policy, dns):
    origin.redirect("/x", "https://www.youtube.com/watch?v=x")
    sentence = await fetch_error(f"{HERE}/x", policy, dns, UnsupportedSource)
    assert "YouTube are switched off" in sentence
