"""``genrec map``: page, picture, JSON, colours, marks and mistakes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.connection import open_db
from db.generations import NewTrack
from db.tracks import Catalogue
from genrec.preset import Preset
from tests.bot.cli.test_library import Run, genrec
from tests.bot.end_to_end.fakes import unit

__all__ = ["genrec"]  # a fixture


def content(page: Path) -> dict[str, Any]:
    packed = re.search(rb'<script id="data" type="text/plain">([^<]+)<', page.read_bytes())
    assert packed
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    return found


@pytest.fixture
def library(tmp_path: Path, genrec: Run) -> Path:
    """Add twelve tracks in two folders to the library and return its folder."""
    music = tmp_path / "music"

    async def body() -> None:
        preset = Preset.load(tmp_path / "preset")
        tracks = [
            NewTrack(
                title=f"Own {n}", artist="Band", genre="jazz", embedding=unit(500 + n),
                fingerprint=None, source=str(music / ("old" if n % 2 else "new") / f"{n}.flac"),
                content=str(n),
            )
            for n in range(12)
        ]  # fmt: skip
        async with open_db(tmp_path / "genrec.db") as db:
            await Catalogue(db).add("library", preset.model_id, tracks)

    asyncio.run(body())
    return music


def test_map_is_a_page_of_all_tracks(genrec: Run, library: Path, tmp_path: Path) -> None:
    page = tmp_path / "tracks.html"
    code, out, _ = genrec("map", "-o", page)
    assert (code, out) == (0, f"{page}: 24 tracks, coloured by genre.\n")
    assert len(content(page)["titles"]) == 24


def test_map_by_folder_names_folders_and_no_paths(
    genrec: Run, library: Path, tmp_path: Path
) -> None:
    page = tmp_path / "tracks.html"
    assert genrec("map", "-o", page, "--colour", "folder", "--scope", "library")[0] == 0
    first, *others = content(page)["colourings"]
    assert {group["name"] for group in first["groups"]} == {"old", "new"}
    assert [each["name"] for each in others] == ["Genre", "Artist"]
    assert str(library) not in json.dumps(content(page))


def test_map_is_a_picture_with_marks(genrec: Run, library: Path, tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    assert genrec("map", "-o", plain)[0] == 0
    assert genrec("map", "-o", marked, "--mark", "own 7", "--mark", "band own 8")[0] == 0
    with Image.open(plain) as one, Image.open(marked) as other:
        assert one.size == other.size
    assert plain.read_bytes() != marked.read_bytes()


def test_map_as_json_has_places_and_writes_no_file(
    genrec: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    code, out, _ = genrec("map", "--json", "--scope", "library")
    rows = json.loads(out)["tracks"]
    assert code == 0
    assert set(rows[0]) == {"id", "title", "artist", "genre", "scope", "x", "y"}
    assert max(abs(row[axis]) for row in rows for axis in "xy") == 1
    assert json.loads(genrec("map", "--json", "--scope", "library")[1])["tracks"] == rows
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["-o", "map.txt"], 2, "map.txt is no page or picture: name a .html or .png file"),
        (["--mark", "nobody"], 2, 'No track fits --mark "nobody"'),
        (["--mark", "own"], 2, "give an id or more words (Band - Own"),
        (["--mark", "Song 3", "--scope", "library"], 2, 'No track fits --mark "Song 3"'),
        (["--scope", "guild:7"], 3, "at least 10 tracks, and here are 0"),
        (["-o", "nowhere/map.html"], 1, "name a file in a writable folder"),
    ],
)
def test_mistakes_have_a_sentence(
    genrec: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    found, out, errors = genrec("map", *words)
    assert sentence in " ".join((out + errors).replace("│", "").split())
    assert found == code
    assert not (tmp_path / "map.txt").exists()
