"""Names of genres in a tag: several in one text, numbers of ID3, and one spelling of each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from tinytag.tinytag import _ID3 as _TINYTAG_ID3

from genrec.names import fold

# TinyTag, which reads the same numbers in files, has no public list.
ID3_GENRES: tuple[str, ...] = tuple(_TINYTAG_ID3._ID3V1_GENRES)  # noqa: SLF001
"""Genres of ID3v1 by number, with the extensions of Winamp."""
MAX_NAMES = 6  # of one tag
_LONGEST = 60
# ID3v2.3: "(17)", "(17)(6)", "(17)Punk Rock"; RX and CR are "remix" and "cover".
_NUMBERED = re.compile(r"^\s*\((\d{1,3}|RX|CR)\)")
_SEPARATORS = re.compile(r"[;/|\\,\x00\n]|\s[-–—·•&+]\s(?=\S)")
# A name that looks like several but is one.
_WHOLE = {
    fold(name): name
    for name in (
        "AC/DC", "Drum & Bass", "Rock & Roll", "Rhythm and Blues", "R&B", "Singer/Songwriter",
        "Singer, Songwriter", "Trip Hop/Lounge", "Folk/Rock", "Jazz+Funk", "Pop/Funk", "Booty Bass",
        "Drum + Bass", "Contemporary R&B", "Avant-Garde", "Children's Music",
    )
}  # fmt: skip
_NO_GENRES = frozenset(
    fold(name).replace(" ", "")
    for name in ("", "unknown", "other", "none", "genre", "unclassifiable", "misc", "miscellaneous",
                 "n a", "undefined", "default", "various", "remix", "cover", "no genre",
                 "unknown genre")
)  # fmt: skip


def genre_names(tag: str) -> tuple[str, ...]:
    """Return the genres that a tag names, each once, as it spells them.

    A tag may hold several, with separators ("Rock; Indie", "Electronic/Techno"), or numbers of
    ID3 ("(17)", "(17)Punk", "52"). Words that name no genre, such as "Unknown", are left out.
    """
    names: dict[str, str] = {}
    for part in _parts(unicodedata.normalize("NFKC", tag)):
        name = " ".join(part.split())[:_LONGEST].strip()
        folded = genre_key(name)
        if folded not in _NO_GENRES and any(letter.isalpha() for letter in folded):
            names.setdefault(folded, name)
    return tuple(names.values())[:MAX_NAMES]


def genre_key(name: str) -> str:
    """Return a name without case, accents, punctuation and spaces, which spellings share."""
    return fold(name).replace(" ", "")


def usual_spelling(names: Iterable[str]) -> str:
    """Return the most frequent of several spellings; of equally frequent ones, the first."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: counts[name])


def _parts(tag: str) -> list[str]:
    parts: list[str] = []
    for piece in [tag] if fold(tag) in _WHOLE else _SEPARATORS.split(tag):
        name = piece
        while (found := _NUMBERED.match(name)) is not None:
            parts.append(_by_number(found[1]))
            name = name[found.end() :]
        name = name.strip()
        parts.append(_by_number(name) if name.isascii() and name.isdigit() else name)
    return parts


def _by_number(number: str) -> str:
    place = int(number) if number.isdigit() else len(ID3_GENRES)
    return ID3_GENRES[place] if place < len(ID3_GENRES) else ""
