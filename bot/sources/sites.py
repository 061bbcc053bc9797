"""Supported sites, with their hosts and the yt-dlp extractors that may read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its hosts, its yt-dlp extractors, and the paths of its plain files.

    Hosts are exact, or ``*.name`` for any subdomain. Those of short links are apart on purpose:
    they are followed like any link, and the target is checked again. Extractors are regular
    expressions that match yt-dlp's whole extractor name, in any case. Networks are the names
    under which a site's pages, API and media lie, each with its subdomains; ``*name`` is any host
    with this end. The process that reads a page reaches no others. ``tracks`` is a regular
    expression that matches the whole path of a track's page, and not those of artists, lists and
    searches.
    """

    name: str
    title: str
    hosts: tuple[str, ...]
    extractors: tuple[str, ...]
    networks: tuple[str, ...]
    file_paths: tuple[str, ...] = ()
    tracks: str = "/.+"
    short_hosts: tuple[str, ...] = ()

    def has_page(self, url: URL) -> bool:
        """Return True if ``url`` is a page of this site, and not one of its plain files."""
        host = (url.raw_host or "").lower()
        on_site = any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
            for pattern in self.hosts
        )
        return on_site and not url.raw_path.startswith(self.file_paths or ("\0",))

    def has_track(self, url: URL) -> bool:
        """Return True if ``url``, a page of this site, has the address of a track's page."""
        return re.fullmatch(self.tracks, url.raw_path, re.IGNORECASE) is not None

    def reaches(self, host: str) -> bool:
        """Return True if the site's pages, API or media may lie on ``host``."""
        host = host.lower().removesuffix(".")
        return any(
            host.endswith(name[1:])
            if name.startswith("*")
            else host == name or host.endswith(f".{name}")
            for name in self.networks
        )


# Audius is a network of servers of several operators. Its API names one of them at random.
_AUDIUS_OPERATORS = (
    *("altego.net", "audius.hashbeam.com", "audius.metadata.fyi", "audius.openplayer.org"),
    *("audius.prod-eks-ap-northeast-1.staked.cloud", "audius.w3coins.io", "audiusindex.org"),
    *("bdnodes.net", "creatorseed.com", "cultur3stake.com", "figment.io", "grassfed.network"),
    *("monophonic.digital", "nodemagic.com", "nodeoperator.io", "rickyrombo.com", "stuffisup.com"),
    *("supercache.org", "theblueprint.xyz", "tikilabs.com"),
)


_ALL = (
    Site(
        "soundcloud",
        "SoundCloud",
        ("soundcloud.com", "www.soundcloud.com", "m.soundcloud.com"),
        ("soundcloud", "soundcloud:set", "soundcloud:user", "soundcloud:playlist"),
        networks=("soundcloud.com", "sndcdn.com", "soundcloud.cloud"),
        tracks=r"/(?!(?:discover|search|you)/)[^/]+/"
        r"(?!(?:albums|followers|following|likes|popular-tracks|reposts|sets|tracks)/?$)"
        r"[^/]+(?:/s-[^/]+)?/?",
        short_hosts=("on.soundcloud.com",),
    ),
    Site(
        "bandcamp",
        "Bandcamp",
        ("bandcamp.com", "*.bandcamp.com"),
        ("bandcamp(:(album|user))?",),
        networks=("bandcamp.com", "bcbits.com"),
        tracks=r"/track/[^/]+/?",
    ),
    Site(
        "archive",
        "the Internet Archive",
        ("archive.org", "www.archive.org"),
        (r"archive\.org",),
        networks=("archive.org",),
        file_paths=("/download/", "/serve/"),
        tracks=r"/details/.+",
    ),
    Site(
        "mixcloud",
        "Mixcloud",
        ("mixcloud.com", "www.mixcloud.com", "m.mixcloud.com"),
        ("mixcloud(:(user|playlist))?",),
        networks=("mixcloud.com",),
        tracks=r"/(?!(?:discover|genres|search)/)[^/]+/"
        r"(?!(?:favorites|listens|playlists|stream|uploads)/?$)[^/]+/?",
    ),
    Site(
        "vimeo",
        "Vimeo",
        ("vimeo.com", "www.vimeo.com", "player.vimeo.com"),
        ("vimeo(:(album|channel|user|group))?",),
        # Vimeo numbers its hosts at Akamai: 87vod-adaptive.akamaized.net.
        networks=(
            *("vimeo.com", "vimeocdn.com"),
            *("*vod-adaptive.akamaized.net", "*vod-progressive.akamaized.net"),
        ),
        tracks=r"/(?:[^?]*/)?\d+(?:/[0-9a-f]+)?/?",
    ),
    Site(
        "audiomack",
        "Audiomack",
        ("audiomack.com", "www.audiomack.com"),
        ("audiomack(:album)?",),
        networks=("audiomack.com",),
        tracks=r"/(?:song/[^/]+|[^/]+/song)/[^/]+/?",
    ),
    Site(
        "audius",
        "Audius",
        ("audius.co", "www.audius.co"),
        ("audius(:(track|playlist|artist))?",),
        networks=("audius.co", *_AUDIUS_OPERATORS),
        tracks=r"/(?!(?:explore|search|trending)/)[^/]+/(?!(?:albums|playlists|reposts)/?$)[^/]+/?",
    ),
    Site(
        "hearthis",
        "hearthis.at",
        ("hearthis.at", "www.hearthis.at"),
        ("hearthisat",),
        networks=("hearthis.at", "hearthis.app"),
        tracks=r"/(?!(?:categories|search)/)[^/]+/[^/]+/?",
    ),
    Site(
        "freesound",
        "Freesound",
        ("freesound.org", "www.freesound.org"),
        ("freesound",),
        networks=("freesound.org",),
        tracks=r"/(?:people/[^/]+/sounds|s)/\d+/?",
    ),
    Site(
        "jamendo",
        "Jamendo",
        ("jamendo.com", "www.jamendo.com", "licensing.jamendo.com"),
        ("jamendo(album)?",),
        networks=("jamendo.com",),
        tracks=r"(?:/[a-z]{2})?/track/\d+(?:/.*)?",
    ),
    Site(
        "reverbnation",
        "ReverbNation",
        ("reverbnation.com", "www.reverbnation.com"),
        ("reverbnation",),
        networks=("reverbnation.com", "gp1.wac.edgecastcdn.net"),
        tracks=r"/[^/]+/song/[^/]+/?",
    ),
    Site(
        "wikimedia",
        "Wikimedia Commons",
        ("commons.wikimedia.org",),
        (r"wikimedia\.org",),
        networks=("wikimedia.org",),
        tracks=r"/wiki/File(?::|%3A).+",
    ),
    Site(
        "youtube",
        "YouTube",
        ("youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtu.be"),
        ("youtube", "youtube:(tab|playlist)"),
        networks=(
            *("youtube.com", "youtube-nocookie.com", "youtu.be"),
            *("youtubei.googleapis.com", "googlevideo.com", "ytimg.com"),
        ),
        tracks=r"/(?:watch|(?:embed|live|shorts|v)/[\w-]+|[\w-]{11})/?",
    ),
)

SITES = MappingProxyType({site.name: site for site in _ALL})

# Discord has refused to verify public bots that fetch from YouTube, and YouTube's pages need a
# JavaScript runtime; see docs/links.md.
DEFAULT_SITES = frozenset(SITES) - {"youtube"}
