"""Keys are equal for spellings and versions, and different for different artists and songs."""

from __future__ import annotations

import pytest

from genrec.names import artist_key, fold, song_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Beatles", "beatles"),
        ("Beatles, The", "The Beatles"),
        ("Beyoncé", "BEYONCE"),
        ("Sigur Rós", "Sigur Ros"),
        ("Mötley Crüe", "Motley Crue"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Jay-Z feat. Alicia Keys", "JAY Z"),
        ("Rihanna (ft. Drake)", "Rihanna"),
        ("Guns N' Roses", "Guns N Roses"),
        ("Røyksopp", "Royksopp"),
        ("\uff21\uff22\uff22\uff21", "ABBA"),
        ("Unknown Artist", ""),
        ("Various Artists", "Unknown artist"),
    ],
)
def test_artist_key_is_equal_for_spellings(one: str, other: str) -> None:
    assert artist_key(one) == artist_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The The", "Unknown artist"),
        ("!!!", "???"),
        ("!!!", ""),
        ("がく", "かく"),
        ("Prince", "Prince Paul"),
    ],
)
def test_artist_key_differs_between_artists(one: str, other: str) -> None:
    assert artist_key(one) != artist_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Help!", "Help! (Remastered 2009)"),
        ("Help!", "Help! - Remastered 2009"),
        ("My Generation", "My Generation - Live at Leeds - 2001 Remaster"),
        ("My Generation", "My Generation (live)"),
        ("Blue Monday", 'Blue Monday [12" Mix]'),
        ("Crazy in Love", "Crazy In Love (feat. Jay-Z)"),
        ("Crazy in Love", "Crazy in Love ft. Jay-Z"),
        ("Voyage", "Voyagé"),
        ("Rock 'n' Roll", "Rock n Roll"),
        ("Layla", "Layla (Acoustic Version) [Bonus Track]"),
    ],
)
def test_song_key_is_equal_for_versions(one: str, other: str) -> None:
    assert song_key(one) == song_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(I Can't Get No) Satisfaction", "Satisfaction"),
        ("Another Brick in the Wall, Part 1", "Another Brick in the Wall, Part 2"),
        ("Live Forever", "Forever"),
        ("Live and Let Die", "Let Die"),
        ("Heroes - Live Wire", "Heroes"),
        ("???", "!!!"),
    ],
)
def test_song_key_differs_between_songs(one: str, other: str) -> None:
    assert song_key(one) != song_key(other)


@pytest.mark.parametrize("title", ["(Live)", "- Remastered", "Demo", "...", "feat. nobody"])
def test_song_key_of_a_title_that_is_only_a_note_is_not_empty(title: str) -> None:
    assert song_key(title) != ""


def test_fold_keeps_words_only() -> None:
    assert fold("  AC/DC — Back_in  Black! ") == "ac dc back in black"
    assert fold("東京事変") == "東京事変"
