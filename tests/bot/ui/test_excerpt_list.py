"""Tests of the text and the file names of excerpts."""

from __future__ import annotations

import pytest

from bot.i18n import LANGUAGES, Localizer, Translations
from bot.ui.excerpt_list import excerpt_lines, file_name
from genrec.types import SoundExcerpt
from tests.bot.ui.visible import HOSTILE, LONG, assert_harmless, track

TRANSLATIONS = Translations.load()


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["Song", HOSTILE, LONG, "*" * 300, ""], ids=range(5))
def test_lines_keep_discords_limit_and_are_harmless(code: str, name: str) -> None:
    tracks = [track(number, title=name, artist=name) for number in range(1, 11)]
    excerpts = [SoundExcerpt(b"x", 15.0) if number % 2 else None for number in range(10)]
    lines = excerpt_lines(Localizer(TRANSLATIONS, code), tracks, excerpts)
    assert len(lines) <= 2_000
    assert len(lines.splitlines()) == 1 + 5 + 1
    assert lines.splitlines()[-1].startswith("-# 1, 3, 5, 7, 9: ")
    assert_harmless(lines)


@pytest.mark.parametrize(("title", "artist", "name"), [
    ("Jóga", "Björk", "1 Jóga - Björk.mp3"),
    ("../../etc/passwd", "a\\b:c", "1 .. .. etc passwd - a b c.mp3"),
    ("音楽", "", "1 音楽.mp3"),
    ("", "Unknown artist", "1.mp3"),
    ("x" * 200, "y", f"1 {'x' * 58}.mp3"),
])  # fmt: skip
def test_file_name_has_number_title_and_artist(title: str, artist: str, name: str) -> None:
    assert file_name(1, track(1, title=title, artist=artist)) == name
