"""The words in the names of a model's tracks, to compare them with a word that has typos."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from db.tracks import Catalogue
from genrec.typed_names import edits_allowed, similar_words

_PAGE = 5_000
_PAGE_OF = (
    "SELECT track_id, folded FROM entry WHERE generation_id = ? AND track_id > ?"
    " ORDER BY track_id LIMIT ?"
)
_OF_TRACKS = (
    "SELECT e.track_id, e.folded FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " WHERE g.state = 'active' AND g.model_id = ?"
    " AND e.track_id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
)
_MIN_PART, _MAX_SPLITS = 2, 4
_MAX_LETTERS = 40  # longer ones are no words that somebody types


class NameWords:
    """Words by length and first letter, read when they are first needed.

    A later call adds the words of new tracks. Words of removed tracks stay until the catalogue is
    indexed again: they lead to no track.
    """

    def __init__(self, catalogue: Catalogue, model_id: str) -> None:
        self._catalogue = catalogue
        self._model_id = model_id
        self._revision = -1
        self._by_length: dict[int, set[str]] = defaultdict(set)
        self._by_letter: dict[str, set[str]] = defaultdict(set)
        self._lock = asyncio.Lock()

    async def similar(self, words: Sequence[str], *, loosely: bool = False) -> list[dict[str, int]]:
        """Return for each word those it may stand for, with the number of edits.

        The last word may be typed in part; ``loosely``, every word may.
        """
        if not any(map(edits_allowed, words)):
            return [{} for _ in words]
        await self._update()
        last = len(words) - 1

        def compare() -> list[dict[str, int]]:
            return [
                similar_words(
                    word,
                    self._as_long_as(word),
                    self._beginning_like(word) if loosely or place == last else (),
                )
                for place, word in enumerate(words)
            ]

        return await asyncio.to_thread(compare)

    async def splits(self, words: Sequence[str]) -> list[list[str]]:
        """Return the texts in which one of the words is two words of names: "acdc" is "ac dc"."""
        await self._update()
        return [
            [*words[:place], word[:cut], word[cut:], *words[place + 1 :]]
            for place, word in enumerate(words)
            for cut in range(_MIN_PART, min(len(word), _MAX_LETTERS) - _MIN_PART + 1)
            if self._has(word[:cut]) and self._has(word[cut:])
        ][:_MAX_SPLITS]

    def _has(self, word: str) -> bool:
        return word in self._by_length.get(len(word), ())

    def _as_long_as(self, word: str) -> Iterable[str]:
        edits = edits_allowed(word)
        lengths = range(len(word) - edits, len(word) + edits + 1)
        return [other for length in lengths for other in tuple(self._by_length.get(length, ()))]

    def _beginning_like(self, word: str) -> Iterable[str]:
        """Yield longer words that begin with the first or the second letter of ``word``."""
        if not edits_allowed(word):
            return
        for letter in dict.fromkeys(word[:2]):
            for other in tuple(self._by_letter.get(letter, ())):
                if len(other) > len(word):
                    yield other

    async def _update(self) -> None:
        async with self._lock:
            revision = await self._catalogue.revision()
            if revision == self._revision:
                return
            ids: Sequence[int] | None = None
            if self._revision >= 0:
                changes = await self._catalogue.changes_since(self._model_id, self._revision)
                revision = changes.revision
                ids = None if changes.reload else changes.put
            if ids is None:
                self._by_length.clear()
                self._by_letter.clear()
                await self._read_all()
            else:
                for start in range(0, len(ids), _PAGE):
                    rows = await self._catalogue.db.all(
                        _OF_TRACKS, (self._model_id, json.dumps(ids[start : start + _PAGE]))
                    )
                    await asyncio.to_thread(self._add, rows)
            self._revision = revision

    async def _read_all(self) -> None:
        active = await self._catalogue.db.all(
            "SELECT id FROM generation WHERE state = 'active' AND model_id = ?", (self._model_id,)
        )
        for (generation_id,) in active:
            last = 0
            while rows := await self._catalogue.db.all(_PAGE_OF, (generation_id, last, _PAGE)):
                await asyncio.to_thread(self._add, rows)
                last = rows[-1][0]

    def _add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for word in {word for _, folded in rows for word in folded.split()}:
            if len(word) <= _MAX_LETTERS:
                self._by_length[len(word)].add(word)
                self._by_letter[word[0]].add(word)
