"""Rank the names of tracks for a text that somebody is typing: artist and title in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from genrec.names import fold

MAX_TYPED = 100
MAX_WORDS = 12
# Edits that a word of so many letters may have: shorter words are too often other words.
_LETTERS_OF_ONE_EDIT, _LETTERS_OF_TWO_EDITS = 3, 8
_MAX_ALTERNATIVES = 8
_MAX_LETTERS = 40
_LEAST_SIMILAR = 75.0  # of two names, 0..100
_SAME = fuzz.token_sort_ratio
_DISTANCE: Any = OSA.distance  # its type hints do not fit those of process.extract


class NameFit(IntEnum):
    """Kinds of fit of a name to a typed text, the best first."""

    WHOLE = 0  # the title, or artist and title, is the text
    ARTIST = 1  # the artist is the text
    BEGINS = 2  # title or artist begins with the text, in whole words
    WHOLE_WORDS = 3  # each word of the text is a word of the name
    BEGINS_LONGER = 4  # title or artist begins with the text, whose last word goes on
    WORDS = 5  # each word of the text begins a word of the name
    PARTS = 6  # each word of the text is in the name
    TYPOS = 7  # words of the text are similar to words of the name


@dataclass(frozen=True, slots=True)
class NamedEntry:
    """A track's id and names; ``folded`` is the folded text of artist and title."""

    id: int
    title: str
    artist: str
    folded: str


@dataclass(frozen=True, slots=True, order=True)
class RankedName:
    """An entry with its fit; sorted by fit, then edits, then name."""

    fit: NameFit
    edits: int
    folded: str
    id: int
    entry: NamedEntry


def typed_words(text: str) -> list[str]:
    """Return the folded words of a typed text: at most 12 of its first 100 characters."""
    return fold(text[:MAX_TYPED]).split()[:MAX_WORDS]


def rank_names(
    words: Sequence[str], entries: Iterable[NamedEntry], similar: Sequence[Mapping[str, int]] = ()
) -> list[RankedName]:
    """Return the entries that fit the typed words, the best first.

    Parameters
    ----------
    words
        Of `typed_words`.
    entries
        Candidates; an id counts once.
    similar
        For each of ``words``, beginnings of words that it may stand for, with the number of edits.
        Without it, typos do not fit.

    Returns
    -------
    list of RankedName
        Entries that fit, sorted.
    """
    found = {}
    for entry in entries:
        if entry.id not in found and (ranked := _rank(words, entry, similar)) is not None:
            found[entry.id] = ranked
    return sorted(found.values())


def similar_words(
    word: str, whole: Iterable[str], beginnings: Iterable[str] = ()
) -> dict[str, int]:
    """Return words that a typed word with typos may stand for, with the number of edits.

    An edit is an added, missing or wrong letter, or two letters in the wrong order: the optimal
    string alignment distance (Damerau, "A technique for computer detection and correction of
    spelling errors", 1964).

    Parameters
    ----------
    word
        A folded word; one of fewer than 3 letters stands for itself only.
    whole
        Words to compare with.
    beginnings
        Words of which as many letters count as ``word`` has: it may be typed in part.

    Returns
    -------
    dict
        At most 8 words or beginnings, with 0 to 2 edits, the most similar first.
    """
    allowed = edits_allowed(word)
    if not allowed:
        return {}
    # With its last letters still missing, a word says too little for two edits.
    started = {other[: len(word)] for other in beginnings}
    found: dict[str, int] = {}
    for choices, most in ((whole, allowed), (started, 1)):
        for other, edits, _ in process.extract(
            word, choices, scorer=_DISTANCE, score_cutoff=most, limit=_MAX_ALTERNATIVES
        ):
            found.setdefault(other, int(edits))
    ordered = sorted(found.items(), key=lambda item: (item[1], item[0]))
    return dict(ordered[:_MAX_ALTERNATIVES])


def edits_allowed(word: str) -> int:
    """Return how many typos a word may have: 0, 1 or 2."""
    if not _LETTERS_OF_ONE_EDIT <= len(word) <= _MAX_LETTERS:
        return 0
    return 2 if len(word) >= _LETTERS_OF_TWO_EDITS else 1


def are_similar(one: str, other: str) -> bool:
    """Return whether two names are so alike that one may be the other with typos."""
    return bool(_SAME(fold(one), fold(other)) >= _LEAST_SIMILAR)


def likeness(words: Sequence[str], entry: NamedEntry) -> float:
    """Return how much of a typed text is in a name, 0..100, in any order and with typos."""
    typed = " ".join(words)
    title = _title(entry)
    return max(_SAME(typed, entry.folded), _SAME(typed, title), _SAME(typed, _artist(entry.artist)))


def _rank(
    words: Sequence[str], entry: NamedEntry, similar: Sequence[Mapping[str, int]]
) -> RankedName | None:
    fit, edits = _fit(words, entry), 0
    if fit is None and similar:
        counted = _edits(words, entry.folded.split(), similar)
        if counted is not None:
            fit, edits = NameFit.TYPOS, counted
    return None if fit is None else RankedName(fit, edits, entry.folded, entry.id, entry)


def _fit(words: Sequence[str], entry: NamedEntry) -> NameFit | None:
    text, folded = " ".join(words), entry.folded
    spaced = f" {folded} "
    whole = all(f" {word} " in spaced for word in words)
    if f" {words[0]}" in folded or folded.startswith((text, f"the {text}")):
        title, artist = _title(entry), _artist(entry.artist)
        if text in (title, folded, f"{title} {artist}", f"{title} by {artist}"):
            return NameFit.WHOLE
        short = artist.removeprefix("the ")
        if short != artist and text in (f"{short} {title}", f"{title} {short}"):
            return NameFit.WHOLE
        if text in (artist, short):
            return NameFit.ARTIST
        if any(
            name.startswith(text)
            for name in (folded, f"{title} {artist}", f"{short} {title}", f"{title} {short}")
        ):
            return NameFit.BEGINS if whole else NameFit.BEGINS_LONGER
    if whole:
        return NameFit.WHOLE_WORDS
    if all(f" {word}" in spaced for word in words):
        return NameFit.WORDS
    return NameFit.PARTS if all(word in folded for word in words) else None


def _edits(
    words: Sequence[str], of_name: Sequence[str], similar: Sequence[Mapping[str, int]]
) -> int | None:
    """Return the least number of edits that make each word begin a word of a name, or None."""
    total = 0
    for word, others in zip(words, similar, strict=True):
        costs = [edits for other, edits in others.items() if _begins(other, of_name)]
        if _begins(word, of_name):
            costs.append(0)
        if not costs:
            return None
        total += min(costs)
    return total


def _begins(word: str, of_name: Sequence[str]) -> bool:
    return any(other.startswith(word) for other in of_name)


def _title(entry: NamedEntry) -> str:
    artist = _artist(entry.artist)
    if artist and entry.folded.startswith(f"{artist} "):
        return entry.folded[len(artist) + 1 :]
    return fold(entry.title)


@lru_cache(maxsize=4096)
def _artist(name: str) -> str:
    return fold(name)
