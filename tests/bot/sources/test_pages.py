"""Pages fetched by the real yt-dlp through the proxy, from fake sites on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import html
import json
import re
import ssl
import subprocess
import sys
import time

import pytest
import trustme

from bot.sources import SITES, Sources, fetch
from bot.sources.page import _cookies
from genrec.errors import (
    ClipTooLarge,
    ClipTooLong,
    GenrecError,
    LinkRefused,
    UnsupportedFormat,
    UnsupportedSource,
)
from tests.bot.sources.hostile import fetch_error, processes_in, wait_until, with_local_site

PAGE = "http://someone.bandcamp.com/track/a-song"


def bandcamp_page(**track: object) -> bytes:
    """Return a track's page in Bandcamp's layout, with the player's data in attributes."""
    info = {
        "title": "A Song",
        "track_id": 7,
        "duration": 12.5,
        "file": {"mp3-128": "http://t4.bcbits.com/stream/a-song"},
    } | track
    tralbum = {"id": 7, "artist": "Some Band", "trackinfo": [info], "current": {"title": "A Song"}}
    embed = {"artist": "Some Band", "tralbum_param": {"name": "track", "value": 7}}
    return (
        "<!doctype html><title>A Song | Some Band</title>"
        f'<script data-tralbum="{html.escape(json.dumps(tralbum))}"'
        f' data-embed="{html.escape(json.dumps(embed))}"></script>'
    ).encode()


@pytest.fixture
def bandcamp(origin, dns):
    """Return a fake server for Bandcamp and its CDN."""
    for host in ("someone.bandcamp.com", "t4.bcbits.com"):
        dns.set(host, [("127.0.0.1", origin.port)])
    origin.serve("/track/a-song", bandcamp_page(), "Content-Type: text/html")
    origin.serve("/stream/a-song", b"ID3\4\0\0" + b"\0" * 50_000, "Content-Type: audio/mpeg")
    return origin


async def test_page_becomes_clip_with_title_and_artist(bandcamp, policy, dns, root):
    async with fetch(PAGE, policy=policy, resolve=dns) as clip:
        assert (clip.title, clip.artist, clip.source) == ("A Song", "Some Band", PAGE)
        assert clip.path.stat().st_size == 50_006
        assert clip.path.suffix == ".mp3"
        assert clip.path.is_relative_to(root)
    assert bandcamp.hits["/stream/a-song"] == 1


async def test_album_is_refused(bandcamp, policy, dns):
    tracks = [
        {"title": t, "title_link": f"/track/{t}", "track_id": i, "duration": 9}
        for i, t in enumerate("ab")
    ]
    page = {"id": 1, "artist": "Some Band", "trackinfo": tracks, "current": {"title": "LP"}}
    bandcamp.serve(
        "/album/lp", f'<div data-tralbum="{html.escape(json.dumps(page))}"></div>'.encode()
    )
    link = "http://someone.bandcamp.com/album/lp"
    assert "album" in await fetch_error(link, policy, dns)
    assert bandcamp.hits.total() == 1


@pytest.mark.usefixtures("bandcamp")
async def test_removed_page_is_explained(policy, dns):
    assert "removed" in await fetch_error(PAGE + "-gone", policy, dns)


async def test_page_redirect_to_private_address_is_refused(bandcamp, policy, dns):
    dns.set("inside.bandcamp.com", dns.answers["inside.test"][0])
    bandcamp.redirect("/track/a-song", "http://inside.bandcamp.com/secret")
    assert "private network" in await fetch_error(PAGE, policy, dns)


async def test_sound_url_with_private_address_is_refused(bandcamp, policy, dns):
    dns.set("inside.bcbits.com", dns.answers["inside.test"][0])
    inside = {"mp3-128": "http://inside.bcbits.com/secret"}
    bandcamp.serve("/track/a-song", bandcamp_page(file=inside))
    assert "private network" in await fetch_error(PAGE, policy, dns)


async def test_sound_redirect_to_private_address_is_refused(bandcamp, policy, dns):
    dns.set("inside.bcbits.com", dns.answers["inside.test"][0])
    bandcamp.redirect("/stream/a-song", "http://inside.bcbits.com/secret")
    assert "private network" in await fetch_error(PAGE, policy, dns)


