"""The sites whose pages genrec can read, and the yt-dlp extractors that may do it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its hosts, the yt-dlp extractors for it, and where it keeps plain files.

    Hosts are exact, or ``*.name`` for any host below. A site's shorteners are left out on purpose:
    they are followed like any link, and where they lead is judged again. Extractors are regular
    expressions for the whole of yt-dlp's name, in any case.
    """

    name: str
    title: str
    hosts: tuple[str, ...]
    extractors: tuple[str, ...]
    file_paths: tuple[str, ...] = ()

    def has_page(self, url: URL) -> bool:
        """Say whether ``url`` is one of this site's pages, and not a file it serves."""
        host = (url.raw_host or "").lower()
        ours = any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
            for pattern in self.hosts
        )
        return ours and not url.raw_path.startswith(self.file_paths or ("\0",))


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

# Public bots that fetch from YouTube have been refused verification, and its pages need a
# JavaScript runtime: see docs/links.md.
DEFAULT_SITES = frozenset(SITES) - {"youtube"}
