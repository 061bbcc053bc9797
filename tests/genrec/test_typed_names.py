"""Ranking of names for a text that is being typed."""

from __future__ import annotations

import pytest

from genrec.names import fold
from genrec.typed_names import (
    MAX_TYPED,
    MAX_WORDS,
    NamedEntry,
    NameFit,
    edits_allowed,
    likeness,
    rank_names,
    similar_words,
    typed_words,
)


def entry(artist: str, title: str, number: int = 1) -> NamedEntry:
    return NamedEntry(number, title, artist, fold(f"{artist} {title}"))


BEATLES = entry("The Beatles", "Come Together")


@pytest.mark.parametrize(
    ("typed", "fit"),
    [
        ("come together", NameFit.WHOLE),
        ("the beatles come together", NameFit.WHOLE),
        ("Come Together - The Beatles", NameFit.WHOLE),
        ("come together by the beatles", NameFit.WHOLE),
        ("Beatles: Come Together", NameFit.WHOLE),
        ("beatles", NameFit.ARTIST),
        ("THE BEATLES", NameFit.ARTIST),
        ("come to", NameFit.BEGINS_LONGER),
        ("beatl", NameFit.BEGINS_LONGER),
        ("the beatles come", NameFit.BEGINS),
        ("together", NameFit.WHOLE_WORDS),
        ("together b", NameFit.WORDS),
        ("gether eatl", NameFit.PARTS),
        ("beatels", None),
        ("beatles hey jude", None),
    ],
)
def test_fit_of_a_name(typed: str, fit: NameFit | None) -> None:
    ranked = rank_names(typed_words(typed), [BEATLES])
    assert [each.fit for each in ranked] == ([] if fit is None else [fit])


def test_names_are_ordered_by_fit_then_edits_then_name() -> None:
    entries = [
        entry("A", "Glove", 1),
        entry("B", "Big Love", 2),
        entry("C", "Love Song", 3),
        entry("D", "Love", 4),
        entry("Love", "Hello", 5),
        entry("E", "Loev", 6),
        entry("A", "Love Song", 7),
        entry("F", "Lov Me", 8),
    ]
    similar = [{"loev": 1, "lov": 1}]
    ranked = rank_names(typed_words("love"), [*entries, *entries], similar)
    assert [each.id for each in ranked] == [4, 5, 7, 3, 2, 1, 6, 8]


def test_fewer_edits_come_first() -> None:
    entries = [entry("A", "Beadles"), entry("B", "Beatles", 2)]
    ranked = rank_names(["beatels"], entries, [{"beadles": 2, "beatles": 1}])
    assert [(each.edits, each.id) for each in ranked] == [(1, 2), (2, 1)]


def test_a_word_without_a_similar_one_does_not_fit() -> None:
    assert not rank_names(["beatels", "jude"], [BEATLES], [{"beatles": 1}, {}])


@pytest.mark.parametrize(
    ("word", "other", "edits"),
    [
        ("beatels", "beatles", 1),  # swapped
        ("beetles", "beatles", 1),  # wrong
        ("beatle", "beatles", 1),  # missing
        ("beattles", "beatles", 1),  # too many
        ("ebatles", "beatles", 1),
        ("спокйоная", "спокойная", 1),
        ("rapsodie", "rhapsody", None),
        ("rhapsodie", "rhapsody", 2),
        ("on", "no", None),  # too short for a typo
    ],
)
def test_similar_words(word: str, other: str, edits: int | None) -> None:
    assert similar_words(word, [other, "zanzibar"]) == ({} if edits is None else {other: edits})


def test_a_word_typed_in_part_is_similar_to_a_beginning() -> None:
    assert similar_words("bohmei", [], ["bohemian", "zanzibar"]) == {"bohemi": 1}


def test_at_most_eight_words_are_similar() -> None:
    others = [f"lov{letter}" for letter in "abcdefghijklm"]
    assert len(similar_words("love", others)) == 8


def test_typed_text_is_cut() -> None:
    assert typed_words("Ünder  the-Bridge!") == ["under", "the", "bridge"]
    assert typed_words(" !?") == []
    assert len(typed_words("a b " * 40)) == MAX_WORDS
    assert sum(map(len, typed_words("x" * 10_000))) == MAX_TYPED
    assert edits_allowed("x" * 100) == 0


def test_likeness_counts_title_artist_and_both() -> None:
    for typed in ("come together", "beatles the", "together come beatles the"):
        assert likeness(typed_words(typed), BEATLES) == 100
    assert likeness(["zanzibar"], BEATLES) < 50
