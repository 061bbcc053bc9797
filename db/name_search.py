"""Find tracks by a name that somebody types: beginnings of words, parts of words, words with typos.

The sorted names have those that begin with the text, and the full-text index has those with every
word. A word with typos is compared with the words of all names (see `NameWords`), and the index
then finds the tracks with a similar word.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace

from db.connection import SqlSession
from db.name_words import NameWords
from db.search_text import WordQuery, beginnings_query, match_query
from db.tracks import Catalogue
from db.word_index import matching_ids
from genrec.typed_names import (
    NamedEntry,
    NameFit,
    RankedName,
    likeness,
    rank_names,
    typed_words,
)

# Entries of one query whose names are compared. A common word has more; then its oldest count.
MAX_COMPARED = 1_500
_ENOUGH = 10  # fits without typos; with fewer, words with typos are searched too
_LEAST_LIKE = 55.0  # of a near name, 0..100
_TELLING_LETTERS = 4  # shorter words, such as "of", make no two names near; numbers do
_LAST = "\U0010ffff"
_ENTRY = "SELECT e.track_id, e.title, e.artist, e.folded FROM"
_OF_IDS = (
    f"{_ENTRY} json_each(?) AS matched CROSS JOIN entry AS e WHERE e.generation_id = ?"
    " AND e.track_id = CAST(matched.value AS bigint) AND e.gone_at IS NULL"
)
_BEGINNING = (
    f"{_ENTRY} entry AS e WHERE e.generation_id = ? AND e.folded >= ? AND e.folded < ?"
    " AND e.gone_at IS NULL ORDER BY e.folded, e.track_id LIMIT ?"
)


class NameSearch:
    """Finds tracks of a model by typed names; the words of all names are kept in memory."""

    def __init__(self, catalogue: Catalogue, model_id: str) -> None:
        self._catalogue = catalogue
        self._model_id = model_id
        self._words = NameWords(catalogue, model_id)

    async def complete(
        self, typed: str, scopes: Collection[str], *, limit: int = 25
    ) -> list[RankedName]:
        """Return the tracks of the scopes whose names fit a typed text, the best first.

        Without a word, these are the first tracks by name.
        """
        words = typed_words(typed)
        async with self._catalogue.db.snapshot() as session:
            active = await _generations(session, self._model_id, scopes)
            found = [
                entry
                for generation_id in active
                async for entry in _with_words(session, generation_id, words, limit)
            ]
        if not words:
            ordered = sorted(found, key=lambda entry: (entry.folded, entry.id))[:limit]
            return [RankedName(NameFit.BEGINS, 0, e.folded, e.id, e) for e in ordered]
        ranked = await asyncio.to_thread(rank_names, words, found)
        if len(ranked) < _ENOUGH:
            ranked += await self._with_typos(words, active, {each.id for each in ranked})
        return ranked[:limit]

    async def near(
        self, typed: str, scopes: Collection[str], *, limit: int = 5
    ) -> list[NamedEntry]:
        """Return the tracks whose names are most like a typed text, though no name fits it."""
        words = typed_words(typed)
        if not words:
            return []
        similar = await self._words.similar(words, loosely=True)
        groups = [[word, *others] for word, others in zip(words, similar, strict=True)]
        telling = [one for one in groups if len(one[0]) >= _TELLING_LETTERS or one[0].isdecimal()]
        groups = telling or groups
        query = beginnings_query([[word for group in groups for word in group]])
        found: list[NamedEntry] = []
        async with self._catalogue.db.snapshot() as session:
            for generation_id in await _generations(session, self._model_id, scopes):
                found += await _matching(session, generation_id, query)

        def most_like() -> list[NamedEntry]:
            scored = [(likeness(words, entry), entry) for entry in found]
            best = sorted(scored, key=lambda one: (-one[0], one[1].folded, one[1].id))
            return [entry for score, entry in best[:limit] if score >= _LEAST_LIKE]

        return await asyncio.to_thread(most_like)

    async def _with_typos(
        self, words: Sequence[str], active: Iterable[int], known: Collection[int]
    ) -> list[RankedName]:
        similar = await self._words.similar(words)
        others = [dict.fromkeys((word, *o)) for word, o in zip(words, similar, strict=True)]
        splits = await self._words.splits(words)
        queries = [beginnings_query([[word] for word in split]) for split in splits]
        if any(similar):
            queries.append(beginnings_query(others))
        found: list[list[NamedEntry]] = []
        async with self._catalogue.db.snapshot() as session:
            for query in queries:
                lists = [await _matching(session, one, query) for one in active]
                found.append([each for some in lists for each in some if each.id not in known])

        def rank() -> list[RankedName]:
            ranked: dict[int, RankedName] = {}
            for split, entries in zip(splits, found, strict=False):
                for each in rank_names(split, entries):
                    ranked.setdefault(each.id, replace(each, fit=NameFit.TYPOS, edits=1))
            if any(similar):
                for each in rank_names(words, found[-1], similar):
                    ranked.setdefault(each.id, each)
            return sorted(ranked.values())

        return await asyncio.to_thread(rank)


async def _generations(session: SqlSession, model_id: str, scopes: Collection[str]) -> list[int]:
    rows = await session.all(
        "SELECT id FROM generation WHERE state = 'active' AND model_id = ?"
        " AND scope IN (SELECT value FROM json_each(?))",
        (model_id, json.dumps(sorted(scopes))),
    )
    return [generation_id for (generation_id,) in rows]


async def _with_words(
    session: SqlSession, generation_id: int, words: Sequence[str], limit: int
) -> AsyncIterator[NamedEntry]:
    """Yield entries with every word: those that begin with the text, and matches of the index."""
    text = " ".join(words)
    rows = await session.all(_BEGINNING, (generation_id, text, text + _LAST, limit))
    for row in rows:
        yield NamedEntry(*row)
    if not words:
        return
    beginning = await _matching(session, generation_id, beginnings_query([w] for w in words))
    for entry in beginning:
        yield entry
    if len(beginning) < _ENOUGH:
        for entry in await _matching(session, generation_id, match_query(list(words))):
            yield entry


async def _matching(session: SqlSession, generation_id: int, query: WordQuery) -> list[NamedEntry]:
    ids = await matching_ids(session, generation_id, query, MAX_COMPARED)
    if not ids:
        return []
    found = await session.all(_OF_IDS, (json.dumps(ids), generation_id))
    return [NamedEntry(*row) for row in found]
