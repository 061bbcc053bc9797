"""Find links in messages, and classify them by their addresses."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import TYPE_CHECKING

from yarl import URL

from bot.sources.media import sound_by_name
from bot.sources.policy import accepted_sources, check_url, site_of
from bot.sources.song_sites import expand_uris, song_link
from genrec.errors import LinkRefused, UnsupportedSource

if TYPE_CHECKING:
    from bot.sources.policy import SourcePolicy
    from bot.sources.sites import Site

_START = re.compile(r"https?://", re.IGNORECASE)
_MASKED = re.compile(r"\]\(<?https?://", re.IGNORECASE)
# Zero-width spaces and joiners of words, soft hyphens, marks of direction.
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_BEFORE_LINK = re.compile(rf"[{_INVISIBLE}]+(?=https?://)", re.IGNORECASE)
_ANYWHERE = re.compile(rf"[{_INVISIBLE}]")
# Characters that no link contains, and Discord's markup for bold and struck text.
_NEVER = frozenset('<>"`|\\^')
_MARKS = ("**", "~~")
_CLOSING = {")": "(", "]": "[", "}": "{"}
_TRAILING = ".,;:!?'*~([{\u200c\u200d"
_BETWEEN_LETTERS = "\u00b7\u2010\u2011\u2013\u2019"
# Scripts that write words without spaces, or particles directly after a name.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)


class LinkKind(Enum):
    """Kind of a link, by its address alone."""

    CLIP = "clip"  # a track's page or a sound file, of a source that is allowed
    SONG = "song"  # a song's page that gives no sound; its name is looked up
    REFUSED = "refused"  # the same, of a source that is not
    OTHER = "other"


def links_in(text: str) -> list[str]:
    """Return the links of a message's text, each once and in order.

    Discord's markup and the punctuation of any script around a link are left out. A bracket that
    the link itself opens is kept: ``https://site.example/Song_(live)``. Spotify's URIs are links.
    """
    text = expand_uris(_ANYWHERE.sub("", _BEFORE_LINK.sub(" ", text)))
    found: dict[str, None] = {}
    end = 0
    for match in _START.finditer(text):
        if match.start() < end:  # a link inside a link
            continue
        end = _end_of(text, match.end())
        masked = _MASKED.match(text, end)  # the text of a link, and not its address
        link = _stripped(text[match.start() : end], text[: match.start()])
        if not masked and len(link) > len(match.group()):
            found[link] = None
    return list(found)


def _end_of(text: str, start: int) -> int:
    """Return the position after the last character that can belong to the link."""
    opened: list[str] = []
    for at in range(start, len(text)):
        char, before = text[at], text[at - 1]
        if char in "([{":
            opened.append(char)
        elif char in _CLOSING:
            if not opened or opened.pop() != _CLOSING[char]:
                return at
        elif char in _NEVER or text.startswith(_MARKS, at) or _ends_link(text, at):
            return at
        elif char in "hH" and before not in "/=" and _START.match(text, at) and at > start:
            return at  # two links without a space between them
    return len(text)


def _ends_link(text: str, at: int) -> bool:
    """Return True for spaces, controls, emoji, and letters or punctuation of other scripts."""
    char, before = text[at], text[at - 1]
    if char.isascii():
        return not char.isprintable() or char == " "
    if char in _BETWEEN_LETTERS:
        return not (before.isalnum() and text[at + 1 : at + 2].isalnum())
    if char in "\u200c\u200d":  # joiners, which some scripts need
        return False
    if "\ufe00" <= char <= "\ufe0f":  # variation selectors belong to emoji
        return True
    if before.isascii() and before.isalnum() and _WITHOUT_SPACES.match(char):
        return True
    return unicodedata.category(char)[0] in "ZCSP"


def _stripped(link: str, before: str) -> str:
    """Return a link without the punctuation and markup that follow it."""
    while True:
        shorter = link.rstrip(_TRAILING)
        for mark in ("__", "_"):
            # A link may end with an underscore of its own, as ids of YouTube do.
            opened = re.search(rf"(?<![A-Za-z0-9_]){mark}(?![_\s])[^\n]*$", before + "\u2060")
            if shorter.endswith(mark) and opened:
                shorter = shorter.removesuffix(mark)
                break
        if shorter == link:
            return link
        link = shorter


def link_kind(link: str, policy: SourcePolicy) -> LinkKind:
    """Return what a link may lead to; a short or unknown link is OTHER, and may still be a clip."""
    try:
        url = check_url(link, policy)
    except LinkRefused:
        return LinkKind.REFUSED if _names_sound(link) else LinkKind.OTHER
    song = song_link(url) if policy.lookup and policy.links and policy.uploads else None
    try:
        site = site_of(url, policy)
        check_sound(url, policy)
    except UnsupportedSource:
        if song is not None:
            return LinkKind.SONG if song.may_be_song else LinkKind.OTHER
        return LinkKind.REFUSED
    if not _may_be_clip(url, site, policy):
        return LinkKind.OTHER
    return LinkKind.CLIP if policy.links and policy.uploads else LinkKind.REFUSED


def check_sound(url: URL, policy: SourcePolicy) -> None:
    """Raise UnsupportedSource for a page of a song site that gives genrec no sound."""
    song = song_link(url)
    if song is not None and song.site.name not in {site.name for site in policy.enabled_sites}:
        raise UnsupportedSource(
            f"genrec gets no sound from {song.site.title}. {accepted_sources(policy)}"
        )


def _may_be_clip(url: URL, site: Site | None, policy: SourcePolicy) -> bool:
    named = sound_by_name(url.name)
    if site is not None:
        return named is not False and site.has_track(url)
    return named is True or any(url.raw_host in each.short_hosts for each in policy.enabled_sites)


def _names_sound(link: str) -> bool:
    try:
        return sound_by_name(URL(link).name) is True
    except ValueError:
        return False
