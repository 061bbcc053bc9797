"""Read a song's title and artist from the metadata that its site publishes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sources.media import clean_name
from bot.sources.page_metadata import PageMetadata
from bot.sources.song_sites import SongSite
from genrec.page_titles import SongName, readings

_SONG_TYPES = frozenset({"MusicRecording", "MusicComposition"})
# Additions of a site to the titles of its pages; the rest is "Title by Artist" or the like.
_SITE_NAME = re.compile(
    r"\s*(?:\bon|\bauf|\bsur|\ben|\bsu|\bno|\bbei|[|\-\u2013\u2014\u00b7])\s*(?:TIDAL|Apple\s*Music"
    r"|Spotify|Deezer|YouTube|SoundCloud)\.?\s*$",
    re.IGNORECASE,
)
_SPOTIFY_TITLE = re.compile(
    r"^(.*) - song(?: and lyrics)? by (.*?)(?: \| Spotify)?$", re.IGNORECASE
)
_BY = re.compile(
    '^[\u00ab\u201c\u201e"\u2068]?(.+?)[\u00bb\u201d\u201c"\u2069]?\\s+(?:by|von|par|por|di|de|door|av|af)\\s+(.+)$'
)
# Names of the site's own start page, which it sends instead of a song that it does not show.
_NO_SONG = re.compile(
    r"^(?:(?:spotify|tidal|deezer|apple music|soundcloud)(?:\W.*)?|(?:- )?youtube(?: music)?"
    r"|bandcamp|web player|page not (?:found|available)|not found|sign in|log ?in"
    r"|just a moment.*|before you continue.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PageSong:
    """A song as its page names it; the author is "" if the page does not name one.

    With ``uploader``, the author is an account that need not be the artist.
    """

    title: str
    author: str = ""
    uploader: bool = False

    @property
    def names(self) -> tuple[SongName, ...]:
        """The readings of the song's name, the most probable first."""
        return readings(self.title, self.author, uploader=self.uploader or not self.author)

    @property
    def shown(self) -> SongName:
        """The most probable reading; the page's own words if none has a letter or digit."""
        names = self.names
        return names[0] if names else SongName(self.title, self.author)


def song_of_page(page: PageMetadata, site: SongSite) -> PageSong | None:
    """Return the song of an HTML page, or None if it names none."""
    return _of_objects(page) or _OF_TAGS.get(site.name, _of_open_graph)(page, site)


def song_of_json(value: object, site: SongSite) -> PageSong | None:
    """Return the song of a JSON response: oEmbed, the iTunes lookup, or Deezer's track."""
    if not isinstance(value, Mapping):
        return None
    results = value.get("results")
    if isinstance(results, list):
        return _of_itunes(results)
    artist = value.get("artist")
    author = artist.get("name") if isinstance(artist, Mapping) else value.get("author_name")
    title, author = clean_name(value.get("title")), clean_name(author)
    if author and title.lower().endswith(f" by {author.lower()}"):
        title = title[: -len(f" by {author}")]
    return _song(title, author, site)


def says_removed(value: object) -> bool:
    """Return whether a JSON response with status 200 says that there is no such song."""
    if not isinstance(value, Mapping):
        return False
    error = value.get("error")
    no_data = isinstance(error, Mapping) and error.get("code") == 800  # Deezer
    return no_data or value.get("resultCount") == 0  # iTunes


def _of_itunes(results: list[Any]) -> PageSong | None:
    for one in results:
        if isinstance(one, Mapping) and one.get("kind") == "song":
            title, artist = clean_name(one.get("trackName")), clean_name(one.get("artistName"))
            return PageSong(title, artist) if title else None
    return None


def _of_objects(page: PageMetadata) -> PageSong | None:
    """Return the song of the JSON-LD objects; one that names its artist comes first."""
    found = []
    for one in page.objects:
        kinds = one.get("@type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not _SONG_TYPES.isdisjoint(kind for kind in kinds if isinstance(kind, str)):
            title = clean_name(one.get("name"))
            if title:
                found.append(PageSong(title, _artists(one.get("byArtist"))))
    # Spotify's object names the artist in the meta tags only.
    return next((song for song in found if song.author), None)


def _artists(value: object) -> str:
    several = value if isinstance(value, list) else [value]
    names = [clean_name(one.get("name")) for one in several[:5] if isinstance(one, Mapping)]
    return ", ".join(name for name in names if name)


def _of_spotify(page: PageMetadata, site: SongSite) -> PageSong | None:
    title = clean_name(page.first("og:title", "twitter:title"))
    artist = clean_name(page.first("music:musician_description"))
    # "Artist · Album · Song · 1987"
    description = page.first("og:description", "twitter:description").split(" \u00b7 ")
    if not artist and len(description) > 1:
        artist = clean_name(description[0])
    named = _SPOTIFY_TITLE.match(clean_name(page.title))
    if named and not (title and artist):
        title, artist = named[1], artist or named[2]
    return _song(title, artist, site)


def _of_apple(page: PageMetadata, site: SongSite) -> PageSong | None:
    title = clean_name(page.first("apple:title"))
    song = _of_open_graph(page, site)
    return PageSong(title, song.author) if song and title else song


def _of_bandcamp(page: PageMetadata, site: SongSite) -> PageSong | None:
    """Return the song of "Title, by Artist"."""
    title, _, artist = clean_name(page.first("og:title")).rpartition(", by ")
    return _song(title, artist or clean_name(page.first("og:site_name")), site)


def _of_youtube(page: PageMetadata, site: SongSite) -> PageSong | None:
    title = clean_name(page.first("og:title", "name", "title")) or clean_name(page.title)
    return _song(_SITE_NAME.sub("", title), clean_name(page.first("link:name")), site)


def _of_open_graph(page: PageMetadata, site: SongSite) -> PageSong | None:
    title = clean_name(page.first("og:title", "twitter:title")) or clean_name(page.title)
    title = _SITE_NAME.sub("", title)
    artist = clean_name(page.first("music:musician_description", "soundcloud:creator"))
    by = _BY.match(title)
    if by and not artist:
        title, artist = by[1].strip(), by[2].strip()
    return _song(title, artist, site)


_OF_TAGS = {
    "spotify": _of_spotify,
    "apple": _of_apple,
    "bandcamp": _of_bandcamp,
    "youtube": _of_youtube,
}


def _song(title: str, author: str, site: SongSite) -> PageSong | None:
    if not title or _NO_SONG.match(title):
        return None
    return PageSong(title, author, uploader=site.uploader)