async def test_sound_redirect_to_another_site_names_the_host(bandcamp, forbidden, policy, dns):
    bandcamp.redirect("/stream/a-song", f"http://127.0.0.1:{forbidden.port}/secret")
    with pytest.raises(LinkRefused, match=r"127\.0\.0\.1, which is not a known host of Bandcamp"):
        async with fetch(PAGE, policy=policy, resolve=dns):
            pytest.fail("another site's sound became a clip")
    bandcamp.redirect("/stream/a-song", "http://music.test/x")
    sentence = await fetch_error(PAGE, policy, dns)
    assert "music.test, which is not a known host of Bandcamp" in sentence
    assert "/x" not in bandcamp.hits


async def test_short_link_leads_to_page(bandcamp, policy, dns):
    bandcamp.redirect("/abc", PAGE)
    async with fetch("http://music.test/abc", policy=policy, resolve=dns) as clip:
        assert clip.title == "A Song"


@pytest.mark.usefixtures("bandcamp")
async def test_page_with_other_scheme_is_refused(policy, dns):
    https_only = dataclasses.replace(policy, schemes=frozenset({"https"}))
    assert "https://" in await fetch_error(PAGE, https_only, dns)


@pytest.mark.parametrize("library", ["whatever is installed", "urllib"])
async def test_https_page_through_proxy(library, bandcamp, policy, dns, tmp_path):
    if library == "urllib":  # yt-dlp's fallback without the package requests
        (tmp_path / "requests.py").write_text("raise ImportError\n")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.bandcamp.com", "t4.bcbits.com").configure_cert(context)
    server = await asyncio.start_server(bandcamp.handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    for host in ("someone.bandcamp.com", "t4.bcbits.com"):
        dns.set(host, [("127.0.0.1", port)])
    secure = {"mp3-128": "https://t4.bcbits.com/stream/a-song"}
    bandcamp.serve("/track/a-song", bandcamp_page(file=secure))
    opened = dataclasses.replace(
        policy,
        schemes=frozenset({"https"}),
        open_endpoints=frozenset({("127.0.0.1", port)}),
        ca_file=tmp_path / "ca.pem",
        ytdlp_dir=tmp_path,
    )
    link = PAGE.replace("http:", "https:")
    try:
        async with fetch(link, policy=opened, resolve=dns) as clip:
            assert (clip.title, clip.source) == ("A Song", link)
        insecure = {"mp3-128": "http://t4.bcbits.com/stream/a-song"}
        bandcamp.serve("/track/a-song", bandcamp_page(file=insecure))
        assert "no form" in await fetch_error(link, opened, dns)
    finally:
        server.close()


# --- the test extractor, whose pages return any result ------------------------------------------


@pytest.fixture
def local(policy):
    return with_local_site(policy)


@pytest.fixture
def put(origin, dns):
    """Return a function that serves a page and returns its link."""
    dns.set("pages.test", [("127.0.0.1", origin.port)])

    def put(**page: object) -> str:
        origin.serve("/page", json.dumps(page).encode())
        return "http://pages.test/page"

    return put


SOUND = {"url": "http://music.test/x.mp3", "ext": "mp3", "vcodec": "none", "acodec": "mp3"}
TWO = [{**SOUND, "id": "a", "title": "A"}, {**SOUND, "id": "b", "title": "B"}]
MP3 = b"ID3\4\0\0" + b"\0" * 5000


REFUSED = (
    ({**SOUND, "is_live": True}, LinkRefused, "live stream"),
    ({**SOUND, "live_status": "is_upcoming"}, LinkRefused, "live stream"),
    ({**SOUND, "duration": 3601}, ClipTooLong, "longer"),
    ({**SOUND, "filesize": 10**9}, LinkRefused, "no form"),
    ({**SOUND, "has_drm": True}, LinkRefused, "copy-protected|no form"),
    ({**SOUND, "protocol": "rtmp"}, LinkRefused, "no form"),
    ({**SOUND, "url": "file:///etc/passwd"}, LinkRefused, "no form"),
    ({**SOUND, "url": "ftp://inside.test/x.mp3"}, LinkRefused, "no form"),
    ({**SOUND, "url": "http://169.254.169.254/x.mp3"}, LinkRefused, "private network"),
    ({**SOUND, "url": "http://nowhere.test/x.mp3"}, LinkRefused, "could not be found"),
    ({**SOUND, "url": "http://music.test:22/x.mp3"}, LinkRefused, "[A-Z].*"),
    ({"do": "login"}, LinkRefused, "sign-in"),
    ({"do": "geo"}, LinkRefused, "country"),
    ({"do": "drm"}, LinkRefused, "copy-protected"),
    ({"do": "raise"}, LinkRefused, "could not be read"),
    ({"do": "exit"}, LinkRefused, "could not be read"),
    ({"do": "die"}, LinkRefused, "could not be read"),
    ({"do": "segfault"}, LinkRefused, "could not be read"),
    ({"do": "eat_memory"}, LinkRefused, "could not be read"),
    ({"extractor_error": "This track is private. Sign in."}, LinkRefused, "private"),
    ({"extractor_error": "Video unavailable. It was removed."}, LinkRefused, "removed"),
    ({"extractor_error": "HTTP Error 429: Too Many Requests"}, LinkRefused, "how often"),
    ({"_type": "url", "url": "http://inside.test/secret"}, UnsupportedSource, "single tracks"),
    ({"_type": "url", "url": "generic:http://inside.test/"}, UnsupportedSource, "single"),
    ({"_type": "playlist", "entries": TWO}, LinkRefused, "playlist"),
    ({"_type": "playlist", "entries": []}, LinkRefused, "no track"),
    ({"_type": "multi_video", "entries": TWO}, LinkRefused, "playlist"),
)


@pytest.mark.slow
async def test_refused_pages_are_explained(origin, dns, local):
    dns.set("pages.test", [("127.0.0.1", origin.port)])
    several = dataclasses.replace(local, pages_at_once=4, max_disk_bytes=50 * local.max_bytes)
    wrong = []

    async with Sources(several, resolve=dns) as sources:

        async def case(number: int, page: dict, kind: type[GenrecError], words: str) -> None:
            origin.serve(f"/{number}", json.dumps(page).encode())
            try:
                async with sources.fetch(f"http://pages.test/{number}"):
                    wrong.append((page, "a clip"))
            except GenrecError as error:
                if type(error) is not kind or not re.search(words, str(error)):
                    wrong.append((page, repr(error)))

        await asyncio.gather(*(case(number, *each) for number, each in enumerate(REFUSED)))
    assert wrong == []


async def test_playlist_of_one_track_is_that_track(origin, put, local, dns):
    origin.serve("/x.mp3", MP3)
    entry = {**SOUND, "id": "x", "title": "Only One", "duration": 9}
    async with fetch(put(_type="playlist", entries=[entry]), policy=local, resolve=dns) as clip:
        assert clip.title == "Only One"


async def test_page_title_has_no_control_characters(origin, put, local, dns):
    origin.serve("/x.mp3", MP3)
    link = put(**SOUND, title="a\u202eb\x00c\nd" + "e" * 500, uploader=["no", "string"])
    async with fetch(link, policy=local, resolve=dns) as clip:
        assert clip.title.startswith("abc d")
        assert len(clip.title) == 200
        assert clip.path.read_bytes() == MP3


async def test_page_sound_that_is_not_audio_is_refused(origin, put, local, dns):
    origin.serve("/x.mp3", b"ffconcat version 1.0\nfile /etc/passwd\n")
    assert "no form" in await fetch_error(put(**SOUND), local, dns, UnsupportedFormat)


async def test_endless_page_sound_is_refused(origin, put, local, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(MP3)
            await writer.drain()

    origin.routes["/x.mp3"] = answer
    await fetch_error(put(**SOUND), local, dns, ClipTooLarge)


async def test_page_sound_with_huge_content_length_is_refused(origin, put, local, dns):
    origin.serve("/x.mp3", MP3, f"Content-Length: {10**12}")
    await fetch_error(put(**SOUND), local, dns, ClipTooLarge)


@pytest.mark.slow
async def test_page_that_decompresses_to_gigabytes_is_refused(origin, put, local, dns):
    link = put(**SOUND)
    bomb = gzip.compress(b" " * (64 << 20)) * 64  # four gigabytes in four megabytes
    origin.serve("/page", bomb, "Content-Encoding: gzip")
    await fetch_error(link, local, dns)


async def test_endless_page_is_refused(origin, put, local, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 100_000)
            await writer.drain()

    link = put(**SOUND)
    origin.routes["/page"] = answer
    await fetch_error(link, local, dns, ClipTooLarge)


# --- fragmented sound ---------------------------------------------------------------------------


def pieces(origin, count: int, first: str = "") -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:10", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for number in range(count):
        origin.serve(f"/{number}.mp3", b"ID3\4\0\0" + bytes([number]) * 2000)
        lines += ["#EXTINF:10.0,", first or f"/{number}.mp3"]
        first = ""
    origin.serve("/list.m3u8", "\n".join([*lines, "#EXT-X-ENDLIST"]).encode())
    return "http://music.test/list.m3u8"


async def test_long_fragmented_track_stops_at_wanted_s(origin, put, local, dns):
    short = dataclasses.replace(local, wanted_s=40.0)
    link = put(hls=True, m3u8=pieces(origin, 20), duration=200)
    async with fetch(link, policy=short, resolve=dns) as clip:
        assert clip.path.stat().st_size == 4 * 2006
    fetched = sum(bool(origin.hits[f"/{number}.mp3"]) for number in range(20))
    assert fetched == 5


async def test_short_fragmented_track_is_complete(origin, put, local, dns):
    link = put(hls=True, m3u8=pieces(origin, 3), duration=30)
    async with fetch(link, policy=local, resolve=dns) as clip:
        assert clip.path.stat().st_size == 3 * 2006


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("http://inside.test/secret", "private network"),
        ("http://127.0.0.1:{port}/secret", "private network"),
        ("http://0x7f000001:{port}/secret", "private network"),
        ("file:///etc/passwd", "."),
        ("ftp://127.0.0.1:{port}/x", "."),
    ],
)
async def test_fragment_with_private_address_is_refused(
    first, words, origin, forbidden, put, local, dns
):
    m3u8 = pieces(origin, 3, first.format(port=forbidden.port))
    assert re.search(words, await fetch_error(put(hls=True, m3u8=m3u8), local, dns))


