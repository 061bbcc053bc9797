"""Names of songs, matched to the tracks of a catalogue."""

from __future__ import annotations

import time

import pytest

from genrec.page_titles import SongName, readings
from genrec.song_match import SIMILAR_SHOWN, match_song
from genrec.types import Track


def track(artist: str, title: str, number: int = 1) -> Track:
    return Track(number, title, artist, "rock", "", "library")


# The name of a link, the name in the catalogue.
SURE = [
    (("Some Band", "A Song"), ("Some Band", "A Song")),
    (("some band", "a song"), ("SOME BAND", "A SONG")),
    (("The Some Band", "A Song"), ("Some Band, The", "A Song")),
    (("Some Band", "A Song (Remastered 2011)"), ("Some Band", "A Song")),
    (("Some Band", "A Song"), ("Some Band", "A Song - 2009 Remaster")),
    (("Some Band", "A Song - Radio Edit"), ("Some Band", "A Song")),
    (("Some Band", "A Song (feat. Guest)"), ("Some Band", "A Song")),
    (("Some Band feat. Guest", "A Song"), ("Some Band", "A Song (ft. Guest)")),
    (("Some Band & Guest", "A Song"), ("Some Band", "A Song")),
    (("Some Band, Guest", "A Song"), ("Some Band", "A Song")),
    (("Guest x Some Band", "A Song"), ("Some Band", "A Song")),
    (("Sóme Bánd", "Ä Söng"), ("Some Band", "A Song")),
    (("Some Band", "Dont Stop Believin"), ("Some Band", "Don’t Stop Believin'")),
    (("SomeBand", "A Song"), ("Some Band", "A Song")),
    (("Some Bnad", "Another Long Song"), ("Some Band", "Another Long Song")),
    (("Some Band", "Another Lnog Song"), ("Some Band", "Another Long Song")),
    (("Rock & Roll Band", "Me and You"), ("Rock and Roll Band", "Me & You")),
    (("Band (밴드)", "Song Name"), ("밴드", "Song Name")),
    (("バンド", "歌う人 (Singing Person)"), ("バンド", "歌う人")),
    (("バンド", "歌う人 (Singing Person)"), ("バンド", "Singing Person")),
    (("Группа", "Песня"), ("ГРУППА", "песня")),
    (("Some Band", "Part II"), ("Some Band", "Part 2")),
    (("!!!", "A Song"), ("!!!", "A Song")),
    (("Some Band", "A Song (Live)"), ("Some Band", "A Song [Live at the Hall]")),
    (("Some Band", "A Song (Club Remix)"), ("Some Band", "A Song (Club Remix)")),
]
NOT_SURE = [
    (("Some Band", "A Song (Live)"), ("Some Band", "A Song")),
    (("Some Band", "A Song (Club Remix)"), ("Some Band", "A Song")),
    (("Some Band", "A Song"), ("Some Band", "A Song (Acoustic)")),
    (("Some Band", "A Song"), ("Some Band", "A Song (Karaoke Version)")),
    (("Some Band", "A Long Story Part 2"), ("Some Band", "A Long Story Part 3")),
    (("Some Band", "A Long Story Pt. II"), ("Some Band", "A Long Story Pt. III")),
    (("", "A Song"), ("Some Band", "A Song")),
    (("밴드", "Song Name"), ("Band", "Song Name")),
    (("Some Band", "Another Long Song"), ("Some Band", "Another Wrong Song")),
]
UNLIKE = [
    (("Some Band", "A Song"), ("Other People", "A Song")),
    (("Some Band", "A Song"), ("Some Band", "Quite Different")),
    (("Some Band", "Love"), ("Some Band", "Lost")),
    (("Some Band", "Aria"), ("Nobody", "Aria")),
    (("", "A Song"), ("Some Band", "A Song of Ice")),
]


