"""Read title, artist and genre of a music file from its tags, its name and its folders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.details import NO_DETAILS, TrackDetails
from db.generations import UNKNOWN_ARTIST
from db.tagging.read import tag_fields
from genrec.names import fold

LONGEST_NAME = 300
# Letters of a title that ID3v1 has cut; spaces at its end are not counted.
_ID3V1_LETTERS = range(28, 31)
# Matches "07 Song", "1-07 Song", "10. Song" and "1. Song", but not "99 Problems" or "7-Eleven".
_TRACK_NUMBER = re.compile(
    r"^\s*(?:(?:\d-)?0\d\s+|(?:\d-)?\d{2,3}\s*[-.)_]\s*|\d[-.)_]\s+|\d-\d\d\s+)(?=[^\d\s])"
)
_HIGH_NUMBER = re.compile(r"[1-9]\d\s+(?=[^\d\s])")
_LOW_NUMBER = re.compile(r"0[1-9]\s+[^\d\s]")
# Emoji sequences and several scripts need the zero-width joiners.
_JOINERS = "\u200c\u200d"
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
# A part of a work on several discs: "CD1", "Disc 2", "Digital Media 01", "Side A", "12\" Vinyl 1",
# "Disc 1 of 3", "CD2 - Live". Matched with folded names.
_NUMBER = r"(?:\d{1,2}|[a-d]|i{1,3}|iv|v|one|two|three|four|five|six)"
_DISC = re.compile(
    r"(?:enhanced |hybrid |bonus |copy control |\d{1,2} )?"
    r"(?:cd|cdr|cd rom|sacd|hdcd|hd cd|dvd|dvd audio|dvd video|bd|blu ray|disc|disk|diskette|disque"
    r"|disco|disko|dysk|plyta|schijf|levy|skiva|digital media|medium|vinyl|lp|platte|side|seite"
    r"|face|lato|lado|cara|kant|tape|cassette|kassette|casete|minidisc|md"
    r"|\u0434\u0438\u0441\u043a|\u0441\u0442\u043e\u0440\u043e\u043d\u0430)"
    rf" ?(?:no |nr |number )?{_NUMBER} ?(?:(?:of|de|von|di) ?\d{{1,2}})?"
)
_BONUS = re.compile(r"bonus(?: (?:cd|disc|disk|dvd|tracks?|material))?")
_DISC_TITLE = re.compile(r"\s*[-:\u2013\u2014(\[].*")


@dataclass(frozen=True, slots=True)
class Tags:
    """Title, artist and genre of a music file; only ``genre`` may be empty."""

    title: str
    artist: str
    genre: str
    details: TrackDetails = NO_DETAILS


def read_tags(path: Path, root: Path, labels: Sequence[str] = ()) -> Tags:
    """Return a file's tags; missing ones come from its name and its folders below ``root``.

    A folder named like one of the preset's ``labels`` is the genre, any other the artist.
    """
    places = _folders(path, root)
    fields = {name: clean(text) for name, text in tag_fields(path, (path.stem, *places)).items()}
    title, genre = fields.get("title", ""), fields.get("genre", "")
    artist = fields.get("artist") or fields.get("albumartist", "")
    named_artist, named_title = _from_name(path)
    if not title:
        title, artist = named_title, artist or named_artist
    elif len(title) in _ID3V1_LETTERS and fold(named_title).startswith(fold(title)):
        title = named_title  # ID3v1 has cut it
    folders = [clean(name) for name in places]
    if not genre:
        genre = next(filter(None, (match_label(name, labels) for name in folders)), "")
    artists = [name for name in folders if name and not match_label(name, labels)]
    artist = artist or _artist_folder(artists) or UNKNOWN_ARTIST
    return Tags(title, artist, genre, TrackDetails.of(fields))


def song_tags(
    album: Path, root: Path, fields: Mapping[str, str], labels: Sequence[str] = ()
) -> Tags:
    """Return the tags of a song of an album file; what ``fields`` lack comes from the file."""
    whole = read_tags(album, root, labels)
    own = {name: text for name in fields if (text := clean(fields[name]))}
    details = TrackDetails.of(own)
    return Tags(
        own.get("title") or whole.title,
        own.get("artist") or whole.artist,
        own.get("genre") or whole.genre,
        replace(
            details,
            album=details.album or whole.details.album,
            year=details.year or whole.details.year,
            release_id=whole.details.release_id,
            artist_id=whole.details.artist_id,
        ),
    )


def _artist_folder(folders: Sequence[str]) -> str:
    """Return the artist's among the folders of a file: Artist/Album/song, or Artist/song.

    The folder of a disc, a side or bonus tracks belongs to the album above it.
    """
    works = [name for name in folders if not is_disc_folder(name)]
    if len(works) == 1 and (parts := _DASH.split(works[0], 1))[1:] and not parts[0].isdigit():
        return parts[0].strip()  # "Artist - Album"
    return next(iter(works[-2:]), "")


def is_disc_folder(name: str) -> bool:
    """Return whether a folder's name is that of a disc or side, such as "CD1" or "Side A"."""
    return any(
        _DISC.fullmatch(folded) or _BONUS.fullmatch(folded)
        for folded in (fold(name), fold(_DISC_TITLE.sub("", name, count=1)))
        if folded
    )


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
    if _HIGH_NUMBER.match(alone) and _has_numbered_files(path.parent):
        alone = _HIGH_NUMBER.sub("", alone)
    return "", _TRACK_NUMBER.sub("", alone) or alone or clean(path.name) or "Untitled"


def _has_numbered_files(folder: Path) -> bool:
    """Return whether a folder has files "01 ..." or "02 ...": then "10 Song" is numbered too."""
    try:
        return any(_LOW_NUMBER.match(entry.name) for entry in folder.iterdir())
    except OSError:
        return False


def _folders(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
