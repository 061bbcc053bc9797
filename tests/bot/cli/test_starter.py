"""Tests of ``genrec starter``: a table fills the details of the starter catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec.errors import PresetError
from genrec.preset import Preset
from genrec.starter_table import STARTER_TABLE, read_starter_table
from tests.bot.end_to_end.fakes import make_preset

MBID = "0d1e2f3a-0000-4000-8000-123456789abc"


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command):
    """Return a function that runs the command: exit code, stdout and stderr."""
    make_preset(tmp_path / "preset", songs=3)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))

    return run_command


def write(folder: Path, text: str) -> Path:
    table = folder / "table.csv"
    table.write_text(text, encoding="utf-8")
    return table


def test_table_by_name_or_by_artist_and_title_is_stored(genrec, tmp_path: Path) -> None:
    model_id = Preset.load(tmp_path / "preset").model_id
    table = write(
        tmp_path,
        "excerpt,artist,title,album,year,recording_id,isrc\n"
        f"song0,,,First,about 1971,{MBID},nonsense\n"
        ",ARTIST 2,song 2,Third,,,\n,Nobody,Nothing,X,1999,,\n",
    )
    code, out, error = genrec("starter", table, "--json")
    assert (code, error) == (0, "")
    assert json.loads(out) == {
        "tracks": 3, "found": 2, "unknown": ["Nobody - Nothing"],
        "fields": {"album": 2, "year": 1, "isrc": 0, "recording_id": 1, "release_id": 0,
                   "artist_id": 0, "page": 0},
    }  # fmt: skip
    preset = Preset.load(tmp_path / "preset")
    assert preset.model_id == model_id, "the table does not change the model"
    starter = preset.starter()
    assert starter is not None
    assert starter.table["song0"] == {"album": "First", "year": "1971", "recording_id": MBID}
    listed = json.loads(genrec("library", "list", "--json")[1])["tracks"]
    assert [(track["album"], track["year"]) for track in listed] == [
        ("First", 1971), ("", 0), ("Third", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["album\nx\n", "artist,album\nx,y\n", '"artist,title\n'])
def test_table_without_names_is_one_sentence(genrec, tmp_path: Path, text: str) -> None:
    code, out, error = genrec("starter", write(tmp_path, text))
    assert (code, out) == (2, "")
    assert "table.csv" in error
    assert not (tmp_path / "preset" / STARTER_TABLE).exists()


def test_damaged_table_of_a_preset_is_named(tmp_path: Path) -> None:
    (tmp_path / STARTER_TABLE).write_text("name\nx\n")
    with pytest.raises(PresetError, match="no column excerpt"):
        read_starter_table(tmp_path)
    (tmp_path / STARTER_TABLE).write_bytes(b"excerpt\n\xff\n")
    with pytest.raises(PresetError, match="cannot be read"):
        read_starter_table(tmp_path)
