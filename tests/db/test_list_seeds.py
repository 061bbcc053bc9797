"""Tracks that a list names, as the beginning of a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db import list_seeds
from db.import_export import MAX_LISTED, export_tracks
from db.list_seeds import tracks_of_list
from db.list_writers import FORMATS, Format
from db.listed_tracks import Places
from db.tracks import Catalogue
from genrec.errors import ClipTooLarge, InputRefused
from tests.db.fakes import MODEL, new_track

SCOPES = ("guild:1", "library", "starter")
SONGS = [
    new_track(1, title="Jóga", artist="Björk", source="/music/1.flac"),
    new_track(2, title="One", artist="U2", source="https://band.example/2"),
    new_track(3, title="音楽", artist="坂本", source="/music/3.flac"),
]


@pytest.fixture
async def filled(catalogue: Catalogue) -> Catalogue:
    await catalogue.add("library", MODEL, SONGS)
    await catalogue.add("guild:2", MODEL, [new_track(4, title="Secret", artist="Other")])
    return catalogue


async def named(
    catalogue: Catalogue, text: str, file: str, places: Places | None = None
) -> tuple[list[str], list[str]]:
    tracks, unknown = await tracks_of_list(catalogue, MODEL, text, file, SCOPES, places=places)
    return [track.title for track in tracks], unknown


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("#EXTM3U\n#EXTINF:1,坂本 - 音楽\nx.mp3\n#EXTINF:1,Björk - Jóga\ny.mp3\n", "a.m3u8"),
        ("坂本 - 音楽\nBJORK - joga\n", "a.txt"),
        ("title,artist\n音楽,坂本\nJóga,Björk\n", "a.csv"),
        ('"Track Name","Artist Name(s)"\n音楽,坂本\nJóga,Björk\n', "spotify.csv"),
        (
            json.dumps(
                {
                    "playlist": {
                        "track": [
                            {"title": "音楽", "creator": "坂本"},
                            {"title": "Jóga", "creator": "Björk"},
                        ]
                    }
                }
            ),
            "a.jspf",
        ),
    ],
)
async def test_tracks_are_in_the_order_of_the_list(filled: Catalogue, text: str, file: str) -> None:
    assert await named(filled, text, file) == (["音楽", "Jóga"], [])


@pytest.mark.parametrize("form", FORMATS)
async def test_an_export_names_its_tracks(filled: Catalogue, form: Format) -> None:
    pieces = export_tracks(filled, MODEL, form, scope="library")
    text = "".join([piece async for piece in pieces])
    titles, unknown = await named(filled, text, f"list.{form}")
    assert set(titles) == {"Jóga", "One", "音楽"}
    assert unknown == []


async def test_unknown_and_repeated_rows(filled: Catalogue) -> None:
    text = "Björk - Jóga\nNobody - Nothing\nbjork - JOGA\nOther - Secret\n"
    assert await named(filled, text, "a.txt") == (["Jóga"], ["Nobody - Nothing", "Other - Secret"])


async def test_paths_are_looked_up_only_where_they_may_be(filled: Catalogue) -> None:
    text = "#EXTM3U\n1.flac\n/music/3.flac\n../etc/passwd\n"
    assert (await named(filled, text, "a.m3u8"))[0] == []
    below = Places(scopes=SCOPES, roots=(Path("/music"),))
    assert (await named(filled, text, "a.m3u8", below))[0] == ["Jóga"]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("{", "a.jspf"),
        ('{"a": 1}', "a.json"),
        ('{"playlist": {"track": [1]}}', "a.jspf"),
        ("[" * 100_000, "a.json"),
        ('{"a":' * 100_000, "a.json"),
        ("a,b\n1,2\n", "a.csv"),
        ('title,artist\n"' + "x" * 200_000, "a.csv"),
    ],
)
async def test_what_is_no_list_is_refused(filled: Catalogue, text: str, file: str) -> None:
    with pytest.raises(InputRefused):
        await named(filled, text, file)


async def test_a_list_that_is_too_long_is_refused(
    filled: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_seeds, "MAX_LISTED", 3)
    assert len((await named(filled, "a - b\n" * 3, "a.txt"))[1]) == 3
    with pytest.raises(ClipTooLarge, match="more than 3 tracks"):
        await named(filled, "a - b\n" * 4, "a.txt")
    assert MAX_LISTED == 20_000
