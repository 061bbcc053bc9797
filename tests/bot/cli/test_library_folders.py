"""Tests of ``genrec library folders``, ``move`` and ``forget``, and of export with gone files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import doctor_machine
from bot.cli.index_report import folder_sentences
from bot.config import load_settings
from db.connection import open_db
from db.ingest.run import IngestJob, IngestReport, ingest
from genrec.preset import Preset
from tests.bot.cli.test_library import Run, genrec
from tests.bot.end_to_end.fakes import FakePool
from tests.db.fakes import fill

__all__ = ["genrec"]  # a fixture

Index = Callable[[Path], IngestReport]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Return a function that indexes a folder into the database of the commands."""

    def run(folder: Path) -> IngestReport:
        async def body() -> IngestReport:
            preset = Preset.load(tmp_path / "preset")
            async with open_db(tmp_path / "genrec.db") as db:
                job = IngestJob(folder=folder, model_id=preset.model_id, dimension=preset.dimension)
                pool = FakePool()
                pool.model_id = preset.model_id
                return await ingest(db, pool, job)

        return asyncio.run(body())

    return run


def test_folders_are_listed_moved_and_forgotten(genrec: Run, index: Index, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    fill(one, 3)
    fill(two, 2, start=10)
    index(one)
    index(two)
    listed = json.loads(genrec("library", "folders", "--json")[1])["folders"]
    assert [(row["folder"], row["tracks"], row["state"]) for row in listed] == [
        (str(one), 3, "there"),
        (str(two), 2, "there"),
    ]
    assert str(two) in genrec("library", "folders")[1]
    one.rename(tmp_path / "moved")
    code, out, _ = genrec("library", "move", one, tmp_path / "moved")
    assert (code, out) == (0, f"3 tracks moved to {tmp_path / 'moved'}.\n")
    code, out, _ = genrec("library", "forget", two, "--json")
    assert (code, json.loads(out)) == (0, {"removed": 2})
    listed = json.loads(genrec("library", "folders", "--json")[1])["folders"]
    assert [(row["folder"], row["tracks"]) for row in listed] == [(str(tmp_path / "moved"), 3)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("move", "/nowhere", "."), "has no tracks of /nowhere"),
        (("move", "/nowhere", "/neither"), "/neither cannot be opened"),
        (("forget", "/nowhere"), "has no tracks of /nowhere"),
    ],
)
def test_unknown_folder_is_one_sentence(genrec: Run, words: tuple[str, ...], sentence: str) -> None:
    code, _, error = genrec("library", *words)
    assert code != 0
    assert sentence in error.replace("\n", " ")
    assert "Traceback" not in error


def test_folder_is_forgotten_by_the_name_of_a_link(
    genrec: Run, index: Index, tmp_path: Path
) -> None:
    fill(tmp_path / "one", 3)
    index(tmp_path / "one")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert json.loads(genrec("library", "forget", tmp_path / "link", "--json")[1]) == {"removed": 3}


def test_export_leaves_out_files_that_are_not_there(
    genrec: Run, index: Index, tmp_path: Path
) -> None:
    first, *_ = fill(tmp_path / "one", 3)
    index(tmp_path / "one")
    first.unlink()
    scope = ("--scope", "library")
    code, out, error = genrec("library", "export", "-", "--format", "m3u8", *scope)
    assert code == 0
    assert out.count("one/") == 2
    assert str(first) not in out
    assert error.startswith("1 tracks are left out")
    _, out, error = genrec("library", "export", "-", "--format", "json", *scope, "--missing")
    assert (len(json.loads(out)["tracks"]), error) == (3, "")
    (tmp_path / "one").rename(tmp_path / "away")
    for form in ("m3u8", "csv", "json"):
        _, out, error = genrec("library", "export", "-", "--format", form, *scope)
        assert "one/" not in out
        assert error.startswith("3 tracks are left out")
    assert json.loads(out)["tracks"] == []


def test_report_names_the_folder_that_is_missing(genrec: Run, index: Index, tmp_path: Path) -> None:
    fill(tmp_path / "one", 3)
    index(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "away")
    fill(tmp_path / "two", 1)
    (sentence,) = folder_sentences(index(tmp_path / "two"))
    assert sentence.startswith(f"{tmp_path / 'one'} is missing or empty, so its 3 tracks")
    assert "genrec library forget" in sentence


def test_doctor_names_a_missing_music_folder(genrec: Run, index: Index, tmp_path: Path) -> None:
    fill(tmp_path / "one", 3)
    genrec("library", "stats")
    index(tmp_path / "one")
    settings = load_settings()
    assert list(doctor_machine._folders(settings)) == []
    (tmp_path / "one").rename(tmp_path / "away")
    (finding,) = doctor_machine._folders(settings)
    assert (finding.ok, finding.vital) == (False, False)
    assert finding.note.startswith(f"{tmp_path / 'one'} is missing: mount its disk")
