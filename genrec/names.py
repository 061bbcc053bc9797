"""Names of artists and songs, reduced to keys that two spellings or two versions share."""

from __future__ import annotations

import re
import unicodedata

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
_SILENT = re.compile("['`\u2018\u2019\u02bc\u00b4]")
_NOT_A_LETTER = re.compile(r"[^\w]+|_")
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
_FEATURING = re.compile(r"\s*[(\[]?\s*\b(?:feat|ft|featuring)\b.*$", re.IGNORECASE)
_FEATURED = re.compile(r"^(?:feat|ft|featuring)\b")
# What marks a second version of a song, in folded words; "live" counts only where it cannot be a
# word of the title ("Live Forever", "Live and Let Die").
_VERSION = re.compile(
    r"\b(?:remaster|remastered|remastering|remix|remixed|mix|edit|version|demo|mono|stereo"
    r"|acoustic|instrumental|karaoke|bonus track|outtake|rehearsal|session|sessions|unplugged"
    r"|rerecorded|re recorded|explicit|soundtrack)\b"
    r"|^(?:recorded )?live(?: (?:at|in|from|on|\d).*)?$|\blive$|^take \d+$|^(?:single|album)$"
)
# Not names of anybody: two tracks filed under one of these do not share an artist.
_NOBODY = frozenset(
    {"", "unknown", "unknown artist", "various", "various artists", "va", "n a", "none", "artist"}
)


def fold(text: str) -> str:
    """Reduce a text to words that can be compared: no case, accents or punctuation.

    Parameters
    ----------
    text
        Any text, in any script.

    Returns
    -------
    str
        Casefolded words with single spaces between; empty where ``text`` holds no letter or digit.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    # Only the accents of Latin, Greek and Cyrillic go: in kana or Devanagari a mark makes another
    # letter.
    bare = "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f")
    plain = unicodedata.normalize("NFKC", bare).casefold().translate(_LETTERS)
    return " ".join(_NOT_A_LETTER.sub(" ", _SILENT.sub("", plain)).split())


def artist_key(artist: str) -> str:
    """Return the key that all spellings of an artist's name share.

    Guests ("feat. ...") and a leading or trailing "the" do not count.

    Parameters
    ----------
    artist
        The name, as a tag or a page has it.

    Returns
    -------
    str
        The key; empty where the name is nobody's ("Unknown Artist", "Various Artists", "").
    """
    alone = _FEATURING.sub("", artist) or artist
    folded = fold(alone)
    if not folded:
        return alone.strip().casefold()  # "!!!" is a band
    words = folded.split()
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    elif len(words) > 1 and words[-1] == "the":
        words = words[:-1]
    key = " ".join(words)
    return "" if key in _NOBODY else key


def song_key(title: str) -> str:
    """Return the key that all versions of a song share.

    Notes such as "(Remastered 2011)", "- Live at Leeds", "[Radio Edit]" and "(feat. ...)" do not
    count; words of the title in brackets do, and so does "Part 2".

    Parameters
    ----------
    title
        The title, as a tag or a page has it.

    Returns
    -------
    str
        The key; empty only where ``title`` is blank.
    """
    kept = _BRACKETS.sub(lambda note: " " if _is_note(note[1]) else note[0], title)
    parts = _DASH.split(kept)
    while len(parts) > 1 and _is_note(parts[-1]):
        parts.pop()
    shortened = _FEATURING.sub("", " ".join(parts))
    return fold(shortened) or fold(title) or title.strip().casefold()


def _is_note(text: str) -> bool:
    folded = fold(text)
    return bool(_VERSION.search(folded) or _FEATURED.search(folded))