# --- the process itself -------------------------------------------------------------------------


async def test_ytdlp_process_cannot_escape(origin, forbidden, put, local, dns, root, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{forbidden.port}")
    monkeypatch.setenv("NO_PROXY", "*")
    origin.serve("/x.mp3", MP3)
    target = root.parent / "target"
    page = {"port": forbidden.port, "target": str(target), "max_bytes": local.max_bytes}
    link = put(do="escape", **SOUND, **page)
    async with fetch(link, policy=local, resolve=dns) as clip:
        assert clip.title == "let through:"
        assert "TOKEN" not in clip.artist
        assert "PROXY" not in clip.artist
    assert not target.exists()


@pytest.mark.parametrize("action", ["hang", "spin", "fork"])
async def test_hanging_process_is_killed_with_its_children(action, put, local, dns, root):
    quick = dataclasses.replace(local, page_s=2.0)
    started = time.monotonic()
    assert "too long" in await fetch_error(put(do=action), quick, dns)
    assert time.monotonic() - started < 30
    assert processes_in(root) == []


@pytest.mark.parametrize("action", ["hang", "fork"])
async def test_cancelled_fetch_kills_the_process(action, put, local, dns, root, origin):
    link = put(do=action)

    async def job():
        async with fetch(link, policy=local, resolve=dns):
            pass

    task = asyncio.create_task(job())
    await wait_until(lambda: origin.hits["/page"])
    await asyncio.sleep(0.1)
    assert processes_in(root)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_in(root) == []
    assert not any(root.iterdir())


def test_cookies_are_copied_and_missing_file_is_logged(policy, tmp_path, caplog):
    kept, home = tmp_path / "kept.txt", tmp_path / "home"
    home.mkdir()
    kept.write_text("# Netscape HTTP Cookie File\n")
    given = dataclasses.replace(policy, cookies_file=kept)
    assert _cookies(home, given) == "cookies.txt"
    (home / "cookies.txt").write_text("yt-dlp wrote them back")
    assert kept.read_text() == "# Netscape HTTP Cookie File\n"
    kept.unlink()
    assert _cookies(home, given) is None
    assert "without cookies" in caplog.text


async def test_page_without_ytdlp_is_explained(put, local, dns, tmp_path):
    (tmp_path / "yt_dlp.py").write_text("raise ImportError\n")
    without = dataclasses.replace(local, ytdlp_dir=tmp_path)
    sentence = await fetch_error(put(**SOUND), without, dns, UnsupportedSource)
    assert "not installed" in sentence


def test_site_extractors_exist_in_ytdlp():
    """A pattern that matches no extractor would silently disable its site."""
    code = (
        "import json, yt_dlp.extractor as e;"
        "print(json.dumps([i.IE_NAME.lower() for i in e.gen_extractor_classes()]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    known = json.loads(printed)
    for site in SITES.values():
        for pattern in site.extractors:
            assert any(re.fullmatch(pattern, name, re.IGNORECASE) for name in known), pattern
            assert not re.fullmatch(pattern, "generic", re.IGNORECASE)
