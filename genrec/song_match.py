"""Match the name of a song to tracks of a catalogue: typos, other spellings, other scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz import fuzz

from genrec.names import artist_key, fold, song_key
from genrec.page_titles import SongName
from genrec.types import Track

SIMILAR_SHOWN = 5
# Least ratios (0..100) of a sure match and of a similar name, for titles and artists. Chosen on the
# pairs of tests/genrec/test_song_match.py.
SURE_TITLE, SURE_ARTIST = 92.0, 86.0
SIMILAR_TITLE, SIMILAR_ARTIST = 74.0, 66.0
_EXACT_CHARS = 4  # of a shorter name, each letter counts

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_AFTER_DASH = re.compile(r"\s[-\u2013\u2014]\s(.*)$")
_ARTISTS = re.compile(
    r"\s*[,;/+\u00d7\u3001]\s*|\s+(?:&|x|and|und|et|y|e|vs\.?|with|feat\.?|ft\.?|featuring)\s+",
    re.IGNORECASE,
)
# Words of a version that sounds different; a remaster or a radio edit does not.
_OTHER_SOUND = re.compile(
    r"\b(remix|rmx|bootleg|mashup|cover|karaoke|instrumental|live|acoustic|unplugged|demo|nightcore"
    r"|sped up|slowed|8d|orchestral|piano|a ?cappella|reprise)\b"
)
_NUMERALS = {
    "pt": "part",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
}
_NON_LATIN = re.compile(r"[^\W\d_a-z]")


@dataclass(frozen=True, slots=True)
class SongMatch:
    """The track that a song's name means, if that is sure; else tracks with similar names."""

    sure: Track | None = None
    similar: tuple[Track, ...] = ()


class _Scored(NamedTuple):
    track: Track
    title: float  # 0..100
    artist: float | None  # None if it cannot be compared
    exact: float  # of the whole title, with its version
    sure: bool

    @property
    def order(self) -> tuple[float, float, float, int]:
        artist = SIMILAR_ARTIST if self.artist is None else self.artist
        return (-self.sure, -(self.title + artist), -self.exact, self.track.id)


def match_song(names: Sequence[SongName], tracks: Iterable[Track]) -> SongMatch:
    """Return the track that one of the readings of a song's name means, or similar ones.

    A match is sure if title and artist are equal but for spelling and typos, both name the same
    part and the same kind of version, and no other song of the tracks matches as well.

    Parameters
    ----------
    names
        Readings of the name, from `genrec.page_titles.readings`.
    tracks
        Candidates.

    Returns
    -------
    SongMatch
        A sure track, or up to 5 tracks with similar names, the most similar first.
    """
    scored = [max((_score(name, t) for name in names), key=_best) for t in tracks] if names else []
    ordered = sorted(scored, key=lambda one: one.order)
    sure = [one for one in ordered if one.sure]
    if sure:
        best = sure[0]
        rivals = {_song(one.track) for one in sure if _total(one) >= _total(best)}
        if len(rivals) == 1:
            return SongMatch(best.track)
    similar: dict[tuple[str, str, str], Track] = {}
    for one in ordered:
        if one.sure or _is_similar(one):
            similar.setdefault((*_song(one.track), fold(one.track.title)), one.track)
    return SongMatch(None, tuple(similar.values())[:SIMILAR_SHOWN])


def _score(name: SongName, track: Track) -> _Scored:
    title, alternative = _title_ratio(name.title, track.title)
    artist = _artist_ratio(name.artist, track.artist)
    sure = (
        artist is not None
        and artist >= SURE_ARTIST
        and title >= SURE_TITLE
        and _numbers(name.title) == _numbers(track.title)
        and _versions(name.title) == _versions(track.title)
    )
    exact = fuzz.ratio(fold(name.title), fold(track.title))
    return _Scored(track, max(title, alternative), artist, exact, sure)


def _best(one: _Scored) -> tuple[bool, bool, float, float]:
    return one.sure, _is_similar(one), _total(one), one.exact


def _total(one: _Scored) -> float:
    return one.title + (one.artist or 0.0)


def _song(track: Track) -> tuple[str, str]:
    return artist_key(track.artist), song_key(track.title)


def _is_similar(one: _Scored) -> bool:
    if one.artist is None:
        return one.title >= SURE_TITLE
    return one.title >= SIMILAR_TITLE and one.artist >= SIMILAR_ARTIST


def _title_ratio(one: str, other: str) -> tuple[float, float]:
    """Return the ratio of two titles, and the best one without their words in brackets.

    Words in brackets may be a translation: "夜に駆ける (Racing into the Night)". Then each of the
    two names is the title.
    """
    whole = _ratio(_title_key(one), _title_key(other))
    shortened = max(_ratio(a, b) for a in _title_names(one) for b in _title_names(other))
    translated = _is_translated(one) or _is_translated(other)
    return max(whole, shortened) if translated else whole, shortened


def _title_names(title: str) -> list[str]:
    outside = _BRACKETS.sub(" ", title)
    names = [_title_key(outside)] if fold(outside) else []
    if _is_translated(title):
        names += [_title_key(part) for part in _BRACKETS.findall(title) if fold(part)]
    return names or [_title_key(title)]


def _title_key(title: str) -> str:
    """Return the key of a title, with "Pt. II" as "part 2"."""
    return " ".join(_NUMERALS.get(word, word) for word in song_key(title).split())


def _is_translated(title: str) -> bool:
    """Return whether a title has its name in brackets in another script."""
    outside = fold(_BRACKETS.sub(" ", title))
    return any(
        bool(_NON_LATIN.search(fold(part))) != bool(_NON_LATIN.search(outside))
        for part in _BRACKETS.findall(title)
        if fold(part) and outside
    )


def _artist_ratio(one: str, other: str) -> float | None:
    """Return the best ratio of the names of two artists; None if they cannot be compared."""
    names, others = _artist_names(one), _artist_names(other)
    if not names or not others:
        return None
    best = max(_ratio(a, b) for a in names for b in others)
    latin = {bool(_NON_LATIN.search(name)) for name in names}
    if best < SIMILAR_ARTIST and latin.isdisjoint({bool(_NON_LATIN.search(n)) for n in others}):
        return None  # the same name in two scripts has no letter in common
    return best


def _artist_names(artist: str) -> list[str]:
    """Return the keys of an artist's name, of its parts, and of a translation in brackets."""
    inside = [part for part in _BRACKETS.findall(artist) if _is_translated(artist)]
    outside = _BRACKETS.sub(" ", artist)
    texts = [artist, outside, *inside, *_ARTISTS.split(outside)]
    return list(dict.fromkeys(key for key in map(artist_key, texts) if key))


def _ratio(one: str, other: str) -> float:
    """Return the similarity of two keys, 0..100, also with other spaces or order of words."""
    if not one or not other:
        return 0.0
    if one == other or one.replace(" ", "") == other.replace(" ", ""):
        return 100.0
    if min(len(one), len(other)) <= _EXACT_CHARS:
        return min(fuzz.ratio(one, other), SURE_ARTIST - 1)
    return max(
        fuzz.ratio(one, other),
        fuzz.ratio(one.replace(" ", ""), other.replace(" ", "")),
        fuzz.token_sort_ratio(one, other),
    )


def _numbers(title: str) -> list[str]:
    """Return the numbers of a title, which "Part 2" and "Part 3" do not share."""
    return sorted(re.findall(r"\d+", _title_key(title)))


def _versions(title: str) -> set[str]:
    parts = [*_BRACKETS.findall(title), *_AFTER_DASH.findall(title)]
    return {word for part in parts for word in _OTHER_SOUND.findall(fold(part))}
