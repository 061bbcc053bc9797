"""Rows of exported files as people hand them back: saved by a spreadsheet, or a playlist."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from bot.ui.track_files import track_file
from db.connection import Database
from db.import_export import import_tracks
from db.import_rows import read_rows
from db.tracks import Catalogue
from tests.db.fakes import DIMENSION, MODEL, new_track

TITLES = ("=1+1", "a;b", "a,b", 'a "b"', "'quoted", "Plain")
BLANK = [""] * 10


async def exported(catalogue: Catalogue, form: Any) -> str:
    """Return the file that Discord gets: of tracks with a link and of uploaded ones."""
    tracks = [
        new_track(n, title=title, content=f"{n:064x}",
                  source="" if n % 2 else f"https://music.example/{n}.mp3")
        for n, title in enumerate(TITLES)
    ]  # fmt: skip
    ids = await catalogue.add("guild:1", MODEL, tracks)
    return (await track_file(catalogue, MODEL, form, ids)).data.decode()


def saved_again(text: str, **style: Any) -> str:
    """Return a table as a spreadsheet saves it after a look at it."""
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    out = io.StringIO()
    csv.writer(out, **style).writerows([*rows, BLANK])
    return out.getvalue()


@pytest.mark.parametrize(
    "style",
    [
        {},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"lineterminator": "\r\n"},
        {"quoting": csv.QUOTE_ALL, "delimiter": ";"},
    ],
    ids=str,
)
async def test_table_that_a_spreadsheet_saved_is_imported(
    db: Database, style: dict[str, Any]
) -> None:
    catalogue = Catalogue(db)
    text = saved_again(await exported(catalogue, "csv"), **style)
    result = await import_tracks(
        catalogue, text, scope="guild:2", model_id=MODEL, dimension=DIMENSION
    )
    assert result.refused == ()
    tracks = await catalogue.browse(MODEL, "guild:2")
    assert sorted(track.title for track in tracks) == sorted(TITLES)


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_import_into_the_same_scope_changes_nothing(db: Database, form: str) -> None:
    catalogue = Catalogue(db)
    text = await exported(catalogue, form)
    before = await catalogue.browse(MODEL, "guild:1")
    for _ in range(2):
        await import_tracks(catalogue, text, scope="guild:1", model_id=MODEL, dimension=DIMENSION)
    assert await catalogue.browse(MODEL, "guild:1") == before


def test_decimal_comma_and_delimiters_inside_cells_are_read() -> None:
    table = 'title;artist\n"a;b,c";x\n;\n'
    assert list(read_rows(table, ("title", "artist"))) == [{"title": "a;b,c", "artist": "x"}]
