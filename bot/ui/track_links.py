"""Addresses that the titles of tracks link to: a page, a template, or a search page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from urllib.parse import quote, urlsplit

from bot.i18n import Localizer
from bot.ui.markdown import clean, host_of, linked, query, web_address
from db.details import NO_DETAILS, TrackDetails
from db.sections import path_below
from genrec.names import artist_key
from genrec.types import Track

DEFAULT_SITE = "youtube"
NO_LINKS = "off"
SEARCH_PAGES = {
    "web": "https://duckduckgo.com/?q=",
    "youtube": "https://www.youtube.com/results?search_query=",
    "youtube-music": "https://music.youtube.com/search?q=",
    "spotify": "https://open.spotify.com/search/",
    "apple-music": "https://music.apple.com/search?term=",
    "deezer": "https://www.deezer.com/search/",
    "bandcamp": "https://bandcamp.com/search?item_type=t&q=",
    "soundcloud": "https://soundcloud.com/search?q=",
}
"""Search pages by the name that settings use; a search ends with the artist and title."""

SITE_NAMES = {
    "web": "DuckDuckGo",
    "youtube": "YouTube",
    "youtube-music": "YouTube Music",
    "spotify": "Spotify",
    "apple-music": "Apple Music",
    "deezer": "Deezer",
    "bandcamp": "Bandcamp",
    "soundcloud": "SoundCloud",
}
"""Names that users read; they are proper nouns in every language."""

SITES = (*SEARCH_PAGES, NO_LINKS)
PLACEHOLDERS = ("artist", "title", "isrc", "mbid", "path")
EXAMPLE = "https://music.example/search?q={artist}%20{title}"
MAX_TEMPLATE = 200
# A search in the path of an address, where a plus sign is no space.
_IN_PATH = ("spotify", "deezer")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?", re.I)
_UNSAFE = re.compile(r"[^!-~]|[<>\"\\^`|()\[\]]")
_MAX_VALUE = 200

TEMPLATE_FAULTS = {
    "scheme": "the address must start with https:// or http://",
    "host": "the address needs a host without placeholders, such as music.example",
    "characters": "the address has a space or another character that no address may have",
    "unknown": "a placeholder is none of {artist}, {title}, {isrc}, {mbid} and {path}",
    "path": "{path} needs the folder that it is relative to: set GENREC_PATH_ROOT too",
    "none": "the address needs a placeholder, such as {title}",
    "long": f"the address has more than {MAX_TEMPLATE} characters",
}
"""What is wrong with a template, by the code that `template_fault` returns."""


@dataclass(frozen=True, slots=True)
class LinkChoice:
    """Target of the titles: ``template`` if it can be filled, else a search on ``site``.

    ``root`` is the folder that ``{path}`` is relative to; None fills no path.
    """

    site: str = DEFAULT_SITE
    template: str = ""
    root: Path | None = None

    @classmethod
    def of(cls, links: str, root: Path | None = None) -> LinkChoice:
        """Return the choice of a setting: the name of a site or a template."""
        return cls(links, "", root) if links in SITES else cls(DEFAULT_SITE, links, root)

    def of_guild(self, site: str | None, template: str | None) -> LinkChoice:
        """Return the choice of a guild, with the operator's where the guild has none."""
        known = site if site in SITES else None
        if template and template_fault(template) is None:
            return LinkChoice(known or self.site, template, self.root)
        return self if known is None else LinkChoice(known, "", self.root)

    @property
    def name(self) -> str:
        """Name of the site, or the host of the template; "" if titles are no links."""
        if self.template:
            return urlsplit(re.sub(r"[{}]", "", self.template)).hostname or ""
        return SITE_NAMES.get(self.site, "")


DEFAULT_LINKS = LinkChoice()


