"""List and count the tracks of generations, sorted by artist and title, at a cost that is bounded.

Words come from the full-text index. Few matches are sorted. Of a common word there are more, so
tracks are read in sorted order until enough of them match. Without words, tracks are read in order.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

from db.connection import SqlSession
from db.search_text import like_filter, match_query
from db.word_index import matching_ids
from genrec.types import Track

# Most matches that are read and sorted; above, a twentieth of 100,000 tracks matches.
MAX_SORTED = 5_000
_COLUMNS = "SELECT e.folded, t.id, t.id, e.title, e.artist, e.genre, t.source, t.scope"
_TRACK = " JOIN track AS t ON t.id = e.track_id"
# CROSS JOIN: SQLite would rather read all entries in sorted order than sort the matches.
_OF_IDS = (
    f"{_COLUMNS} FROM json_each(?) AS matched CROSS JOIN entry AS e{_TRACK}"
    " WHERE e.generation_id = ? AND e.track_id = CAST(matched.value AS bigint)"
    " AND e.gone_at IS NULL"
)
_IN_ORDER = f"{_COLUMNS} FROM entry AS e{_TRACK} WHERE e.generation_id = ? AND e.gone_at IS NULL"


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a sorted list: ``limit`` tracks from ``offset`` on, or beside a track.

    ``beside`` is the (folded name, id) of the track before the page, or with ``backwards`` of the
    track after it. This costs less than an ``offset`` far down the list.
    """

    limit: int
    offset: int = 0
    beside: tuple[str, int] | None = None
    backwards: bool = False


async def browse_generations(
    session: SqlSession, generation_ids: list[int], words: list[str], page: Page
) -> list[Track]:
    """Return a page of the tracks with all of the folded words."""
    if len(generation_ids) == 1:
        rows = await _rows(session, generation_ids[0], words, page)
    else:
        first = replace(page, limit=page.limit + page.offset, offset=0)
        lists = [await _rows(session, one, words, first) for one in generation_ids]
        merged = heapq.merge(*lists, key=itemgetter(0, 1), reverse=page.backwards)
        rows = list(islice(merged, page.offset, page.offset + page.limit))
    if page.backwards:
        rows.reverse()
    return [Track(*row[2:]) for row in rows]


async def _rows(
    session: SqlSession, generation_id: int, words: list[str], page: Page
) -> list[tuple[Any, ...]]:
    compare, down = ("<", " DESC") if page.backwards else (">", "")
    beside = f" AND (e.folded, e.track_id) {compare} (?, ?)" if page.beside else ""
    order = f"{beside} ORDER BY e.folded{down}, e.track_id{down} LIMIT ? OFFSET ?"
    end = (*(page.beside or ()), page.limit, page.offset)
    if words:
        ids = await matching_ids(session, generation_id, match_query(words), MAX_SORTED + 1)
        if len(ids) <= MAX_SORTED:
            return await session.all(f"{_OF_IDS}{order}", (json.dumps(ids), generation_id, *end))
    condition, parameters = like_filter(words)
    return await session.all(f"{_IN_ORDER}{condition}{order}", (generation_id, *parameters, *end))
