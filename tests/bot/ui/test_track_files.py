"""Tests of exported track files, CSV tables of text, and the custom ids of responses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.ui import track_files
from bot.ui.custom_ids import MAX_KEY, response_key, track_ids
from bot.ui.track_files import csv_file, track_file
from db.connection import MEMORY, open_db
from db.import_export import ImportResult, import_tracks
from db.list_writers import FORMATS, Format
from db.tracks import Catalogue
from tests.db.fakes import DIMENSION, MODEL, new_track

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
CONTENT = "ab" * 32
TRACKS = [
    new_track(1, title="=cmd|' /C calc'!A0", artist="@home", source="https://example.com/a?b=c"),
    new_track(2, title="Two\nlines\u202e", artist="", source="/srv/music/secret.mp3"),
    new_track(3, title="#EXTM3U", artist="../../x", source="javascript:alert(1)"),
    new_track(4, title="'Round Midnight", artist="'=1", source="", content=CONTENT),
    new_track(5, title="\U0001f468\u200d\U0001f469", artist="\uff1dx", source="starter:rock.1"),
]
SCOPE, OTHER = "guild:1", "guild:2"


@pytest.fixture
async def catalogue() -> AsyncIterator[Catalogue]:
    async with open_db(MEMORY) as db:
        yield Catalogue(db)


async def _exported(catalogue: Catalogue, form: Format, tracks=TRACKS) -> bytes:
    ids = await catalogue.add(SCOPE, MODEL, tracks)
    file = await track_file(catalogue, MODEL, form, ids)
    located = [track for track in tracks if track.source.startswith("https:")]
    count = len(located if form == "m3u8" else tracks)
    assert (file.name, file.count) == (f"tracks.{form}", count)
    return file.data


async def _imported(catalogue: Catalogue, data: bytes, scope: str = OTHER) -> ImportResult:
    text = data.decode("utf-8")
    return await import_tracks(catalogue, text, scope=scope, model_id=MODEL, dimension=DIMENSION)


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_export_can_be_imported_with_embeddings_and_fingerprints(
    catalogue: Catalogue, form: Format
) -> None:
    result = await _imported(catalogue, await _exported(catalogue, form))
    assert (len(result.ids), result.refused) == (len(TRACKS), ())
    tracks = await catalogue.tracks(MODEL, result.ids)
    assert [(tracks[i].title, tracks[i].artist, tracks[i].genre) for i in result.ids] == [
        ("=cmd|' /C calc'!A0", "@home", "hiphop"),
        ("Two lines", "Unknown artist", "rock"),
        ("#EXTM3U", "../../x", "blues"),
        ("'Round Midnight", "'=1", "hiphop"),
        ("\U0001f468\u200d\U0001f469", "\uff1dx", "rock"),
    ]
    rows = await catalogue.load(MODEL)
    matrix = {int(track_id): rows.matrix[n] for n, track_id in enumerate(rows.ids)}
    for track_id, track in zip(result.ids, TRACKS, strict=True):
        assert np.array_equal(matrix[track_id], track.embedding)
    assert len(await catalogue.fingerprints(MODEL, result.ids)) == len(TRACKS)


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_import_of_the_same_server_adds_nothing(catalogue: Catalogue, form: Format) -> None:
    # The export omits the source of the second track and leaves the others unchanged.
    tracks = [TRACKS[0], TRACKS[3], new_track(9, source="https://example.com/ü b")]
    ids = await catalogue.add(SCOPE, MODEL, tracks)
    file = await track_file(catalogue, MODEL, form, ids)
    assert (await _imported(catalogue, file.data, SCOPE)).ids == tuple(ids)
    assert await catalogue.count(MODEL, SCOPE) == len(tracks)
    assert len(await catalogue.fingerprints(MODEL, ids)) == len(tracks)


@pytest.mark.parametrize("form", FORMATS)
async def test_export_has_no_private_source(catalogue: Catalogue, form: Format) -> None:
    text = (await _exported(catalogue, form)).decode("utf-8")
    assert ("https://example.com/a?b=c" in text) is (form != "txt")
    for private in ("secret", "/srv", "javascript", CONTENT, "starter:"):
        assert private not in text


async def test_csv_export_has_a_byte_order_mark_and_no_formula_cell(catalogue: Catalogue) -> None:
    data = await _exported(catalogue, "csv")
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(rows) == 1 + len(TRACKS)
    assert not any(cell.startswith((*FORMULAS, "\uff1d")) for row in rows for cell in row)


async def test_playlist_has_two_lines_for_each_track_with_an_address(
    catalogue: Catalogue,
) -> None:
    more = new_track(6, title="Six", artist="X", source="https://example.com/6")
    ids = await catalogue.add(SCOPE, MODEL, [*TRACKS, more])
    file = await track_file(catalogue, MODEL, "m3u8", ids[::-1])
    assert file.data.decode("utf-8").splitlines() == [
        "#EXTM3U",
        "#EXTINF:30,X - Six",
        "https://example.com/6",
        "#EXTINF:30,@home - =cmd|' /C calc'!A0",
        "https://example.com/a?b=c",
    ]
    assert file.count == 2


@pytest.mark.parametrize("form", ["m3u8", "jspf"])
async def test_paths_are_relative_to_the_operators_root(catalogue: Catalogue, form: Format) -> None:
    inside = new_track(7, source="/srv/music/Ü b/7.flac")
    ids = await catalogue.add("library", MODEL, [*TRACKS, inside])
    file = await track_file(catalogue, MODEL, form, ids, root=Path("/srv/music"))
    text = file.data.decode("utf-8")
    assert ("Ü b/7.flac" if form == "m3u8" else "%C3%9C%20b/7.flac") in text
    assert "secret.mp3" in text
    assert "/srv" not in text
    other = await track_file(catalogue, MODEL, form, ids, root=Path("/srv/music/Ü b"))
    assert "secret" not in other.data.decode("utf-8")
    assert "/srv" not in other.data.decode("utf-8")


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_list_to_listen_to_has_no_analyses_and_names_its_tracks(
    catalogue: Catalogue, form: Format
) -> None:
    tracks = [new_track(n, title=f"Song {n}", artist="Band") for n in (8, 9)]
    ids = await catalogue.add(SCOPE, MODEL, tracks)
    file = await track_file(catalogue, MODEL, form, ids, analyses=False)
    text = file.data.decode("utf-8-sig")
    assert "embedding" not in text
    assert "fingerprint" not in text
    assert len(file.data) < 3_000
    if form != "json":
        assert (await _imported(catalogue, file.data, SCOPE)).ids == tuple(ids)


async def test_large_export_leaves_out_fingerprints_then_tracks(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await catalogue.add(SCOPE, MODEL, [new_track(seed) for seed in range(100)])
    whole = await track_file(catalogue, MODEL, "json", ids)
    monkeypatch.setattr(track_files, "MAX_BYTES", len(whole.data) - 1)
    smaller = await track_file(catalogue, MODEL, "json", ids)
    assert smaller.count == 100
    assert {row["fingerprint"] for row in json.loads(smaller.data)["tracks"]} == {""}
    monkeypatch.setattr(track_files, "MAX_BYTES", len(smaller.data) // 2)
    half = await track_file(catalogue, MODEL, "json", ids)
    assert 40 <= half.count <= 50
    assert len(json.loads(half.data)["tracks"]) == half.count
    assert len(half.data) <= track_files.MAX_BYTES
    assert len((await _imported(catalogue, half.data)).ids) == half.count


def test_csv_file_cleans_cells_and_escapes_formulas() -> None:
    data = csv_file(("file", "reason"), [("=1+1", "two\nlines"), ("a" * 400, "'=1")])
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[:2] == [["file", "reason"], ["'=1+1", "two lines"]]
    assert len(rows[2][0]) == 300
    assert rows[2][1] == "''=1"


@pytest.mark.parametrize("ids", [(), (1,), (35, 36, 2**40), tuple(range(2**52, 2**52 + 6))])
def test_response_key_returns_its_track_ids(ids: tuple[int, ...]) -> None:
    key = response_key(ids)
    assert 0 < len(key) <= MAX_KEY
    assert track_ids(key) == ids


@pytest.mark.parametrize("key", ["", "0", "../etc", "1..2", "z" * 60, "1.2;drop"])
def test_foreign_key_has_no_track_ids(key: str) -> None:
    assert track_ids(key) == ()
