"""Parameters of a request, from its address and its form, and the ids that they name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from bot.subsonic.subsonic_responses import GENERIC, NOT_FOUND, PARAMETER_MISSING, SubsonicError

MOST = 500
"""Most songs, albums or artists of one response, as in the original server."""
_LONGEST = 500  # letters of a query
_DIGITS = re.compile(r"-?\d{1,9}")
_SONG = re.compile(r"tr-([1-9]\d{0,17})")
SONG, ALBUM, ARTIST = "tr-", "al-", "ar-"


class Parameters:
    """The parameters of one request; the first counts where one is given twice."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def text(self, name: str) -> str:
        """Return a parameter, "" without one.

        Raises
        ------
        SubsonicError
            It is longer than any name.
        """
        found = self._given.get(name, "")
        if len(found) > _LONGEST:
            raise SubsonicError(
                GENERIC, f"{name} has {len(found)} letters; send at most {_LONGEST}."
            )
        return found

    def required(self, name: str) -> str:
        """Return a parameter that must be there; the error 10 names it."""
        found = self.text(name)
        if not found:
            raise SubsonicError(PARAMETER_MISSING, f"The parameter {name} is missing: send it.")
        return found

    def number(self, name: str, default: int, *, most: int = MOST, least: int = 0) -> int:
        """Return a whole number of at least ``least``; one above ``most`` counts as ``most``."""
        found = self.text(name)
        if not found:
            return default
        if not _DIGITS.fullmatch(found) or int(found) < least:
            raise SubsonicError(
                GENERIC, f"{name} is {found[:40]!r}; send a whole number of at least {least}."
            )
        return min(int(found), most)

    def offset(self, name: str) -> int:
        """Return the number of entries before a page."""
        return self.number(name, 0, most=10**9)

    def song(self, name: str) -> int:
        """Return the track id in the id of a song, such as ``tr-17``."""
        return song_number(self.required(name))


def song_id(track_id: int) -> str:
    """Return the id of a song."""
    return f"{SONG}{track_id}"


def song_number(id: str) -> int:
    """Return the track id in the id of a song; the error 70 names an id of another kind."""
    found = _SONG.fullmatch(id)
    if found is None:
        raise SubsonicError(NOT_FOUND, f"{id[:40]!r} is no song here; look it up with search3.")
    return int(found[1])


def artist_id(artist_key: str) -> str:
    """Return the id of an artist, the same after each indexing run."""
    return ARTIST + _digest(artist_key)


def album_id(scope: str, artist_key: str, album: str, release_id: str) -> str:
    """Return the id of an album, the same after each indexing run.

    A release of MusicBrainz is one album, whoever plays on it; other albums are of one artist.
    """
    return ALBUM + _digest(scope, *((release_id,) if release_id else (artist_key, album)))


def _digest(*parts: str) -> str:
    text = "\x00".join(parts).encode("utf-8", errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=10).hexdigest()
