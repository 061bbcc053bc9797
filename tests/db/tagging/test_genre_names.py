"""Names of genres in a tag: separators, numbers of ID3, and spellings."""

from __future__ import annotations

import pytest

from db.tagging.genre_names import ID3_GENRES, MAX_NAMES, genre_key, genre_names, usual_spelling


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("Rock", ("Rock",)),
        ("Rock; Indie", ("Rock", "Indie")),
        ("Electronic/Techno", ("Electronic", "Techno")),
        ("Post-Rock, Shoegaze", ("Post-Rock", "Shoegaze")),
        ("Trip-Hop | Downtempo", ("Trip-Hop", "Downtempo")),
        ("Nu Metal\\Rock", ("Nu Metal", "Rock")),
        ("Rock\x00Indie", ("Rock", "Indie")),
        ("Rock - Indie", ("Rock", "Indie")),
        ("(17)", ("Rock",)),
        ("(17)(6)", ("Rock", "Grunge")),
        ("(17)Punk Rock", ("Rock", "Punk Rock")),
        ("52", ("Electronic",)),
        ("Slowcore; (26)", ("Slowcore", "Ambient")),
        ("(RX)", ()),
        ("(250)", ()),
        ("rock / ROCK / Rock", ("rock",)),
        ("  Dream   Pop ", ("Dream Pop",)),
        ("ＳＫＡ", ("SKA",)),
        ("ロック", ("ロック",)),
        ("Música Popular", ("Música Popular",)),
    ],
)
def test_names_in_a_tag(tag: str, names: tuple[str, ...]) -> None:
    assert genre_names(tag) == names


@pytest.mark.parametrize(
    "name", ["Drum & Bass", "R&B", "Rock & Roll", "Hip-Hop", "Singer/Songwriter", "Synth-pop"]
)
def test_name_that_looks_like_several_is_one(name: str) -> None:
    assert genre_names(name) == (name,)


@pytest.mark.parametrize("tag", ["", "Unknown", "unknown genre", "Other", "1999", "?", "(CR)", "-"])
def test_words_that_name_no_genre_are_left_out(tag: str) -> None:
    assert genre_names(tag) == ()


def test_tag_has_a_limit_of_names_and_letters() -> None:
    assert len(genre_names("; ".join(f"genre {n}" for n in "abcdefghij"))) == MAX_NAMES
    assert len(genre_names("x" * 500)[0]) == 60


def test_key_is_shared_by_spellings() -> None:
    assert genre_key("Synth-Pop") == genre_key("synth pop") == genre_key("SYNTHPOP")
    assert genre_key("Música") == genre_key("musica")


def test_usual_spelling_is_the_most_frequent_and_then_the_first() -> None:
    assert usual_spelling(["dub", "Dub", "Dub"]) == "Dub"
    assert usual_spelling(["dub", "Dub"]) == "dub"


def test_numbers_of_id3_are_in_order() -> None:
    assert (ID3_GENRES[0], ID3_GENRES[17], ID3_GENRES[80]) == ("Blues", "Rock", "Folk")
