"""Music sites whose songs are looked up by their public metadata, without fetching sound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACK, SHORT = "track", "short"


class Form(Enum):
    """Form of a metadata response."""

    JSON = "JSON"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class MetadataRequest:
    """A request for the metadata of a song; ``name`` is that of the format, for the docs."""

    name: str
    form: Form
    address: str  # with {id}, {country}, and {page}, percent-encoded


@dataclass(frozen=True, slots=True)
class SongSite:
    """A site: the addresses of its pages, and the requests that name a song.

    Hosts are exact, or ``*.name`` for any subdomain. ``paths`` has one regular expression for each
    kind of page; it matches the whole path, and for a track its group ``id`` is the song's id.
    ``query`` names a query parameter with the id instead. ``page`` is the canonical address of a
    song. A request and its redirects reach only ``https`` and the hosts of ``metadata_hosts``,
    each with its subdomains. ``uploader`` means that the site names an account, not the artist.
    """

    name: str
    title: str
    hosts: tuple[str, ...]
    paths: Mapping[str, str]
    page: str
    requests: tuple[MetadataRequest, ...]
    metadata_hosts: tuple[str, ...]
    short_hosts: tuple[str, ...] = ()
    query: str = ""
    uploader: bool = False

    def has_host(self, host: str) -> bool:
        """Return whether the site's pages lie on ``host``."""
        return any(
            host.endswith(each[1:]) if each.startswith("*.") else host == each
            for each in self.hosts
        )

    def reaches(self, host: str) -> bool:
        """Return whether a request for metadata, or its redirect, may lead to ``host``."""
        known = (*self.metadata_hosts, *self.short_hosts)
        return any(host == each or host.endswith(f".{each}") for each in known)


@dataclass(frozen=True, slots=True)
class SongLink:
    """A link to a page of a song site; ``kind`` is a key of the site's ``paths`` or "short"."""

    site: SongSite
    kind: str
    url: URL
    id: str = ""
    country: str = "us"

    @property
    def may_be_song(self) -> bool:
        """Return whether the link leads to a song, or is short and may do so."""
        return self.kind in (TRACK, SHORT)

    @property
    def page(self) -> str:
        """The canonical address of a song's page, without parameters that track people."""
        return self.site.page.format(id=self.id, country=self.country, host=self.url.raw_host)

    def address(self, request: MetadataRequest) -> str:
        """Return the address of a request about this song."""
        page = quote(self.page, safe="")
        return request.address.format(
            id=self.id, country=self.country, page=page, whole_page=self.page
        )


_LOCALE = r"(?:/[a-z]{2}(?:-[a-z]{2,4})?)?"
_PAGE = MetadataRequest("Open Graph and JSON-LD", Form.PAGE, "{whole_page}")

