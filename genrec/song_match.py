"""Match the name of a song to tracks of a catalogue: typos, other spellings, other scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from rapidfuzz import fuzz

from genrec.names import SEVERAL_ARTISTS, artist_key, fold, song_key
from genrec.page_titles import SongName, readings
from genrec.types import Track

SIMILAR_SHOWN = 5
# Least ratios (0..100) of a sure match and of a similar name, for titles and artists. Chosen on the
# pairs of tests/genrec/test_song_match.py.
SURE_TITLE, SURE_ARTIST = 92.0, 86.0
SIMILAR_TITLE, SIMILAR_ARTIST = 74.0, 66.0
_READINGS_OF_TRACK = 4
# Of a longer name, the rest says nothing about the song, and comparing it costs too much.
_MAX_CHARS, _MAX_NAMES, _MAX_BRACKETS = 200, 8, 3
_EXACT_CHARS = 4  # of a shorter name, each letter counts

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_AFTER_DASH = re.compile(r"\s[-\u2013\u2014]\s(.*)$")
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


@dataclass(frozen=True, slots=True)
class _Keys:
    """What is compared of a name: each text folded, in the forms that pages and tags use."""

    folded: str
    title: str
    titles: tuple[str, ...]  # the title without brackets, and a translation in brackets
    translated: bool
    artists: tuple[str, ...]  # the whole name, each artist, and a translation in brackets
    numbers: tuple[str, ...]  # "Part 2" and "Part 3" do not share them
    versions: frozenset[str]  # such as "live"

    @classmethod
    def of(cls, name: SongName) -> _Keys:
        name = SongName(name.title[:_MAX_CHARS], name.artist[:_MAX_CHARS])
        title = name.title
        key = _title_key(title)
        parts = [*_bracketed(title), *_AFTER_DASH.findall(title)]
        return cls(
            folded=fold(title),
            title=key,
            titles=_title_names(title),
            translated=_is_translated(title),
            artists=_artist_names(name.artist),
            numbers=tuple(sorted(re.findall(r"\d+", key))),
            versions=frozenset(word for part in parts for word in _OTHER_SOUND.findall(fold(part))),
        )


class _Scored(NamedTuple):
    track: Track
    title: float  # 0..100
    artist: float | None  # None if it cannot be compared
    exact: float  # of the whole title, with its version
    sure: bool

    @property
    def total(self) -> float:
        return self.title + (self.artist or 0.0)

    @property
    def similar(self) -> bool:
        if self.artist is None:
            return self.title >= SURE_TITLE
        return self.title >= SIMILAR_TITLE and self.artist >= SIMILAR_ARTIST

    @property
    def rank(self) -> tuple[bool, bool, float, float, int]:
        artist = SIMILAR_ARTIST if self.artist is None else self.artist
        return self.sure, self.similar, self.title + artist, self.exact, -self.track.id


def match_song(names: Sequence[SongName], tracks: Iterable[Track]) -> SongMatch:
    """Return the track that one of the readings of a song's name means, or similar ones.

    A match is sure if title and artist are equal but for spelling and typos, both name the same
    part and the same kind of version, and no other song of the tracks matches as well. The title
    of a track without an artist is read like that of a page, because a file may have no tags.

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
    wanted = [_Keys.of(name) for name in names]
    scored = [
        max((_score(one, other, track) for one in wanted for other in _of_track(track)), key=_rank)
        for track in (tracks if wanted else ())
    ]
    ordered = sorted(scored, key=_rank, reverse=True)
    sure = [one for one in ordered if one.sure]
    if sure:
        best = sure[0]
        rivals = {_song(one.track) for one in sure if one.total >= best.total}
        if len(rivals) == 1:
            return SongMatch(best.track)
    similar: dict[tuple[str, str, str], Track] = {}
    for one in ordered:
        if one.sure or one.similar:
            similar.setdefault((*_song(one.track), fold(one.track.title[:_MAX_CHARS])), one.track)
    return SongMatch(None, tuple(similar.values())[:SIMILAR_SHOWN])


def _rank(one: _Scored) -> tuple[bool, bool, float, float, int]:
    return one.rank


def _of_track(track: Track) -> list[_Keys]:
    if artist_key(track.artist[:_MAX_CHARS]):
        return [_Keys.of(SongName(track.title, track.artist))]
    names = readings(track.title, uploader=True)[:_READINGS_OF_TRACK]
    return [_Keys.of(name) for name in names or (SongName(track.title),)]


def _song(track: Track) -> tuple[str, str]:
    return artist_key(track.artist[:_MAX_CHARS]), song_key(track.title[:_MAX_CHARS])


def _score(one: _Keys, other: _Keys, track: Track) -> _Scored:
    whole = _ratio(one.title, other.title)
    shortened = max(_ratio(a, b) for a in one.titles for b in other.titles)
    if one.translated or other.translated:  # then each of the two names is the title
        whole = max(whole, shortened)
    artist = _artist_ratio(one.artists, other.artists)
    sure = (
        artist is not None
        and artist >= SURE_ARTIST
        and whole >= SURE_TITLE
        and one.numbers == other.numbers
        and one.versions == other.versions
    )
    exact = fuzz.ratio(one.folded, other.folded)
    return _Scored(track, max(whole, shortened), artist, exact, sure)


def _title_names(title: str) -> tuple[str, ...]:
    outside = _BRACKETS.sub(" ", title)
    names = [_title_key(outside)] if fold(outside) else []
    if _is_translated(title):
        names += [_title_key(part) for part in _bracketed(title) if fold(part)]
    return tuple(names[:_MAX_NAMES]) or (_title_key(title),)


def _title_key(title: str) -> str:
    """Return the key of a title, with "Pt. II" as "part 2"."""
    return " ".join(_NUMERALS.get(word, word) for word in song_key(title).split())


def _is_translated(title: str) -> bool:
    """Return whether a name has another one in brackets, in another script."""
    outside = fold(_BRACKETS.sub(" ", title))
    inside = [fold(part) for part in _bracketed(title)] if outside else []
    foreign = bool(_NON_LATIN.search(outside))
    return any(part and bool(_NON_LATIN.search(part)) != foreign for part in inside)


def _bracketed(name: str) -> list[str]:
    """Return the first texts in brackets of a name."""
    return [part[1] for part in islice(_BRACKETS.finditer(name), _MAX_BRACKETS)]


def _artist_names(artist: str) -> tuple[str, ...]:
    outside = _BRACKETS.sub(" ", artist)
    inside = _bracketed(artist) if _is_translated(artist) else []
    texts = [artist, outside, *inside, *SEVERAL_ARTISTS.split(outside)]
    return tuple(dict.fromkeys(key for key in map(artist_key, texts) if key))[:_MAX_NAMES]


def _artist_ratio(names: tuple[str, ...], others: tuple[str, ...]) -> float | None:
    """Return the best ratio of the names of two artists; None if they cannot be compared."""
    if not names or not others:
        return None
    best = max(_ratio(a, b) for a in names for b in others)
    scripts = [{bool(_NON_LATIN.search(name)) for name in some} for some in (names, others)]
    if best < SIMILAR_ARTIST and scripts[0].isdisjoint(scripts[1]):
        return None  # the same name in two scripts has no letter in common
    return best


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
