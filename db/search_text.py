"""Text of a full-text index of trigrams: substrings in any script, and beginnings of words.

A trigram index finds texts of three letters and more. So each word is indexed after two spaces,
which makes trigrams of its first letter and of its first two. Scripts that are written without
spaces get two spaces before each letter, so that any part of their words is found.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

import aiosqlite

from genrec.names import artist_key

# Thai, Lao, Myanmar, Khmer, kana, ideographs; Hangul syllables carry as much as ideographs.
_WITHOUT_SPACES = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)
_MIN_SUBSTRING = 3
WordQuery = tuple[tuple[str, ...], ...]
"""Parts of indexed texts: a text is found that has one part of each group."""


def search_text(folded: str) -> str:
    """Return the indexed form of a text of ``genrec.names.fold``."""
    words = (_WITHOUT_SPACES.sub(r"  \1", f"  {word}") for word in folded.split())
    return " ".join(word.rstrip() for word in words)


def match_query(words: Iterable[str]) -> WordQuery:
    """Return the query for texts with all of these folded words."""
    return tuple((_phrase(word),) for word in words)


def beginnings_query(words: Iterable[Iterable[str]]) -> WordQuery:
    """Return the query for texts in which a word begins with one of each group's words."""
    return tuple(tuple(map(_beginning, group)) for group in words)


def typo_query(words: list[str]) -> WordQuery:
    """Return the query for texts with similar words: each shares a part with its word.

    A word's first two letters and its halves count as parts, so one typo in each word is found.
    Short words say little and are left out, if there is a longer one.
    """
    longer = [word for word in words if not _is_prefix(word)] or words
    return tuple(map(_parts, longer))


def like_filter(words: list[str]) -> tuple[str, list[str]]:
    """Return the SQL condition and parameters for the same texts, to filter rows ``e``."""
    condition, parameters = "", []
    for word in words:
        if _is_prefix(word):
            condition += " AND instr(' ' || e.folded, ?) > 0"
            parameters.append(f" {word}")
        else:
            condition += " AND instr(e.folded, ?) > 0"
            parameters.append(word)
    return condition, parameters


async def register_functions(connection: aiosqlite.Connection) -> None:
    """Add the functions of the migrations to a connection."""
    for name, function in _FUNCTIONS.items():
        await connection.create_function(name, 1, function, deterministic=True)


def register_functions_sync(connection: sqlite3.Connection) -> None:
    """Add the functions of the migrations to a connection of sqlite3."""
    for name, function in _FUNCTIONS.items():
        connection.create_function(name, 1, function, deterministic=True)


def _phrase(word: str) -> str:
    spaced = _WITHOUT_SPACES.sub(r"  \1", word)
    return f"  {spaced}" if _is_prefix(word) else spaced


def _beginning(word: str) -> str:
    spaced = _WITHOUT_SPACES.sub(r"  \1", word)
    return spaced if spaced.startswith(" ") else f"  {spaced}"


def _parts(word: str) -> tuple[str, ...]:
    half = len(word) // 2
    if _WITHOUT_SPACES.search(word):
        parts = [word] if half < 1 else [word[:half], word[half:]]
    else:
        parts = [word[:2]]
        if half >= _MIN_SUBSTRING:
            parts += [word[:half], word[half:]]
        elif len(word) > _MIN_SUBSTRING:
            parts.append(word[-_MIN_SUBSTRING:])
    return tuple(map(_phrase, parts))


def _is_prefix(word: str) -> bool:
    return len(word) < _MIN_SUBSTRING and not _WITHOUT_SPACES.search(word)


_FUNCTIONS = {"artist_key": artist_key, "search_text": search_text}
