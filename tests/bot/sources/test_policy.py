"""Rules for addresses, ports and links, case by case."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket

import pytest

from bot.sources.policy import (
    SourcePolicy,
    accepted_sources,
    check_endpoint,
    check_url,
    is_public,
    site_of,
)
from bot.sources.resolver import Endpoint, resolve_public
from bot.sources.sites import SITES
from genrec.errors import LinkRefused, UnsupportedSource


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("192.168.1.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("::ffff:0:8.8.8.8", False),
        ("::ffff:0:7f00:1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:192.88.99.1", False),
        ("::ffff:224.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::1", False),
        ("100::1", False),
        ("2001:0:7f00:1::", False),
        ("2001:db8::1", False),
        ("2002:7f00:1::", False),
        ("3fff::1", False),
        ("5f00::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_is_public(address, public):
    assert is_public(address) is public


async def resolve_mapped(address: str) -> list[Endpoint]:
    """Return the checked addresses of a name with one IPv4-mapped address."""

    async def resolve(_host: str, port: int) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET6, address, port)]

    return await resolve_public("mapped.test", 443, policy=SourcePolicy(), resolve=resolve)


async def test_ipv4_mapped_public_address_passes() -> None:
    mapped = "::ffff:93.184.216.34"
    assert is_public(mapped)
    check_endpoint(mapped, 443, SourcePolicy())
    assert [endpoint.address for endpoint in await resolve_mapped(mapped)] == [mapped]


@pytest.mark.parametrize(
    "inner",
    ["10.0.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "192.88.99.1"],
)
async def test_ipv4_mapped_private_address_is_refused(inner: str) -> None:
    for mapped in (f"::ffff:{inner}", f"::FFFF:{inner}", ipaddress.ip_address(f"::ffff:{inner}")):
        assert not is_public(str(mapped))
        with pytest.raises(LinkRefused, match="private network"):
            check_endpoint(str(mapped), 443, SourcePolicy())
        with pytest.raises(LinkRefused, match="private network"):
            await resolve_mapped(str(mapped))


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
def test_other_port_of_public_address_is_refused(port):
    with pytest.raises(LinkRefused, match=f"port {port}"):
        check_endpoint("8.8.8.8", port, SourcePolicy())


def test_web_port_of_public_address_passes():
    check_endpoint("8.8.8.8", 443, SourcePolicy())
    check_endpoint("2606:4700::1111", 80, SourcePolicy())


def test_open_endpoint_allows_only_its_own_port():
    policy = SourcePolicy(open_endpoints=frozenset({("127.0.0.1", 5000)}))
    check_endpoint("127.0.0.1", 5000, policy)
    with pytest.raises(LinkRefused, match="private network"):
        check_endpoint("127.0.0.1", 5001, policy)


ODD_HOSTS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[fe80::1%25eth0]",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "8.8.8.8",
    "intranet",
    "a..b",
    "-a.test",
    "",
]


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_host_that_is_not_a_site_name_is_refused(host):
    with pytest.raises(LinkRefused):
        check_url(f"https://{host}/x.mp3", SourcePolicy())


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "ftp://music.test/x.mp3",
        "gopher://music.test/",
        "data:audio/wav;base64,AAAA",
        "javascript:alert(1)",
        "concat:/etc/passwd|x",
        "HTTP://music.test/x.mp3",
        "//music.test/x.mp3",
        "music.test/x.mp3",
        "/etc/passwd",
        "scsearch:anything",
        "https:/music.test/x.mp3",
        "https://music.test:22/x.mp3",
        "https://music.test:99999/x.mp3",
        "https://music.test:x/x.mp3",
        "https://user@music.test/x.mp3",
        "https://user:pass@music.test/x.mp3",
        "https://@music.test/x.mp3",
        "https://music.test\\@10.0.0.1/x.mp3",
        "https://music.test/a b.mp3",
        "https://music.test/\r\nHost: inside.test",
        "https://music.test/\u202emp3.x",
        "https://music.test/" + "a" * 2000,
        "https://" + "a." * 150 + "test/x.mp3",
        "",
    ],
)
def test_malformed_link_is_refused(link):
    with pytest.raises(LinkRefused) as error:
        check_url(link, SourcePolicy())
    assert str(error.value).endswith(".")


def test_check_url_keeps_the_query():
    link = "https://cdn.music.test/a/b%20c.mp3?sig=a%2Fb&x=1"
    assert str(check_url(f" <{link}> ", SourcePolicy())) == link


def test_check_url_encodes_unicode_host_as_punycode():
    assert check_url("https://müsik.test/x.mp3", SourcePolicy()).raw_host == "xn--msik-0ra.test"


@pytest.mark.parametrize(
    ("link", "site"),
    [
        ("https://soundcloud.com/someone/something", "soundcloud"),
        ("https://someone.bandcamp.com/track/x", "bandcamp"),
        ("https://archive.org/details/item/track.mp3", "archive"),
        ("https://archive.org/download/item/track.mp3", None),
        ("https://on.soundcloud.com/abc", None),  # a short link: followed, then checked again
        ("https://evilbandcamp.com/track/x", None),
        ("https://bandcamp.com.evil.test/track/x", None),
        ("https://music.test/x.mp3", None),
    ],
)
def test_site_of_link(link, site):
    policy = SourcePolicy()
    found = site_of(check_url(link, policy), policy)
    assert (found.name if found else None) == site


@pytest.mark.parametrize("host", ["www.youtube.com", "youtu.be", "music.youtube.com"])
def test_youtube_is_refused_unless_enabled(host):
    policy = SourcePolicy()
    url = check_url(f"https://{host}/watch?v=x", policy)
    with pytest.raises(UnsupportedSource, match="YouTube are switched off"):
        site_of(url, policy)
    on = dataclasses.replace(policy, sites=policy.sites | {"youtube"})
    found = site_of(url, on)
    assert found is not None
    assert found.name == "youtube"


# Hosts of pages, API and media that the sites' extractors and results name.
HOSTS = {
    "soundcloud": "api-v2.soundcloud.com a-v2.sndcdn.com cf-media.sndcdn.com"
    " cf-hls-media.sndcdn.com playback.media-streaming.soundcloud.cloud",
    "bandcamp": "bandcamp.com someone.bandcamp.com t4.bcbits.com popplers5.bandcamp.com",
    "archive": "archive.org ia800300.us.archive.org",
    "mixcloud": "app.mixcloud.com stream4.mixcloud.com",
    "vimeo": "api.vimeo.com player.vimeo.com vod-adaptive-ak.vimeocdn.com"
    " 87vod-adaptive.akamaized.net vod-progressive.akamaized.net",
    "audiomack": "www.audiomack.com music.audiomack.com",
    "audius": "api.audius.co discoveryprovider2.audius.co audius-content-1.figment.io"
    " audius-discovery-1.cultur3stake.com creatornode.audius.co",
    "hearthis": "hearthis.at api-v2.hearthis.at",
    "freesound": "freesound.org cdn.freesound.org",
    "jamendo": "www.jamendo.com mp3l.jamendo.com prod-1.storage.jamendo.com",
    "reverbnation": "api.reverbnation.com gp1.wac.edgecastcdn.net",
    "wikimedia": "commons.wikimedia.org upload.wikimedia.org",
    "youtube": "www.youtube.com music.youtube.com rr3---sn-4g5e6nsz.googlevideo.com",
}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_site_reaches_its_own_hosts_only(site):
    own = {*HOSTS[site.name].split(), *(host.removeprefix("*.") for host in site.hosts)}
    assert all(site.reaches(host) for host in own)
    others = {host for name, hosts in HOSTS.items() if name != site.name for host in hosts.split()}
    assert not [host for host in others - own if site.reaches(host)]
    for host in own:
        assert not site.reaches(f"{host}.thief.test")
        assert not site.reaches("127.0.0.1")
    for name in site.networks:
        if not name.startswith("*"):
            assert not site.reaches(f"thief{name}")


def test_accepted_sources_lists_enabled_sites():
    assert "YouTube" not in accepted_sources(SourcePolicy())
    assert "Bandcamp" in accepted_sources(SourcePolicy())
    assert accepted_sources(SourcePolicy(sites=frozenset())).count("page") == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sites": frozenset({"napster"})}, "napster"),
        ({"max_disk_bytes": 10}, "max_disk_bytes=10"),
        ({"upstream_proxy": "socks5://x:1"}, "upstream_proxy"),
    ],
)
def test_policy_names_the_invalid_setting(settings, words):
    with pytest.raises(ValueError, match=words):
        SourcePolicy(**settings)


def test_link_refused_for_its_scheme_names_the_scheme():
    with pytest.raises(LinkRefused, match="starts with ftp:, which is not allowed"):
        check_url("ftp://music.test/x.mp3", SourcePolicy())
    with pytest.raises(LinkRefused, match="not a web link"):
        check_url("music.test/x.mp3", SourcePolicy())
