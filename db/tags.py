"""Read title, artist and genre of a music file from its tags, its name and its folders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag

from db.generations import UNKNOWN_ARTIST
from genrec.names import fold

LONGEST_NAME = 300
# Matches "07 Song", "1-07 Song", "10. Song" and "1. Song", but not "99 Problems" or "7-Eleven".
_TRACK_NUMBER = re.compile(
    r"^\s*(?:(?:\d-)?0\d\s+|(?:\d-)?\d{2,3}\s*[-.)_]\s*|\d[-.)_]\s+|\d-\d\d\s+)(?=[^\d\s])"
)
# Emoji sequences and several scripts need the zero-width joiners.
_JOINERS = "\u200c\u200d"
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")


@dataclass(frozen=True, slots=True)
class Tags:
    """Title, artist and genre of a music file; only ``genre`` may be empty."""

    title: str
    artist: str
    genre: str


def read_tags(path: Path, root: Path, labels: Sequence[str] = ()) -> Tags:
    """Return a file's tags; missing ones come from its name and its folders below ``root``.

    A folder named like one of the preset's ``labels`` is the genre, any other the artist.
    """
    title, artist, genre = "", "", ""
    try:
        tag = TinyTag.get(path, duration=False)
    except Exception:  # noqa: BLE001 - tags are optional, and a hostile file may raise any error
        tag = None
    if tag is not None:
        title = clean(tag.title)
        artist = clean(tag.artist) or clean(tag.albumartist)
        genre = clean(tag.genre)
    if not title:
        named_artist, title = _from_name(path)
        artist = artist or named_artist
    folders = [clean(name) for name in _folders(path, root)]
    if not genre:
        genre = next(filter(None, (match_label(name, labels) for name in folders)), "")
    # Artist/Album/song, or Artist/song.
    artists = [name for name in folders if name and not match_label(name, labels)][-2:]
    return Tags(title, artist or next(iter(artists), UNKNOWN_ARTIST), genre)


def clean(text: object, longest: int = LONGEST_NAME) -> str:
    """Return a text as one line of at most ``longest`` visible characters; "" if not a str."""
    if not isinstance(text, str):
        return ""
    # C*: control, format (bidi overrides, zero widths), surrogates and unassigned characters.
    visible = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in text
        if letter in _JOINERS or unicodedata.category(letter) not in {"Cf", "Cs", "Cn"}
    )
    line = " ".join(visible.split())[:longest].rstrip()
    return line if line.strip(_JOINERS + " ") else ""


def match_label(genre: str, labels: Sequence[str]) -> str:
    """Return the label that equals ``genre`` without case, accents and punctuation, or ""."""
    wanted = fold(genre).replace(" ", "")
    return next((label for label in labels if fold(label).replace(" ", "") == wanted), "")


def _from_name(path: Path) -> tuple[str, str]:
    name = clean(path.stem.replace("_", " "))
    parts = [part.strip() for part in _DASH.split(name) if part.strip()]
    if len(parts) > 1 and parts[0].isdigit():
        parts.pop(0)
    if len(parts) > 1:
        return _TRACK_NUMBER.sub("", parts[0]), " - ".join(parts[1:])
    alone = parts[0] if parts else name
    return "", _TRACK_NUMBER.sub("", alone) or alone or clean(path.name) or "Untitled"


def _folders(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
