"""Supported sites, with their hosts and the yt-dlp extractors that may read them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its hosts, its yt-dlp extractors, and the paths of its plain files.

    Hosts are exact, or ``*.name`` for any subdomain. Short links are left out on purpose: they are
    followed like any link, and the target is checked again. Extractors are regular expressions
    that match yt-dlp's whole extractor name, in any case.
    """

    name: str
    title: str
    hosts: tuple[str, ...]
    extractors: tuple[str, ...]
    file_paths: tuple[str, ...] = ()

    def has_page(self, url: URL) -> bool:
        """Return True if ``url`` is a page of this site, and not one of its plain files."""
        host = (url.raw_host or "").lower()
        on_site = any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
            for pattern in self.hosts
        )
        return on_site and not url.raw_path.startswith(self.file_paths or ("\0",))


_ALL = (
    Site(
        "soundcloud",
        "SoundCloud",
        ("soundcloud.com", "www.soundcloud.com", "m.soundcloud.com"),
        ("soundcloud", "soundcloud:set", "soundcloud:user", "soundcloud:playlist"),
    ),
    Site("bandcamp", "Bandcamp", ("bandcamp.com", "*.bandcamp.com"), ("bandcamp(:(album|user))?",)),
    Site(
        "archive",
        "the Internet Archive",
        ("archive.org", "www.archive.org"),
        (r"archive\.org",),
        file_paths=("/download/", "/serve/"),
    ),
    Site(
        "mixcloud",
        "Mixcloud",
        ("mixcloud.com", "www.mixcloud.com", "m.mixcloud.com"),
        ("mixcloud(:(user|playlist))?",),
    ),
    Site(
        "vimeo",
        "Vimeo",
        ("vimeo.com", "www.vimeo.com", "player.vimeo.com"),
        ("vimeo(:(album|channel|user|group))?",),
    ),
    Site(
        "audiomack",
        "Audiomack",
        ("audiomack.com", "www.audiomack.com"),
        ("audiomack(:album)?",),
    ),
    Site(
        "audius",
        "Audius",
        ("audius.co", "www.audius.co"),
        ("audius(:(track|playlist|artist))?",),
    ),
    Site("hearthis", "hearthis.at", ("hearthis.at", "www.hearthis.at"), ("hearthisat",)),
    Site("freesound", "Freesound", ("freesound.org", "www.freesound.org"), ("freesound",)),
    Site(
        "jamendo",
        "Jamendo",
        ("jamendo.com", "www.jamendo.com", "licensing.jamendo.com"),
        ("jamendo(album)?",),
    ),
    Site(
        "reverbnation",
        "ReverbNation",
        ("reverbnation.com", "www.reverbnation.com"),
        ("reverbnation",),
    ),
    Site("wikimedia", "Wikimedia Commons", ("commons.wikimedia.org",), (r"wikimedia\.org",)),
    Site(
        "youtube",
        "YouTube",
        ("youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtu.be"),
        ("youtube", "youtube:(tab|playlist)"),
    ),
)

SITES = MappingProxyType({site.name: site for site in _ALL})

# Discord has refused to verify public bots that fetch from YouTube, and YouTube's pages need a
# JavaScript runtime; see docs/links.md.
DEFAULT_SITES = frozenset(SITES) - {"youtube"}
