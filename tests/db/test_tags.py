"""Tests of reading tags: tags first, then the file name, then the folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from db.details import TrackDetails
from db.tags import Tags, clean, match_label, read_tags
from tests.db.tagging.tag_files import id3v1, mp3_with, with_ffmpeg

ID = "65f4f0c5-ef9e-490c-aee3-909e7ae6b2ab"
LABELS = ("blues", "hiphop", "rock")


def _tagged(path: Path, **tags: str) -> Path:
    with soundfile.SoundFile(path, "w", samplerate=8000, channels=1) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.zeros(800, dtype=np.float32))
    return path


def test_tags_take_precedence(tmp_path: Path) -> None:
    path = _tagged(
        tmp_path / "x - y.flac", title="Jóga", artist="Björk", album="Homogenic", genre="Electronic"
    )
    assert read_tags(path, tmp_path, LABELS) == Tags(
        "Jóga", "Björk", "Electronic", TrackDetails(album="Homogenic")
    )


def test_missing_tags_come_from_name_and_folder(tmp_path: Path) -> None:
    path = _tagged(tmp_path / "Some Artist - Some Song.flac", title="Other Song")
    assert read_tags(path, tmp_path) == Tags("Other Song", "Unknown artist", "")
    (tmp_path / "Folder Artist" / "Album").mkdir(parents=True)
    path = _tagged(tmp_path / "Folder Artist" / "Album" / "x.flac", title="Other Song")
    assert read_tags(path, tmp_path) == Tags("Other Song", "Folder Artist", "")
    path = _tagged(tmp_path / "A - B.flac", artist="C")
    assert read_tags(path, tmp_path) == Tags("B", "C", "")


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("Nina Simone - Feeling Good.mp3", Tags("Feeling Good", "Nina Simone", "")),
        ("01 - Nina Simone - Feeling Good.mp3", Tags("Feeling Good", "Nina Simone", "")),
        ("01. Nina Simone - Feeling Good.mp3", Tags("Feeling Good", "Nina Simone", "")),
        ("Nina_Simone_-_Feeling_Good.mp3", Tags("Feeling Good", "Nina Simone", "")),
        ("A - B - C.mp3", Tags("B - C", "A", "")),
        ("Jay-Z.mp3", Tags("Jay-Z", "Unknown artist", "")),
        ("07 Blue Monday.mp3", Tags("Blue Monday", "Unknown artist", "")),
        ("1-07 Blue Monday.mp3", Tags("Blue Monday", "Unknown artist", "")),
        ("99 Problems.mp3", Tags("99 Problems", "Unknown artist", "")),
        ("1-12 Blue Monday.mp3", Tags("Blue Monday", "Unknown artist", "")),
        ("12-Blue Monday.mp3", Tags("Blue Monday", "Unknown artist", "")),
        ("1. Blue Monday.mp3", Tags("Blue Monday", "Unknown artist", "")),
        ("7-Eleven.mp3", Tags("7-Eleven", "Unknown artist", "")),
        ("10cc - Dreadlock Holiday.mp3", Tags("Dreadlock Holiday", "10cc", "")),
        ("10 cc - Dreadlock Holiday.mp3", Tags("Dreadlock Holiday", "10 cc", "")),
        ("1979.mp3", Tags("1979", "Unknown artist", "")),
        ("07.mp3", Tags("07", "Unknown artist", "")),
        (" - .mp3", Tags("-", "Unknown artist", "")),
        ("\u202e\u200b.mp3", Tags(".mp3", "Unknown artist", "")),
        ("Nina Simone/07 Sinnerman.mp3", Tags("Sinnerman", "Nina Simone", "")),
        ("Nina Simone/Pastel Blues/10. Sinnerman.mp3", Tags("Sinnerman", "Nina Simone", "")),
        ("Rock/Nina Simone/Pastel/x.mp3", Tags("x", "Nina Simone", "rock")),
        ("Hip-Hop/track 3.mp3", Tags("track 3", "Unknown artist", "hiphop")),
    ],
)
def test_untagged_file_is_named_by_its_path(tmp_path: Path, name: str, tags: Tags) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no tags in here")
    assert read_tags(path, tmp_path, LABELS) == tags


def test_page_of_a_track_is_read_from_its_tags(tmp_path: Path) -> None:
    for number, (tags, page) in enumerate(
        (
            ({"purl": "https://band.example/1"}, "https://band.example/1"),
            ({"website": "http://band.example/2"}, "http://band.example/2"),
            ({"purl": "javascript:alert(1)"}, ""),
            ({"purl": "https://band.example/ two"}, ""),
        )
    ):
        path = tmp_path / f"{number}.flac"
        with_ffmpeg(path, "flac", "flac", title="T", **tags)
        assert read_tags(path, tmp_path).details == TrackDetails(page=page)


@pytest.mark.parametrize(
    "disc",
    [
        "CD1", "CD 2", "cd-03", "Disc 2", "Disk_3", "DISC ONE", "Disc 1 of 2",
        "CD1 - The Early Years", "CD 2 (Live)", "[Disc 1]", "Digital Media 01",
        "Side A", "12\" Vinyl 2", "SACD 1",
        "Hybrid SACD 2", "DVD-Audio 1", "Enhanced CD 1", "Cassette 1", "Disque 2", "Disco 1",
        "Seite B", "Диск 1", "Bonus Disc", "Bonus Tracks",
    ],
)  # fmt: skip
def test_disc_folder_is_no_album(tmp_path: Path, disc: str) -> None:
    path = tmp_path / "Pink Floyd" / "The Wall" / disc / "01 In the Flesh.mp3"
    assert read_tags(path, tmp_path) == Tags("In the Flesh", "Pink Floyd", "")
    path = tmp_path / "Rock" / "Pink Floyd" / "The Wall" / disc / "01 In the Flesh.mp3"
    assert read_tags(path, tmp_path, LABELS) == Tags("In the Flesh", "Pink Floyd", "rock")
    assert read_tags(tmp_path / disc / "x.mp3", tmp_path) == Tags("x", "Unknown artist", "")


@pytest.mark.parametrize(
    "album",
    [
        "Side Effects",
        "Face to Face",
        "Vol. 4",
        "Disco",
        "Disco 2000",
        "CDs",
        "Discovery",
        "1",
        "Tape",
    ],
)
def test_album_with_a_name_like_a_discs_is_an_album(tmp_path: Path, album: str) -> None:
    path = tmp_path / "Artist" / album / "x.mp3"
    assert read_tags(path, tmp_path) == Tags("x", "Artist", "")
    assert read_tags(tmp_path / album / "x.mp3", tmp_path) == Tags("x", album, "")


@pytest.mark.parametrize(
    ("folders", "artist"),
    [
        ("Pink Floyd - The Wall", "Pink Floyd"),
        ("Pink Floyd \u2013 The Wall (1979)/CD1", "Pink Floyd"),
        ("Rock/Pink Floyd - The Wall", "Pink Floyd"),
        ("Pink Floyd/1979 - The Wall", "Pink Floyd"),
        ("1979 - The Wall", "1979 - The Wall"),
        ("Jay-Z", "Jay-Z"),
    ],
)
def test_album_folder_with_an_artist_gives_the_artist(
    tmp_path: Path, folders: str, artist: str
) -> None:
    assert read_tags(tmp_path / folders / "x.mp3", tmp_path, LABELS).artist == artist


def test_title_that_id3v1_has_cut_is_that_of_the_file(tmp_path: Path) -> None:
    name = "Don't Let Me Be Misunderstood (Live in Paris)"
    path = mp3_with(tmp_path / f"01 - {name}.mp3", after=id3v1(name.encode(), b"Nina Simone"))
    assert read_tags(path, tmp_path) == Tags(name, "Nina Simone", "")
    path = mp3_with(tmp_path / "other.mp3", after=id3v1(name.encode()))
    assert read_tags(path, tmp_path).title == name[:30].rstrip()


def test_number_of_ten_or_more_is_dropped_among_numbered_files(tmp_path: Path) -> None:
    for name in ("10 Sinnerman.mp3", "01 Be My Husband.mp3"):
        (tmp_path / name).write_bytes(b"")
    assert read_tags(tmp_path / "10 Sinnerman.mp3", tmp_path).title == "Sinnerman"
    (tmp_path / "01 Be My Husband.mp3").unlink()
    assert read_tags(tmp_path / "10 Sinnerman.mp3", tmp_path).title == "10 Sinnerman"


def test_details_of_tags_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    tags = {"album": "Homogenic", "date": "1997-09-20"}
    assert read_tags(_tagged(path, **tags), tmp_path).details == TrackDetails("Homogenic", 1997)
    assert not TrackDetails.of({"year": "19977", "isrc": "GB-AYE", "recording_id": "8f3471b5"})
    details = TrackDetails.of(
        {"isrc": "gb-aye-69-00123", "year": "(c) 1969", "artist_id": f"{ID}/x"}
    )
    assert details == TrackDetails("", 1969, "GBAYE6900123", "", "", ID)


def test_missing_file_is_named_by_its_path(tmp_path: Path) -> None:
    assert read_tags(tmp_path / "A - B.mp3", tmp_path) == Tags("B", "A", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\r\nlines\t and\x00 a\x1b[31m code", "two lines and a [31m code"),
        ("\u202egnp.exe\u200b \u2066x", "gnp.exe x"),
        ("a\u2028b\u2029c", "a b c"),
        ("x" * 400, "x" * 300),
        ("\ud800lone", "lone"),
        (None, ""),
        (7, ""),
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
        ("\u200d \u200c", ""),
        ("Ünï 音楽 🎵", "Ünï 音楽 🎵"),
    ],
)
def test_clean_returns_one_short_line(text: object, line: str) -> None:
    assert clean(text) == line


@pytest.mark.parametrize(
    ("genre", "label"),
    [("Hip-Hop", "hiphop"), ("HIP HOP", "hiphop"), ("Rock", "rock"), ("Post-Rock", ""), ("", "")],
)
def test_genre_in_another_spelling_matches_the_label(genre: str, label: str) -> None:
    assert match_label(genre, LABELS) == label
