"""Recognising sound by the name and content type of a file."""

from __future__ import annotations

import pytest

from bot.sources import sound_by_name


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("song.mp3", "audio/mpeg", True),
        ("song.mp3", None, True),
        ("SONG.MP3", "", True),
        ("song.mp3", "application/octet-stream", True),
        ("song.opus", "text/plain", True),
        ("song.flac", "image/png", True),
        ("song.wma", None, True),  # refused later, with a sentence
        ("clip.mov", None, True),
        ("song", "audio/mpeg; charset=binary", True),
        ("song.dat", "VIDEO/mp4", True),
        ("song", "application/ogg", True),
        ("song", None, None),
        ("song.part", "application/octet-stream", None),
        ("take 2. final", None, None),
        ("cat.png", "image/png", False),
        ("cat.png", None, False),
        ("cat", "image/webp", False),
        ("thesis.pdf", "application/pdf", False),
        ("thesis.pdf", None, False),
        ("message.txt", "text/plain; charset=utf-8", False),
        ("album.zip", "application/zip", False),
        ("", None, None),
        (".mp3", None, True),
    ],
)
def test_sound_is_recognised_by_name_or_type(
    name: str, content_type: str | None, expected: bool | None
) -> None:
    assert sound_by_name(name, content_type) is expected
