"""Metadata of invented songs in the shapes that music sites publish, and their servers."""

from __future__ import annotations

import asyncio
import html
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trustme

from bot.sources import SourcePolicy
from tests.bot.sources.hostile import FakeDns, FakeServer

HOSTS = (
    "open.spotify.com", "spotify.link", "music.apple.com", "itunes.apple.com", "api.deezer.com",
    "www.deezer.com", "deezer.page.link", "tidal.com", "www.youtube.com", "soundcloud.com",
    "on.soundcloud.com", "some-band.bandcamp.com", "consent.youtube.com",
)  # fmt: skip

SPOTIFY = "https://open.spotify.com/track/0123456789abcdefABCDEF"
APPLE = "https://music.apple.com/de/album/a-song/111?i=222"
DEEZER = "https://www.deezer.com/en/track/333"
TIDAL = "https://listen.tidal.com/track/444"
YOUTUBE = "https://youtu.be/abcdefghij_"
SOUNDCLOUD = "https://soundcloud.com/some-band/a-song"
BANDCAMP = "https://some-band.bandcamp.com/track/a-song"


def page(*, title: str = "", body: str = "", **tags: str) -> bytes:
    """Return a page with Open Graph and other meta tags; ``__`` in a name stands for a colon."""
    metas = "".join(
        f'<meta property="{name.replace("__", ":")}" content="{html.escape(value)}"/>'
        for name, value in tags.items()
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>{metas}</head><body>{body}</body></html>"
    ).encode()


def spotify_page(title: str = "A Song", artist: str = "Some Band") -> bytes:
    data = {"@context": "http://googleapis.com/v2", "@type": "MusicRecording", "name": title}
    return page(
        title=f"{title} - song and lyrics by {artist} | Spotify",
        og__site_name="Spotify",
        og__title=title,
        og__description=f"{artist} · Long Player · Song · 2019",
        og__type="music.song",
        music__musician_description=artist,
        body=f'<script type="application/ld+json">{json.dumps(data)}</script>',
    )


def spotify_oembed(title: str = "A Song") -> bytes:
    return json.dumps(
        {
            "html": '<iframe src="https://open.spotify.com/embed/track/x"></iframe>',
            "width": 456,
            "height": 152,
            "version": "1.0",
            "provider_name": "Spotify",
            "provider_url": "https://spotify.com",
            "type": "rich",
            "title": title,
            "thumbnail_url": "https://image-cdn.example/x",
        }
    ).encode()


def itunes(title: str = "A Song", artist: str = "Some Band") -> bytes:
    song = {
        "wrapperType": "track",
        "kind": "song",
        "artistId": 9,
        "trackId": 222,
        "artistName": artist,
        "collectionName": "Long Player",
        "trackName": title,
        "trackTimeMillis": 213573,
        "primaryGenreName": "Rock",
    }
    return b"\n\n\n" + json.dumps({"resultCount": 1, "results": [song]}).encode()


def apple_page(title: str = "A Song", artist: str = "Some Band") -> bytes:
    data = {
        "@context": "http://schema.org",
        "@type": "MusicComposition",
        "name": title,
        "audio": {
            "@type": "MusicRecording",
            "name": title,
            "byArtist": [{"@type": "MusicGroup", "name": artist}],
            "inAlbum": {"@type": "MusicAlbum", "name": "Long Player"},
        },
    }
    script = f'<script id=schema:song type="application/ld+json">{json.dumps(data)}</script>'
    made = page(
        title=f"\u200e{title} - Song by {artist} - Apple Music",
        og__title=f"{title} by {artist} on Apple Music",
        apple__title=title,
    )
    return made.replace(b"</head>", script.encode() + b"</head>")


def deezer(title: str = "A Song", artist: str = "Some Band") -> bytes:
    track = {
        "id": 333,
        "title": title,
        "title_short": title,
        "title_version": "",
        "isrc": "XX0000000001",
        "artist": {"id": 1, "name": artist, "type": "artist"},
        "album": {"id": 2, "title": "Long Player", "type": "album"},
        "type": "track",
    }
    return json.dumps(track).encode()


def oembed(title: str, author: str, provider: str) -> bytes:
    found = {"version": "1.0", "type": "video", "title": title, "author_name": author,
             "provider_name": provider, "html": "<iframe></iframe>"}  # fmt: skip
    return json.dumps(found).encode()


def tidal_page(title: str = "A Song", artist: str = "Some Band") -> bytes:
    return page(
        title=f"{title} by {artist} on TIDAL",
        og__title=f"{title} by {artist} on TIDAL",
        og__type="music.song",
        og__description=f"Listen to {title} by {artist} on TIDAL",
    )


def bandcamp_page(title: str = "A Song", artist: str = "Some Band") -> bytes:
    data = {
        "@type": "MusicRecording",
        "@context": "https://schema.org",
        "name": title,
        "duration": "P00H03M21S",
        "byArtist": {"@type": "MusicGroup", "name": artist},
        "inAlbum": {"@type": "MusicAlbum", "name": "Long Player"},
    }
    script = f'<script type="application/ld+json">{json.dumps(data)}</script>'
    made = page(
        title=f"{title} | {artist}",
        og__title=f"{title}, by {artist}",
        og__type="song",
        og__site_name=artist,
    )
    return made.replace(b"</head>", script.encode() + b"</head>")


def serve_all(origin: FakeServer, title: str = "A Song", artist: str = "Some Band") -> None:
    """Serve one song on every site."""
    origin.serve("/track/0123456789abcdefABCDEF", spotify_page(title, artist))
    origin.serve("/lookup", itunes(title, artist))
    origin.serve("/track/333", deezer(title, artist))
    origin.serve("/browse/track/444", tidal_page(title, artist))
    origin.serve("/track/a-song", bandcamp_page(title, artist))

    async def answer(request: object, writer: asyncio.StreamWriter) -> None:
        soundcloud = "soundcloud" in str(getattr(request, "path", ""))
        body = (
            oembed(f"{title} by {artist}", artist, "SoundCloud")
            if soundcloud
            else oembed(f"{artist} - {title} (Official Video)", "A Label", "YouTube")
        )
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    origin.routes["/oembed"] = answer


@asynccontextmanager
async def song_servers(
    policy: SourcePolicy, dns: FakeDns, folder: Path
) -> AsyncIterator[tuple[FakeServer, SourcePolicy]]:
    """Serve all hosts of song sites over TLS; yield the server and a policy that trusts it."""
    origin, authority = FakeServer(), trustme.CA()
    ca_file = folder / "song-sites.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    server = await asyncio.start_server(origin.handle, "127.0.0.1", 0, ssl=context)
    origin.port = server.sockets[0].getsockname()[1]
    for host in HOSTS:
        dns.set(host, [("127.0.0.1", origin.port)])
    endpoints = policy.open_endpoints | {("127.0.0.1", origin.port)}
    try:
        yield (
            origin,
            replace(
                policy,
                lookup=True,
                schemes=policy.schemes | {"https"},
                open_endpoints=endpoints,
                ca_file=ca_file,
                lookup_s=5.0,
            ),
        )
    finally:
        server.close()