@pytest.mark.parametrize(("named", "held"), SURE)
def test_name_with_other_spelling_is_sure(named: tuple[str, str], held: tuple[str, str]) -> None:
    found = match_song([SongName(named[1], named[0])], [track(*held)])
    assert found.sure == track(*held)
    assert found.similar == ()


@pytest.mark.parametrize(("named", "held"), NOT_SURE)
def test_similar_name_is_offered(named: tuple[str, str], held: tuple[str, str]) -> None:
    found = match_song([SongName(named[1], named[0])], [track(*held)])
    assert found.sure is None
    assert found.similar == (track(*held),)


@pytest.mark.parametrize(("named", "held"), UNLIKE)
def test_other_song_is_not_offered(named: tuple[str, str], held: tuple[str, str]) -> None:
    found = match_song([SongName(named[1], named[0])], [track(*held)])
    assert (found.sure, found.similar) == (None, ())


def test_best_of_several_versions_is_sure() -> None:
    held = [
        track("Some Band", "A Song (Live)", 1),
        track("Some Band", "A Song (2011 Remaster)", 2),
        track("Some Band", "A Song", 3),
    ]
    found = match_song([SongName("A Song", "Some Band")], held)
    assert found.sure is not None
    assert found.sure.id == 3
    live = match_song([SongName("A Song (Live in Town)", "Some Band")], held)
    assert live.sure is not None
    assert live.sure.id == 1


def test_exact_name_wins_over_one_with_a_typo() -> None:
    held = [track("Some Band", "Another Long Sing", 1), track("Some Band", "Another Long Song", 2)]
    found = match_song([SongName("Another Long Song", "Some Band")], held)
    assert found.sure is not None
    assert found.sure.id == 2


def test_two_equally_good_songs_are_offered() -> None:
    held = [
        track("Some Bandy", "Another Long Song", 1),
        track("Some Bands", "Another Long Song", 2),
    ]
    found = match_song([SongName("Another Long Song", "Some Bandx")], held)
    assert found.sure is None
    assert {one.id for one in found.similar} == {1, 2}


def test_any_reading_may_match() -> None:
    names = readings("A Song - Some Band (Official Video)", "Uploader", uploader=True)
    assert match_song(names, [track("Some Band", "A Song")]).sure is not None


@pytest.mark.parametrize(
    "title", ["Some Band - A Song", "01 - Some Band - A Song", "A Song - Some Band"]
)
def test_title_of_an_untagged_file_names_the_artist(title: str) -> None:
    for artist in ("", "Unknown Artist"):
        assert match_song([SongName("A Song", "Some Band")], [track(artist, title)]).sure
    assert not match_song([SongName("A Song", "Nobody")], [track("", title)]).sure


def test_offered_names_are_different_and_few() -> None:
    held = [track("Some Band", f"A Song (Remix {n})", n) for n in range(1, 20)]
    held += [track("Some Band", "A Song (Live)", 30), track("Some Band", "A Song (Live)", 31)]
    found = match_song([SongName("A Song", "Some Band")], held)
    assert len(found.similar) == SIMILAR_SHOWN
    assert len({one.title for one in found.similar}) == SIMILAR_SHOWN


def test_nothing_matches_nothing() -> None:
    assert match_song([], [track("Some Band", "A Song")]).similar == ()
    assert match_song([SongName("A Song", "Some Band")], []).similar == ()


@pytest.mark.parametrize(
    ("title", "artist"),
    [
        ("x" * 100_000, "y" * 100_000),
        ("x" * 200, ", ".join(f"b{n}" for n in range(2_000))),
        ("(ä)(音)" * 1_000, "(音)(b)" * 1_000),
        (" - ".join(["word " * 40] * 3), ""),
    ],
)
def test_hostile_long_names_cost_little(title: str, artist: str) -> None:
    names = [SongName(title[:-1] + "z", artist)]
    tracks = [track(artist, f"{title}{number}", number) for number in range(200)]
    started = time.process_time()
    match_song(names, tracks)
    assert time.process_time() - started < 2
