"""Tests of reading tags: tags first, then the file name, then the folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from db.tags import Tags, clean, match_label, read_tags

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
    assert read_tags(path, tmp_path, LABELS) == Tags("Jóga", "Björk", "Electronic")


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
