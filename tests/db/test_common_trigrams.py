"""Tests of the choice of trigrams that PostgreSQL's index of names is asked for."""

from __future__ import annotations

import random

import pytest

from db import word_index
from db.common_trigrams import TrigramShares, trigram_shares
from db.connection import open_db
from db.postgres import PostgresDatabase
from db.search_text import match_query, search_text, typo_query
from db.tracks import Catalogue
from db.word_index import count_matching, matching_ids
from tests.db.costs import RARE, fill_catalogue
from tests.db.fakes import MODEL, new_track

SHARES = TrigramShares({"son": 1.0, "ong": 1.0, "000": 0.3, "007": 0.1}, 0.0005)
NAMES = ("sun song", "song of the sun", "sunny", "soon gone", "the sons", "ng so", "song song")
QUERIES = (
    match_query(["song"]), match_query(["sun", "song"]), match_query(["so", "n"]),
    match_query(["ong", "sun", "the"]), typo_query(["sonq", "sun"]), typo_query(["sunny", "song"]),
)  # fmt: skip


def test_trigram_of_every_text_is_left_out_beside_a_rarer_one() -> None:
    assert SHARES.telling("song 007") == [" 00", "g 0", "ng "]
    assert SHARES.telling("0007") == ["007", "000"]
    assert SHARES.telling("song") == ["ong", "son"]


def test_common_word_is_not_looked_up_beside_a_rare_one() -> None:
    assert SHARES.looked_up(match_query(["song", "007"])) == [False, True]
    assert SHARES.looked_up(match_query(["zanzibar", "song"])) == [True, False]
    assert SHARES.looked_up(match_query(["zanzibar", "quartet"])) == [True, True]


def test_common_words_alone_are_looked_up_once() -> None:
    assert SHARES.looked_up(match_query(["song"])) == [True]
    assert SHARES.looked_up(match_query(["song", "song"])) == [True, False]


def test_part_is_as_common_as_its_alternatives_together() -> None:
    assert SHARES.looked_up((("007", "song"), ("zanzibar",))) == [False, True]


async def test_found_texts_do_not_depend_on_the_statistics(
    postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(3)
    letters = sorted({text[at : at + 3] for text in map(search_text, NAMES) for at in range(20)})
    tables = [
        TrigramShares({one: chance.random() ** 4 for one in letters}, 0.001) for _ in range(12)
    ]
    found: list[list[list[int]]] = []
    async with open_db(":memory:") as lite, open_db(postgres_address) as db:
        for each in (lite, db):
            tracks = [new_track(n, artist="a", title=title) for n, title in enumerate(NAMES)]
            await Catalogue(each).add("library", MODEL, tracks)
            async with each.snapshot() as session:
                for shares in tables if each is db else tables[:1]:

                    async def given(_: object, shares: TrigramShares = shares) -> TrigramShares:
                        return shares

                    monkeypatch.setattr(word_index, "trigram_shares", given)
                    found.append([await matching_ids(session, 1, query, 9) for query in QUERIES])
                    counts = [await count_matching(session, 1, query) for query in QUERIES]
                    assert counts == [len(ids) for ids in found[-1]]
    assert [len(ids) for ids in found[0]] == [3, 2, 1, 1, 2, 2]
    assert all(each == found[0] for each in found)


async def test_index_is_asked_for_the_rare_word_only(postgres_address: str) -> None:
    async with open_db(postgres_address) as db:
        assert isinstance(db, PostgresDatabase)
        await fill_catalogue(db, 3_000)  # with ANALYZE
        async with db.snapshot() as session:
            shares = await trigram_shares(session)
            assert shares.common["son"] == pytest.approx(1.0)
            assert 0 < shares.other < 0.01
            assert await trigram_shares(session) is shares
            query = match_query(["song", RARE])
            assert shares.looked_up(query) == [False, True]
            condition, parameters = await word_index._condition(session, query)
            plan = await session.all(
                f"EXPLAIN SELECT w.track_id FROM entry_words AS w WHERE {condition}", parameters
            )
        (looked,) = [line for (line,) in plan if "Index Cond" in line]
        assert "zan" in looked
        assert "son" not in looked
