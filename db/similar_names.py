"""Find tracks whose artist and title are similar to a song's name, with the full-text index."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Sequence

from db.connection import Database, SqlSession
from db.search_text import WordQuery, match_query, typo_query
from db.word_index import matching_ids
from genrec.names import artist_key, fold, song_key
from genrec.page_titles import SongName
from genrec.types import Track

MAX_MATCHES = 200  # of one query, whose best match is then found by comparing names
_MAX_WORDS = 12
_MAX_SIMILAR = 4  # readings that are searched with typos
_TRACKS = (
    "SELECT t.id, e.title, e.artist, e.genre, t.source, t.scope FROM json_each(?) AS matched"
    " CROSS JOIN entry AS e JOIN track AS t ON t.id = e.track_id WHERE e.generation_id = ?"
    " AND e.track_id = CAST(matched.value AS bigint) AND e.gone_at IS NULL"
)


async def similar_names(
    db: Database, model_id: str, scopes: Collection[str], names: Sequence[SongName]
) -> AsyncGenerator[list[Track], None]:
    """Yield tracks of the scopes with names like one of the readings ``names``.

    First come tracks with every word of artist and title. The next lists cost more: words with
    typos, then the title alone, then titles with one word more or less. The caller stops at a list
    with a match. Each query returns at most ``MAX_MATCHES`` tracks.
    """
    for queries in (_exact(names), _with_typos(names), _titles(names), _with_fewer_words(names)):
        async with db.snapshot() as session:
            active = await session.all(
                "SELECT id FROM generation WHERE state = 'active' AND model_id = ?"
                " AND scope IN (SELECT value FROM json_each(?))",
                (model_id, json.dumps(sorted(scopes))),
            )
            generations = [generation_id for (generation_id,) in active]
            found = await _matching(session, generations, queries)
        if found:
            yield found


def _exact(names: Iterable[SongName]) -> Iterator[WordQuery]:
    for name in names:
        if words := _words(artist_key(name.artist), song_key(name.title)):
            yield match_query(words)


def _with_typos(names: Sequence[SongName]) -> Iterator[WordQuery]:
    for name in names[:_MAX_SIMILAR]:
        if words := _words(artist_key(name.artist), song_key(name.title)):
            yield typo_query(words)


def _titles(names: Sequence[SongName]) -> Iterator[WordQuery]:
    for name in names[:_MAX_SIMILAR]:
        if title := _words(song_key(name.title)):
            yield match_query(title)
            yield typo_query(title)


def _with_fewer_words(names: Sequence[SongName]) -> Iterator[WordQuery]:
    """Yield queries without one word: a page may add one, or misspell a short one."""
    for name in names[:_MAX_SIMILAR]:
        artist, title = _words(artist_key(name.artist)), _words(song_key(name.title))
        words = [*artist, *title]
        for left_out in range(len(words) if len(words) > 2 else 0):
            yield typo_query([*words[:left_out], *words[left_out + 1 :]])


def _words(*texts: str) -> list[str]:
    return list(dict.fromkeys(word for text in texts for word in fold(text).split()))[:_MAX_WORDS]


async def _matching(
    session: SqlSession, generations: Iterable[int], queries: Iterable[WordQuery]
) -> list[Track]:
    wanted = list(dict.fromkeys(queries))
    found: dict[int, Track] = {}
    for generation_id in generations:
        ids: dict[int, None] = {}
        for query in wanted:
            ids |= dict.fromkeys(await matching_ids(session, generation_id, query, MAX_MATCHES))
        if ids:
            tracks = await session.all(_TRACKS, (json.dumps(list(ids)), generation_id))
            found |= {row[0]: Track(*row) for row in tracks}
    return list(found.values())