_ALL = (
    SongSite(
        "spotify",
        "Spotify",
        ("open.spotify.com", "play.spotify.com"),
        {
            TRACK: r"(?:/intl-[\w-]+)?(?:/embed)?/track/(?P<id>\w{1,40})/?",
            "album": r"(?:/intl-[\w-]+)?(?:/embed)?/album/.*",
            "playlist": r"(?:/intl-[\w-]+)?(?:/embed)?(?:/user/[^/]+)?/playlist/.*",
            "artist": r"(?:/intl-[\w-]+)?(?:/embed)?/(?:artist|user)/.*",
            "episode": r"(?:/intl-[\w-]+)?(?:/embed(?:-podcast)?)?/(?:episode|show|audiobook)/.*",
        },
        "https://open.spotify.com/track/{id}",
        (
            _PAGE,
            MetadataRequest("oEmbed", Form.JSON, "https://open.spotify.com/oembed?url={page}"),
        ),
        metadata_hosts=("open.spotify.com",),
        short_hosts=("spotify.link", "spotify.app.link", "spoti.fi"),
    ),
    SongSite(
        "apple",
        "Apple Music",
        ("music.apple.com", "embed.music.apple.com", "geo.music.apple.com", "itunes.apple.com"),
        {
            TRACK: r"/(?:(?P<country>[a-z]{2})/)?song/(?:[^/]+/)?(?P<id>\d{1,20})/?",
            "album": r"(?:/[a-z]{2})?/album/.*",
            "playlist": r"(?:/[a-z]{2})?/(?:playlist|station|room)/.*",
            "artist": r"(?:/[a-z]{2})?/(?:artist|curator)/.*",
            "episode": r"(?:/[a-z]{2})?/(?:podcast|post|music-video|book|audiobook)/.*",
        },
        "https://music.apple.com/{country}/song/{id}",
        (
            MetadataRequest(
                "iTunes lookup",
                Form.JSON,
                "https://itunes.apple.com/lookup?id={id}&country={country}&entity=song",
            ),
            _PAGE,
        ),
        metadata_hosts=("music.apple.com", "itunes.apple.com"),
        query="i",
    ),
    SongSite(
        "deezer",
        "Deezer",
        ("deezer.com", "www.deezer.com"),
        {
            TRACK: rf"{_LOCALE}/track/(?P<id>\d{{1,20}})/?",
            "album": rf"{_LOCALE}/album/.*",
            "playlist": rf"{_LOCALE}/(?:playlist|mixes|smarttracklist)/.*",
            "artist": rf"{_LOCALE}/(?:artist|profile)/.*",
            "episode": rf"{_LOCALE}/(?:episode|show|podcast|audiobook)s?/.*",
        },
        "https://www.deezer.com/track/{id}",
        (
            MetadataRequest("Deezer track", Form.JSON, "https://api.deezer.com/track/{id}"),
            MetadataRequest(
                "oEmbed", Form.JSON, "https://api.deezer.com/oembed?format=json&url={page}"
            ),
        ),
        metadata_hosts=("deezer.com",),
        short_hosts=("deezer.page.link", "link.deezer.com", "dzr.page.link"),
    ),
    SongSite(
        "tidal",
        "Tidal",
        ("tidal.com", "www.tidal.com", "listen.tidal.com", "desktop.tidal.com"),
        {
            TRACK: r"(?:/browse)?(?:/album/\d+)?/track/(?P<id>\d{1,20})(?:/u)?/?",
            "album": r"(?:/browse)?/album/.*",
            "playlist": r"(?:/browse)?/(?:playlist|mix|my-mixes)/.*",
            "artist": r"(?:/browse)?/(?:artist|user)/.*",
            "episode": r"(?:/browse)?/video/.*",
        },
        "https://tidal.com/browse/track/{id}",
        (_PAGE,),
        metadata_hosts=("tidal.com",),
    ),
    SongSite(
        "youtube",
        "YouTube",
        ("youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtu.be",
         "www.youtube-nocookie.com"),
        {
            TRACK: r"/(?:(?:embed|live|shorts|v)/)?(?P<id>[\w-]{11})/?",
            "playlist": r"/(?:playlist|watch|watch_videos)/?",
            "album": r"/browse/.*",
            "artist": r"/(?:@|(?:channel|c|user)/).*",
            "episode": r"/podcasts?(?:/.*)?",
        },
        "https://www.youtube.com/watch?v={id}",
        (
            MetadataRequest(
                "oEmbed", Form.JSON, "https://www.youtube.com/oembed?format=json&url={page}"
            ),
            _PAGE,
        ),
        metadata_hosts=("www.youtube.com",),
        query="v",
        uploader=True,
    ),
    SongSite(
        "soundcloud",
        "SoundCloud",
        ("soundcloud.com", "www.soundcloud.com", "m.soundcloud.com"),
        {
            "playlist": r"/[^/]+/(?:sets(?:/.*)?|likes|reposts)/?|/(?:discover|you|search)(?:/.*)?",
            "artist": r"/[^/]+(?:/(?:albums|followers|following|popular-tracks|tracks))?/?",
            TRACK: r"/(?P<id>[^/]+/[^/]+(?:/s-[^/]+)?)/?",
        },
        "https://soundcloud.com/{id}",
        (
            MetadataRequest(
                "oEmbed", Form.JSON, "https://soundcloud.com/oembed?format=json&url={page}"
            ),
            _PAGE,
        ),
        metadata_hosts=("soundcloud.com",),
        short_hosts=("on.soundcloud.com", "soundcloud.app.goo.gl"),
        uploader=True,
    ),
    SongSite(
        "bandcamp",
        "Bandcamp",
        ("*.bandcamp.com",),
        {
            TRACK: r"/track/(?P<id>[^/]+)/?",
            "album": r"/album/.*",
            "artist": r"/?(?:music|merch|community)?/?",
        },
        "https://{host}/track/{id}",
        (_PAGE,),
        metadata_hosts=("bandcamp.com",),
    ),
)  # fmt: skip

SONG_SITES: Mapping[str, SongSite] = MappingProxyType({site.name: site for site in _ALL})

_URI = re.compile(
    r"(?<![\w/:.%=-])spotify:(track|album|artist|playlist|episode|show):(\w{22})(?!\w)"
)


def expand_uris(text: str) -> str:
    """Return a text with Spotify's URIs, such as ``spotify:track:ID``, as links."""
    return _URI.sub(r"https://open.spotify.com/\1/\2", text)


def song_link(url: URL) -> SongLink | None:
    """Return the song site's page that a link leads to, or None for another link."""
    host = (url.raw_host or "").lower()
    for site in SONG_SITES.values():
        if host in site.short_hosts:
            short = bool(url.raw_path.strip("/"))
            return (
                SongLink(site, SHORT, url.with_query(None).with_fragment(None)) if short else None
            )
        if site.has_host(host):
            return _page_link(site, url)
    return None


def _page_link(site: SongSite, url: URL) -> SongLink | None:
    path = url.raw_path
    by_query = url.query.get(site.query, "") if site.query else ""
    if re.fullmatch(r"\d{1,20}" if site.name == "apple" else r"[\w-]{11}", by_query, re.ASCII):
        named = re.match(r"/([a-z]{2})/", path)
        return SongLink(site, TRACK, url, by_query, named[1] if named else "us")
    for kind, pattern in site.paths.items():
        match = re.fullmatch(pattern, path, re.IGNORECASE | re.ASCII)
        if match:
            found = match.groupdict()
            country = found.get("country") or "us"
            return SongLink(site, kind, url, found.get("id") or "", country.lower())
    return None


def song_sites_table() -> str:
    """Return a Markdown table of the sites: links, requests, and the hosts they reach."""
    rows = ["| site | links to songs | what is requested | hosts |", "|---|---|---|---|"]
    for site in SONG_SITES.values():
        links = ", ".join(f"`{host}`" for host in (*site.hosts, *site.short_hosts))
        requests = ", then ".join(request.name for request in site.requests)
        hosts = ", ".join(f"`{host}`" for host in site.metadata_hosts)
        rows.append(f"| {site.title} | {links} | {requests} | {hosts} |")
    return "\n".join(rows) + "\n"
