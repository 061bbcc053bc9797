"""Paths that /reindex shows on Discord."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.jobs.reindex import shown_path


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/srv/music/Artist/Song.mp3", "Artist/Song.mp3"),
        ("/srv/music", "."),
        ("/srv/musical/Song.mp3", "…"),
        ("/etc/Song.mp3", "…"),
        ("", ""),
    ],
)
def test_path_is_relative_to_the_library_and_never_outside(path: str, shown: str) -> None:
    assert shown_path(path, Path("/srv/music")) == shown
