"""Songs looked up by their metadata, in the shapes of each site, from servers on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from bot.sources import PageSong, SongLookupError, SourcePolicy, Sources
from bot.sources.song_sites import SONG_SITES, song_link
from genrec.errors import Busy, UnsupportedSource
from tests.bot.sources import song_pages as pages
from tests.bot.sources.hostile import FakeDns, FakeServer, start_server

LINKS = (pages.SPOTIFY, pages.APPLE, pages.DEEZER, pages.TIDAL, pages.YOUTUBE, pages.SOUNDCLOUD,
         pages.BANDCAMP)  # fmt: skip


@dataclasses.dataclass
class Songs:
    """Servers of all song sites, and what is needed to look a link up."""

    origin: FakeServer
    policy: SourcePolicy
    dns: FakeDns

    async def look_up(self, link: str, **changed: object) -> PageSong:
        policy = dataclasses.replace(self.policy, sites=frozenset(), **changed)
        async with Sources(policy, resolve=self.dns) as sources:
            checked = sources.check(link, lookup=True)
            assert checked.song is not None
            return await sources.look_up(checked.song)

    async def reason(self, link: str, **changed: object) -> str:
        with pytest.raises(SongLookupError) as caught:
            await self.look_up(link, **changed)
        return caught.value.reason


@pytest.fixture
async def songs(policy: SourcePolicy, dns: FakeDns, tmp_path: Path) -> AsyncIterator[Songs]:
    async with pages.song_servers(policy, dns, tmp_path) as (origin, trusting):
        yield Songs(origin, trusting, dns)


def first(song: PageSong) -> tuple[str, str]:
    return song.shown.artist, song.shown.title


@pytest.mark.parametrize("link", LINKS)
async def test_song_of_each_site_is_found(songs: Songs, link: str) -> None:
    pages.serve_all(songs.origin)
    assert first(await songs.look_up(link)) == ("Some Band", "A Song")


@pytest.mark.parametrize("link", LINKS)
async def test_request_tells_the_site_the_song_and_nothing_else(songs: Songs, link: str) -> None:
    pages.serve_all(songs.origin)
    await songs.look_up(link + ("&" if "?" in link else "?") + "si=tracking&utm_source=me")
    for request in songs.origin.requests:
        assert request.method == "GET"
        assert "tracking" not in request.path
        assert "utm" not in request.path
        assert not {"cookie", "authorization", "referer"} & request.headers.keys()
        assert "genrec" in request.headers["user-agent"]


async def test_every_site_has_a_test() -> None:
    found = {link.site.name for link in map(song_link, map(pages_url, LINKS)) if link}
    assert found == set(SONG_SITES)


def pages_url(link: str):
    from yarl import URL

    return URL(link)


# Shapes


async def test_spotify_page_without_tags_falls_back_to_oembed(songs: Songs) -> None:
    songs.origin.serve("/track/0123456789abcdefABCDEF", pages.page(title="Spotify – Web Player"))
    songs.origin.serve("/oembed", pages.spotify_oembed())
    assert await songs.look_up(pages.SPOTIFY) == PageSong("A Song")
    songs.origin.serve(
        "/track/0123456789abcdefABCDEF",
        pages.page(title="A Song - song by Some Band | Spotify", og__title="A Song"),
    )
    assert first(await songs.look_up(pages.SPOTIFY)) == ("Some Band", "A Song")


async def test_apple_page_replaces_a_failed_lookup(songs: Songs) -> None:
    songs.origin.serve("/lookup", b'{"resultCount":0,"results":[]}')
    songs.origin.serve("/de/song/222", pages.apple_page())
    assert first(await songs.look_up(pages.APPLE)) == ("Some Band", "A Song")
    localised = pages.page(og__title="«A Song» par Some Band sur Apple Music")
    songs.origin.serve("/de/song/222", localised)
    assert first(await songs.look_up(pages.APPLE)) == ("Some Band", "A Song")
    songs.origin.serve("/de/song/222", b"", status="404 Not Found")
    assert await songs.reason(pages.APPLE) == "removed"


async def test_deezer_without_data_is_removed(songs: Songs) -> None:
    gone = {"error": {"type": "DataException", "message": "no data", "code": 800}}
    songs.origin.serve("/track/333", json.dumps(gone).encode())
    assert await songs.reason(pages.DEEZER) == "removed"
    songs.origin.serve("/oembed", pages.oembed("A Song", "Some Band", "Deezer"))
    assert first(await songs.look_up(pages.DEEZER)) == ("Some Band", "A Song")


async def test_youtube_music_names_the_artist_as_topic(songs: Songs) -> None:
    songs.origin.serve("/oembed", pages.oembed("A Song", "Some Band - Topic", "YouTube"))
    link = "https://music.youtube.com/watch?v=abcdefghij_&list=RDAMVM"
    assert first(await songs.look_up(link)) == ("Some Band", "A Song")
    (request,) = songs.origin.requests
    assert "watch%3Fv%3Dabcdefghij_" in request.path


async def test_youtube_page_replaces_a_refused_oembed(songs: Songs) -> None:
    songs.origin.serve("/oembed", b"Unauthorized", status="401 Unauthorized")
    body = b'<head><title>Some Band - A Song - YouTube</title><link itemprop="name" content="X">'
    songs.origin.serve("/watch", body)
    assert first(await songs.look_up(pages.YOUTUBE)) == ("Some Band", "A Song")
    songs.origin.serve("/watch", b"<head><title> - YouTube</title></head>")
    assert await songs.reason(pages.YOUTUBE) == "private"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404 Not Found", "removed"),
        ("410 Gone", "removed"),
        ("401 Unauthorized", "private"),
        ("403 Forbidden", "private"),
        ("429 Too Many Requests", "limit"),
        ("451 Unavailable For Legal Reasons", "region"),
        ("500 Internal Server Error", "slow"),
        ("400 Bad Request", "changed"),
    ],
)
async def test_status_names_the_reason(songs: Songs, status: str, reason: str) -> None:
    for path in ("/oembed", "/some-band/a-song"):
        songs.origin.serve(path, b"", status=status)
    assert await songs.reason(pages.SOUNDCLOUD) == reason


# Kinds of pages


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://open.spotify.com/album/1", "album"),
        ("https://open.spotify.com/intl-de/playlist/1?si=x", "playlist"),
        ("https://open.spotify.com/artist/1", "artist"),
        ("https://open.spotify.com/episode/1", "episode"),
        ("https://open.spotify.com/show/1", "episode"),
        ("https://music.apple.com/us/album/x/1", "album"),
        ("https://music.apple.com/us/playlist/x/pl.1", "playlist"),
        ("https://www.deezer.com/de/playlist/1", "playlist"),
        ("https://www.deezer.com/us/show/1", "episode"),
        ("https://tidal.com/browse/album/1", "album"),
        ("https://tidal.com/browse/mix/1", "playlist"),
        ("https://www.youtube.com/playlist?list=PL1", "playlist"),
        ("https://www.youtube.com/@somebody", "artist"),
        ("https://music.youtube.com/browse/MPREb_1", "album"),
        ("https://soundcloud.com/some-band/sets/lp", "playlist"),
        ("https://soundcloud.com/some-band", "artist"),
        ("https://some-band.bandcamp.com/album/lp", "album"),
        ("https://some-band.bandcamp.com/", "artist"),
    ],
)
async def test_other_page_is_refused_without_a_request(
    songs: Songs, link: str, reason: str
) -> None:
    assert await songs.reason(link) == reason
    assert not songs.origin.requests


# Short links


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://spotify.link/x", pages.SPOTIFY + "?si=1&_branch_match_id=2"),
        ("https://deezer.page.link/x", "https://www.deezer.com/track/333"),
        ("https://on.soundcloud.com/x", pages.SOUNDCLOUD + "?utm_source=x"),
    ],
)
async def test_short_link_is_followed(songs: Songs, link: str, target: str) -> None:
    pages.serve_all(songs.origin)
    songs.origin.redirect("/x", target)
    assert first(await songs.look_up(link)) == ("Some Band", "A Song")
    assert songs.origin.hits["/some-band/a-song"] == 0


async def test_short_link_that_a_script_forwards_is_followed(songs: Songs) -> None:
    pages.serve_all(songs.origin)
    songs.origin.serve("/x", pages.page(og__url=pages.SPOTIFY))
    assert first(await songs.look_up("https://spotify.link/x")) == ("Some Band", "A Song")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("https://open.spotify.com/playlist/1", "playlist"),
        (pages.DEEZER, "changed"),
        ("https://inside.test/secret", "changed"),
        ("http://open.spotify.com/track/1", "changed"),
        ("https://open.spotify.com.evil.example/track/1", "changed"),
        ("https://127.0.0.1/track/1", "changed"),
        ("https://user@open.spotify.com/track/1", "changed"),
        ("file:///etc/passwd", "changed"),
        ("", "changed"),
        ("https://spotify.link/x", "changed"),
    ],
)
async def test_short_link_to_something_else_is_refused(
    songs: Songs, target: str, reason: str
) -> None:
    songs.origin.redirect("/x", target)
    strict = {"schemes": frozenset({"https"})}
    assert await songs.reason("https://spotify.link/x", **strict) == reason
    assert set(songs.origin.hits) == {"/x"}


# Hostile answers


async def test_redirect_leaves_no_site(songs: Songs, forbidden: FakeServer) -> None:
    for target in ("https://inside.test/secret", f"https://127.0.0.1:{forbidden.port}/secret",
                   "https://evilspotify.com/x", "https://spotify.com.evil.example/x"):  # fmt: skip
        for path in ("/track/0123456789abcdefABCDEF", "/oembed"):
            songs.origin.redirect(path, target)
        assert await songs.reason(pages.SPOTIFY) == "changed"


async def test_site_that_resolves_to_a_private_address_is_not_reached(
    songs: Songs, forbidden: FakeServer
) -> None:
    songs.dns.set("open.spotify.com", [("127.0.0.1", forbidden.port)])
    assert await songs.reason(pages.SPOTIFY) == "slow"


async def test_redirects_end(songs: Songs) -> None:
    songs.origin.redirect("/browse/track/444", "https://tidal.com/browse/track/444")
    assert await songs.reason(pages.TIDAL) == "changed"
    assert songs.origin.hits["/browse/track/444"] == songs.policy.max_redirects + 1


async def test_only_the_head_of_a_page_is_read(songs: Songs) -> None:
    made = pages.tidal_page()
    sent = 0

    async def endless(_: object, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + made.split(b"<body>")[0])
        while not writer.is_closing():
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    songs.origin.routes["/browse/track/444"] = endless
    assert first(await songs.look_up(pages.TIDAL)) == ("Some Band", "A Song")
    assert sent < 8 << 20


async def test_endless_head_is_cut(songs: Songs) -> None:
    async def endless(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<head>")
        while not writer.is_closing():
            writer.write(b"<meta name=x content=y>" * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    songs.origin.routes["/browse/track/444"] = endless
    async with asyncio.timeout(4):
        assert await songs.reason(pages.TIDAL) == "changed"


async def test_slow_answer_ends_in_time(songs: Songs) -> None:
    async def slow(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    songs.origin.routes["/browse/track/444"] = slow
    async with asyncio.timeout(3):
        assert await songs.reason(pages.TIDAL, lookup_s=0.5) == "slow"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"1e999", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000,
        b'{"title": 5, "author_name": ["x"]}', b'{"title": {"a": 1}}', b'{"title": ""}',
        b'{"results": "x"}', b'{"results": [1, {"kind": "song"}]}', b"\xff\xfe\x00", b"<html>",
        b'{"title": "\\u202e\\u0000\\u200b"}', b'{"title": "' + b"x" * 300_000 + b'"}',
    ],
)  # fmt: skip
async def test_odd_json_names_no_song(songs: Songs, body: bytes) -> None:
    songs.origin.serve("/oembed", body)
    songs.origin.serve("/watch", b"")
    assert await songs.reason(pages.YOUTUBE) == "changed"


async def test_compressed_answer_is_not_unpacked(songs: Songs) -> None:
    for path in ("/oembed", "/watch"):
        songs.origin.serve(path, b"\x1f\x8b", "Content-Encoding: gzip")
    assert await songs.reason(pages.YOUTUBE) == "changed"


async def test_names_are_cleaned_and_cut(songs: Songs) -> None:
    title = "A\u202e Song\x00\n" + "x" * 5000
    songs.origin.serve("/oembed", pages.oembed(title, "Some\u2066 Band\x1b[31m", "YouTube"))
    song = await songs.look_up(pages.YOUTUBE)
    assert song.title.startswith("A Song x")
    assert len(song.title) <= 200
    assert song.author == "Some Band[31m"


async def test_untrusted_certificate_is_refused(songs: Songs) -> None:
    pages.serve_all(songs.origin)
    assert await songs.reason(pages.TIDAL, ca_file=None) == "slow"
    assert not songs.origin.requests


async def test_look_up_goes_through_the_operators_proxy(songs: Songs) -> None:
    pages.serve_all(songs.origin)
    heads: list[bytes] = []
    upstream = FakeServer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        there = await asyncio.open_connection("127.0.0.1", songs.origin.port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(4096):
                sink.write(chunk)
                await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    upstream.handle = handle  # type: ignore[method-assign]
    server = await start_server(upstream)
    proxy = f"http://127.0.0.1:{upstream.port}"
    found = await songs.look_up(pages.TIDAL, upstream_proxy=proxy)
    assert first(found) == ("Some Band", "A Song")
    assert heads == [f"CONNECT 127.0.0.1:{songs.origin.port} HTTP/1.1".encode()]
    assert songs.origin.requests[0].headers["host"] == "tidal.com"
    server.close()


# Limits and the policy


async def test_site_that_limits_look_ups_is_left_alone_for_a_while(songs: Songs) -> None:
    for path in ("/oembed", "/some-band/a-song"):
        songs.origin.serve(path, b"", status="429 Too Many Requests")
    policy = dataclasses.replace(songs.policy, sites=frozenset(), lookup_pause_s=0.3)
    async with Sources(policy, resolve=songs.dns) as sources:
        link = sources.check(pages.SOUNDCLOUD, lookup=True).song
        assert link is not None
        for _ in range(3):
            with pytest.raises(SongLookupError, match="limit"):
                await sources.look_up(link)
        assert songs.origin.hits["/oembed"] == 1
        pages.serve_all(songs.origin)
        tidal = sources.check(pages.TIDAL, lookup=True).song
        assert tidal is not None
        assert first(await sources.look_up(tidal)) == ("Some Band", "A Song")
        await asyncio.sleep(0.35)
        assert first(await sources.look_up(link)) == ("Some Band", "A Song")


async def test_look_ups_of_one_server_leave_room_for_others(songs: Songs) -> None:
    gate = asyncio.Event()

    async def wait(_: object, writer: asyncio.StreamWriter) -> None:
        await gate.wait()

    songs.origin.routes["/browse/track/444"] = wait
    policy = dataclasses.replace(songs.policy, lookups_at_once=2, max_waiting=1)
    async with Sources(policy, resolve=songs.dns) as sources:
        link = sources.check(pages.TIDAL, lookup=True).song
        assert link is not None
        first_, second = (asyncio.create_task(sources.look_up(link, owner=1)) for _ in range(2))
        await asyncio.sleep(0.1)
        assert sources.waiting == 1
        with pytest.raises(Busy):
            await sources.look_up(link, owner=1)
        gate.set()
        done = await asyncio.gather(first_, second, return_exceptions=True)
        assert {type(one) for one in done} == {SongLookupError}


@pytest.mark.parametrize("link", [pages.SPOTIFY, pages.APPLE, pages.DEEZER, pages.TIDAL])
def test_site_without_sound_is_refused_where_sound_is_needed(link: str) -> None:
    for lookup in (True, False):
        sources = Sources(SourcePolicy(lookup=lookup))
        with pytest.raises(UnsupportedSource, match="gets no sound from"):
            sources.check(link)
    with pytest.raises(UnsupportedSource, match="gets no sound from"):
        Sources(SourcePolicy()).check(link, lookup=True)


async def test_source_that_is_looked_up_has_no_sound_to_fetch() -> None:
    sources = Sources(SourcePolicy(lookup=True))
    checked = sources.check(pages.SPOTIFY, lookup=True)
    with pytest.raises(UnsupportedSource, match="gets no sound from Spotify"):
        async with sources.fetch(checked):
            pytest.fail("a song without sound became a clip")


def test_song_of_a_site_with_sound_may_be_looked_up_too() -> None:
    sources = Sources(SourcePolicy(lookup=True))
    for link in (pages.SOUNDCLOUD, pages.BANDCAMP, "https://on.soundcloud.com/x"):
        checked = sources.check(link, lookup=True)
        assert checked.song is not None
        assert checked.no_sound is None
    album = sources.check("https://some-band.bandcamp.com/album/lp", lookup=True)
    assert album.song is None


def test_uri_of_spotify_is_a_link() -> None:
    checked = Sources(SourcePolicy(lookup=True)).check(
        "spotify:track:0123456789abcdefABCDEF", lookup=True
    )
    assert checked.song is not None
    assert checked.song.page == pages.SPOTIFY


@pytest.mark.parametrize("url", [
    "https://spotify.link/x?si=person", "https://on.soundcloud.com/x?utm_id=person#person",
])  # fmt: skip
def test_short_link_is_requested_without_its_parameters(url: str) -> None:
    link = song_link(URL(url))
    assert str(link.url) == url.partition("?")[0]
