"""Normalise artist names and song titles to keys for comparison."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "&": " and ",
    }
)
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u00b4]")
_NOT_A_LETTER = re.compile(r"[^\w]+|_")
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
_FEATURING = re.compile(r"\s*[(\[]?\s*\b(?:feat|ft|featuring)\b.*$", re.IGNORECASE)
_FEATURED = re.compile(r"^(?:feat|ft|featuring)\b")
_GUESTS = re.compile(r"\b(?:feat|ft|featuring)\b\.?\s*([^()\[\]{}]+)", re.IGNORECASE)
# What stands between the names of several artists.
SEVERAL_ARTISTS = re.compile(
    r"\s*[,;/+\u00d7\u3001]\s*|\s+(?:&|x|and|und|et|y|e|vs\.?|with|feat\.?|ft\.?|featuring)\s+",
    re.IGNORECASE,
)
# Words of a suffix that names the version of a song, folded. "live" counts only in patterns that
# exclude titles ("Live Forever", "Live and Let Die").
_VERSION = re.compile(
    r"\b(?:remaster|remastered|remastering|remix|remixed|mix|edit|version|demo|mono|stereo"
    r"|acoustic|instrumental|karaoke|bonus track|outtake|rehearsal|session|sessions|unplugged"
    r"|rerecorded|re recorded|explicit|soundtrack)\b"
    r"|^(?:recorded )?live(?: (?:at|in|from|on|\d).*)?$|\blive$|^take \d+$|^(?:single|album)$"
)
# Placeholders: two tracks with one of these do not share an artist.
_PLACEHOLDERS = frozenset(
    {"", "unknown", "unknown artist", "various", "various artists", "va", "n a", "none", "artist"}
)

MOST_LETTERS = 500
"""Letters of a key: 2,000 bytes at most, of the 2,700 that an index of PostgreSQL takes."""


def fold(text: str) -> str:
    """Return a text without case, accents and punctuation.

    Parameters
    ----------
    text
        Any text, in any script.

    Returns
    -------
    str
        Casefolded words separated by single spaces; empty if ``text`` has no letter or digit.
    """
    if text.isascii():  # the usual case, five times as fast
        return _folded(text)
    decomposed = unicodedata.normalize("NFKD", text)
    # Only the accents of Latin, Greek and Cyrillic are removed: in kana or Devanagari a combining
    # mark makes another letter.
    bare = "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f")
    return _folded(unicodedata.normalize("NFKC", bare))


def _folded(text: str) -> str:
    plain = text.casefold().translate(_LETTERS)
    return " ".join(_NOT_A_LETTER.sub(" ", _APOSTROPHES.sub("", plain)).split())


def name_key(artist: str, title: str) -> str:
    """Return the folded names by which a track is sorted and compared: `MOST_LETTERS` at most."""
    return _cut(fold(f"{artist} {title}"))


def artist_key(artist: str) -> str:
    """Return the key of an artist's name, equal for its usual spellings.

    Guests ("feat. ...") and a leading or trailing "the" are removed, and so is what follows the
    first `MOST_LETTERS` letters.

    Parameters
    ----------
    artist
        The name in a tag or on a page.

    Returns
    -------
    str
        The key; empty for placeholders ("Unknown Artist", "Various Artists", "").
    """
    # Of many spaces in a row, the pattern would try every division.
    name = _FEATURING.sub("", " ".join(artist.split())) or artist
    folded = fold(name)
    if not folded:
        return _cut(name.strip().casefold())  # such as the artist "!!!"
    words = folded.split()
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    elif len(words) > 1 and words[-1] == "the":
        words = words[:-1]
    key = _cut(" ".join(words))
    return "" if key in _PLACEHOLDERS else key


def _cut(key: str) -> str:
    return key[:MOST_LETTERS].rstrip()


@lru_cache(maxsize=8_192)
def credited_artists(artist: str, title: str = "") -> frozenset[str]:
    """Return the keys of all artists that the names of a song credit, guests included.

    They are the whole artist's name, the names that it joins ("A & B", "A, B", "A x B") and those
    after "feat." in either text. A band whose name joins words gives these words as well: to
    compare two songs by their artists this finds a few too many rather than one too few.

    Parameters
    ----------
    artist, title
        The names in a tag or on a page; empty if unknown.

    Returns
    -------
    frozenset of str
        Keys of `artist_key`; none for placeholders.
    """
    guests = [found for text in (artist, title) for found in _GUESTS.findall(text)]
    if not guests and not SEVERAL_ARTISTS.search(artist):
        return frozenset({artist_key(artist)}) - {""}
    joined = [_FEATURING.sub("", " ".join(artist.split())) or artist, *guests]
    parts = [part for text in joined for part in SEVERAL_ARTISTS.split(text) if len(part) > 1]
    return frozenset(map(artist_key, (*joined, *parts))) - {""}


def song_key(title: str) -> str:
    """Return the key of a song's title, equal for all versions of the song.

    Suffixes such as "(Remastered 2011)", "- Live at Leeds", "[Radio Edit]" and "(feat. ...)" are
    removed. Other words in brackets stay, and so does "Part 2".

    Parameters
    ----------
    title
        The title in a tag or on a page.

    Returns
    -------
    str
        The key; empty only if ``title`` is blank.
    """
    shortened = _BRACKETS.sub(lambda part: " " if _is_suffix(part[1]) else part[0], title)
    parts = _DASH.split(shortened)
    while len(parts) > 1 and _is_suffix(parts[-1]):
        parts.pop()
    shortened = _FEATURING.sub("", " ".join(" ".join(parts).split()))
    return fold(shortened) or fold(title) or title.strip().casefold()


def _is_suffix(text: str) -> bool:
    """Return whether a text is a suffix such as "live", "remastered" or "feat. X"."""
    folded = fold(text)
    return bool(_VERSION.search(folded) or _FEATURED.search(folded))
