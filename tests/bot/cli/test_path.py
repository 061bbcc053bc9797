"""``genrec path``: by name and by file, lists, pictures, JSON and mistakes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.cli.path_command import shortage
from bot.path_finder import Way, WaySong
from db.connection import open_db
from db.tracks import Catalogue
from genrec.preset import Preset
from tests.bot.cli.test_mistakes import Run, genrec  # noqa: F401 - a fixture
from tests.bot.end_to_end.test_path import LAST, on_arc


@pytest.fixture
def filled(genrec: Run, tmp_path: Path) -> Run:  # noqa: F811
    """Return the command with a library on an arc."""

    async def add() -> None:
        preset = Preset.load(tmp_path / "preset")
        async with open_db(tmp_path / "genrec.db") as db:
            tracks = [on_arc(n) for n in range(LAST + 1)]
            await Catalogue(db).add("library", preset.model_id, tracks)

    asyncio.run(add())
    return genrec


def test_path_is_printed_listed_and_drawn(filled: Run, tmp_path: Path) -> None:
    listed, drawn = tmp_path / "way.m3u8", tmp_path / "way.png"
    code, out, error = filled(
        "path",
        "Band 0 - Song 0",
        f"Band {LAST} - Song {LAST}",
        "--steps",
        6,
        "-o",
        listed,
        "--picture",
        drawn,
    )
    assert (code, error) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:7]] == list("123456")
    assert listed.read_text().count("#EXTINF") == 6
    with Image.open(drawn) as picture:
        assert picture.size[0] == 800


def test_json_repeats_a_path_by_its_number(filled: Run) -> None:
    ends = ("path", "Band 0 - Song 0", f"Band {LAST} - Song {LAST}", "--json")
    best, other, again = (
        json.loads(filled(*ends, *more)[1])
        for more in ((), ("--random-seed", 5), ("--random-seed", 5))
    )
    assert other == again
    assert [s["title"] for s in best["songs"]] != [s["title"] for s in other["songs"]]
    assert (best["steps"], best["random_seed"], other["random_seed"]) == (8, 0, 5)
    first, *rest = best["songs"]
    assert first["similarity"] is None
    assert len({song["id"] for song in best["songs"]} - {None}) == 8
    assert all(0 < song["similarity"] <= 1 for song in rest)
    assert set(first) == {
        "id", "title", "artist", "genre", "similarity", "source", "link", "scope", "x", "y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("Band 1 - Song 1", "Band 1 - Song 1"), 3, "Both ends are the same song"),
        (("Band 1 - Song 1", "qqqqqqqq"), 3, "qqqqqqqq"),
        (("Band 1 - Song 1", "Band 2 - Song 2", "--steps", "21"), 2, "--steps"),
        (("Band 1 - Song 1", "Band 2 - Song 2", "--picture", "a.jpg"), 2, "name a .png file"),
        (("Band 1 - Song 1", "Band 9 - Song 9", "--genre", "polka"), 2, "polka"),
        (("Band 1 - Song 1", "Band 9 - Song 9", "--picture", "no/where.png"), 2, "writable folder"),
    ],
)
def test_mistake_has_its_sentence(
    filled: Run, words: tuple[str, ...], code: int, sentence: str
) -> None:
    found, _, error = filled("path", *words)
    assert sentence in error
    assert found == code


def test_short_ways_say_why() -> None:
    def way(count: int, wanted: int) -> Way:
        plane = np.zeros((count, 2))
        return Way((WaySong(None, "", "", ""),) * count, wanted, 0, plane, plane[:0], ())

    assert shortage(way(8, 8)) == ""
    assert "Only 3 of 8 songs" in shortage(way(3, 8))
    assert "No song lies between" in shortage(way(2, 8))
