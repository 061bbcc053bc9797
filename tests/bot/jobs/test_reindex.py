"""What /reindex shows on Discord, and tracks of a guild without music."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from bot.jobs.reindex import Reindexing, shown_path, shown_reason
from genrec.types import Clip, Track
from tests.db.fakes import fake_analysis


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/srv/music/Artist/Song.mp3", "Artist/Song.mp3"),
        ("/srv/music", "."),
        ("/srv/musical/Song.mp3", "…"),
        ("/etc/Song.mp3", "…"),
        ("/srv/music/../secret/Song.mp3", "…"),
        ("", ""),
    ],
)
def test_path_is_relative_to_the_library_and_never_outside(path: str, shown: str) -> None:
    assert shown_path(path, Path("/srv/music")) == shown


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("The file /srv/music/A/b.mp3 changed.", "The file A/b.mp3 changed."),
        ("Not a folder: /srv/music", "Not a folder: …"),
        ("This file has 3.5 kHz and/or 2 channels.", "This file has 3.5 kHz and/or 2 channels."),
        ("Got 404 from https://example.com/a.mp3.", "Got 404 from https://example.com/a.mp3."),
    ],
)
def test_reason_keeps_names_inside_the_library_and_links(reason: str, shown: str) -> None:
    assert shown_reason(reason, Path("/srv/music")) == shown


@pytest.mark.parametrize(
    "reason",
    [
        "No such file: '/etc/passwd'",
        "/proc/self/fd/7: Invalid data",
        "cannot open (/srv/My Music/private.wav)",
        "link to ../elsewhere/secret.wav",
        "~/Music/secret.wav is gone",
        r"C:\Users\ana\secret.wav",
        r"\\nas\share\secret.wav",
        "GENREC_LIBRARY=/mnt/disk",
        "file:///mnt/secret.wav",
        "/srv/musical/secret.wav",
    ],
)
def test_reason_with_a_path_outside_the_library_is_replaced(reason: str) -> None:
    shown = shown_reason(reason, Path("/srv/music"))
    assert "outside of the library" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(("music_below", "refused"), [(0.5, True), (0.0, False)])
async def test_guild_track_without_music_is_listed_or_kept(
    music_below: float, refused: bool
) -> None:
    @asynccontextmanager
    async def fetch(source: str, *, owner: str) -> Any:
        yield Clip(Path("clip"), "ab" * 32, source=source)

    recommender = MagicMock()
    recommender.analyze = AsyncMock(return_value=replace(fake_analysis(b"speech"), music=0.03))
    recommender.catalogue.add = AsyncMock()
    reindexing = Reindexing(
        db=MagicMock(number=AsyncMock(return_value=0)), pool=MagicMock(), recommender=recommender,
        sources=MagicMock(fetch=fetch), library=None, music_below=music_below,
    )  # fmt: skip
    track = Track(1, "Talk", "Someone", "", "https://example.org/talk.mp3", "guild:1")
    failure = await reindexing._analyze_again(track, "guild:1")
    assert (failure is not None) == refused
    assert recommender.catalogue.add.await_count == (not refused)
    if failure is not None:
        assert failure[1] == "no_music"