@dataclass(frozen=True, slots=True)
class TrackLinks:
    """Links of the tracks of one response; ``details`` are those that are stored, by track id.

    ``listen`` is whether the response has a Listen button.
    """

    choice: LinkChoice = DEFAULT_LINKS
    details: Mapping[int, TrackDetails] = field(default_factory=dict)
    listen: bool = False

    def address(self, track: Track, limit: int) -> str:
        """Return the address of a track, of at most ``limit`` characters; "" if there is none."""
        found = self.own_address(track)
        if found and len(found) <= limit:
            return found
        return _search(self.choice.site, track, limit)

    def own_address(self, track: Track) -> str:
        """Return the address of the track's page or of the filled template; else ""."""
        if self.choice.site == NO_LINKS and not self.choice.template:
            return ""
        details = self.details.get(track.id, NO_DETAILS)
        for page in (details.page, track.source):
            if page.startswith("http") and (address := web_address(page)):
                return address
        return _filled(self.choice, track, details)

    def host(self, track: Track, limit: int) -> str:
        """Return the escaped host of a page or template; "" for a search page of ``SITES``.

        An answer shows it, because only the search pages are the same for every track.
        """
        found = self.own_address(track)
        return host_of(found) if found and len(found) <= limit else ""


SEARCH_LINKS = TrackLinks()


def searches_in_path(site: str) -> bool:
    """Return whether a site's search is in the path of its address: there "+" is no space."""
    return site in _IN_PATH


def title_link(
    localizer: Localizer, track: Track, links: TrackLinks, name_limit: int, link_limit: int
) -> str:
    """Return the escaped title of a track, as a link if it has an address within the limit."""
    title = clean(track.title, name_limit)
    return linked(title or localizer("answer.untitled"), links.address(track, link_limit))


def template_fault(template: str, *, paths: bool = True) -> str | None:
    """Return the code of what is wrong with a template, a key of ``TEMPLATE_FAULTS``; or None.

    Without ``paths`` there is no folder that ``{path}`` is relative to.
    """
    if len(template) > MAX_TEMPLATE:
        return "long"
    if not template.startswith(("https://", "http://")):
        return "scheme"
    host = re.split(r"[/?#]", template.partition("://")[2], maxsplit=1)[0]
    if not _HOST.fullmatch(host) or not _is_address(template):
        return "host"
    if _UNSAFE.search(template):
        return "characters"
    names = _placeholders(template)
    if names is None or not set(names) <= set(PLACEHOLDERS):
        return "unknown"
    if "path" in names and not paths:
        return "path"
    return None if names else "none"


def _is_address(template: str) -> bool:
    """Return whether a filled template is an address that an answer may link to."""
    return bool(web_address(re.sub(r"[{}]", "", template)))


def _placeholders(template: str) -> list[str] | None:
    """Return the names of the placeholders; None for braces or formats that are no placeholder."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        return None
    if any(spec or conversion for _, _, spec, conversion in parts) or "{{" in template:
        return None
    return [name for _, name, _, _ in parts if name is not None]


def _filled(choice: LinkChoice, track: Track, details: TrackDetails) -> str:
    """Return the template with the track's values; "" if one of them is unknown.

    Only the artist may be unknown. Each value is percent-encoded, so none can change the host.
    """
    if not choice.template:
        return ""
    values = {
        "artist": _plain(track.artist if artist_key(track.artist) else ""),
        "title": _plain(track.title),
        "isrc": details.isrc,
        "mbid": details.recording_id,
        "path": path_below(track.source, choice.root) if choice.root else "",
    }
    used = set(_placeholders(choice.template) or ())
    if any(not values[name] for name in used - {"artist"}):
        return ""
    encoded = {
        name: quote(value, safe="/" if name == "path" else "") for name, value in values.items()
    }
    address = choice.template.format_map(encoded)
    return address if urlsplit(address).scheme and web_address(address) else ""


def _plain(text: str) -> str:
    return clean(text, _MAX_VALUE)


def _search(site: str, track: Track, limit: int) -> str:
    """Return the address of a search for a track, cut to ``limit`` characters; "" if too short."""
    page = SEARCH_PAGES.get(site, "")
    artist = track.artist if artist_key(track.artist) else ""
    text, room = f"{artist} {track.title}", limit - len(page)
    if site in _IN_PATH:
        room -= 2 * text.count(" ")
    wanted = query(text, room)
    if not page or not wanted:
        return ""
    return page + (wanted.replace("+", "%20") if site in _IN_PATH else wanted)


def sites_table() -> str:
    """Return the Markdown table of docs/admins.md: settings, and where titles then link to."""
    rows = ["| setting | the title links to |", "|---|---|"]
    for site, page in SEARCH_PAGES.items():
        host = urlsplit(page).hostname or ""
        rows.append(f"| `{site}` | a search for artist and title on {host.removeprefix('www.')} |")
    rows.append(f"| `{NO_LINKS}` | nothing |")
    return "\n".join(rows) + "\n"
