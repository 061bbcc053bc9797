"""Exported track lists, without formulas or local paths, and the keys of answers."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bot.ui.custom_ids import MAX_KEY, reply_key, track_ids
from bot.ui.track_files import as_csv, as_json, as_m3u8
from genrec.types import Track

TRACKS = [
    Track(1, "=cmd|' /C calc'!A0", "@home", "jazz", "https://example.com/a b"),
    Track(2, "Two\nlines\u202e", "", "rock", "/srv/music-of-mine/music/secret.mp3"),
    Track(3, "#EXTM3U", "../../x", "pop", "javascript:alert(1)"),
]


def test_csv_has_no_formula_and_no_local_path() -> None:
    text = as_csv(TRACKS).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 4
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert "secret" not in text
    assert "javascript" not in text


def test_m3u8_has_two_lines_per_track() -> None:
    lines = as_m3u8(TRACKS).decode().splitlines()
    assert lines[0] == "#EXTM3U"
    assert len(lines) == 1 + 2 * len(TRACKS)
    assert lines[2].startswith("https://example.com/")
    assert all(not line.startswith(("#", "/", "..")) for line in lines[2::2])


def test_json_has_four_keys_per_track() -> None:
    rows = json.loads(as_json(TRACKS))
    assert [set(row) for row in rows] == [{"title", "artist", "genre", "source"}] * 3


@pytest.mark.parametrize("ids", [(), (1,), (35, 36, 2**40), tuple(range(2**52, 2**52 + 6))])
def test_track_ids_inverts_reply_key(ids: tuple[int, ...]) -> None:
    key = reply_key(ids)
    assert 0 < len(key) <= MAX_KEY
    assert track_ids(key) == ids


@pytest.mark.parametrize("key", ["", "0", "../etc", "1..2", "z" * 60, "1.2;drop"])
def test_track_ids_of_malformed_key_is_empty(key: str) -> None:
    assert track_ids(key) == ()
