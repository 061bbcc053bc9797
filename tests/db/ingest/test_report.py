"""Tests of the report: every file of a folder is in exactly one row."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from db.connection import Database
from db.ingest.file_kinds import SENTENCES, LeftOutReason
from db.ingest.report import FileResult, FileRow, count_files, file_rows, report_csv
from db.ingest.run import IngestJob, IngestReport, ingest
from genrec.errors import SilentAudio
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill

FILES = {
    "a.ape": ("left_out", "unread_format"),
    "b.flac": ("refused", "silent_audio"),
    "cover.jpg": ("left_out", "no_sound"),
    "@eaDir/a.mp3/x.jpg": ("left_out", "system_folder"),
    "...c.mp3": ("indexed", ""),
    "=d.mp3": ("indexed", ""),
}


async def _index(db: Database, folder: Path) -> IngestReport:
    analyzer = FakeAnalyzer()
    analyzer.faults["b.flac"] = SilentAudio("This clip is silent.")
    job = IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    return await ingest(db, analyzer, job)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return a folder with one file of each result and reason."""
    for name in FILES:
        (tmp_path / "music" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / name).write_bytes(f"not really music: {name}".encode())
    return tmp_path / "music"


def _by_name(rows: list[FileRow], folder: Path) -> dict[str, tuple[str, str]]:
    return {os.path.relpath(row.path, folder): (row.result.value, row.code) for row in rows}


async def test_every_file_is_in_one_row_with_its_reason(db: Database, music: Path) -> None:
    rows = list(file_rows(await _index(db, music)))
    assert _by_name(rows, music) == FILES
    assert len(rows) == sum(path.is_file() for path in music.rglob("*"))
    assert all(bool(row.reason) == bool(row.code) for row in rows)
    assert {row.path.rpartition("/")[2] for row in rows if row.quiet} == {"cover.jpg"}


async def test_second_run_reports_unchanged_files(db: Database, music: Path) -> None:
    await _index(db, music)
    fill(music, 2)
    fill(music.parent / "elsewhere", 3)
    await _index(db, music.parent / "elsewhere")
    report = await _index(db, music)
    assert Counter(row.result for row in file_rows(report)) == {
        FileResult.UNCHANGED: 2,
        FileResult.INDEXED: 2,
        FileResult.REFUSED: 1,
        FileResult.LEFT_OUT: 3,
    }
    # Tracks of another folder are unchanged, but no files of this one.
    assert report.unchanged == 5


async def test_counts_are_by_result_kind_and_code(db: Database, music: Path) -> None:
    counts = count_files(await _index(db, music))
    first = counts[0]
    assert (first.result, first.kind, first.code, first.files) == ("indexed", "MP3", "", 2)
    assert [count.result for count in counts[1:]] == ["refused", "left_out", "left_out", "left_out"]
    assert sum(count.files for count in counts) == len(FILES)
    assert Path(next(c.example for c in counts if c.code == "unread_format")).name == "a.ape"


async def test_csv_has_one_row_a_file_and_no_formula(db: Database, music: Path) -> None:
    text = "".join(report_csv(await _index(db, music)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {os.path.relpath(row["file"], music): (row["result"], row["code"]) for row in rows} == (
        FILES
    )
    assert all(row["kind"] for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


async def test_file_without_music_is_left_out_and_not_refused(db: Database, music: Path) -> None:
    report = await _index(db, music)
    report.failures = [replace(each, code="no_music") for each in report.failures]
    rows = _by_name(list(file_rows(report)), music)
    assert rows["b.flac"] == ("left_out", "no_music")


def test_every_reason_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(LeftOutReason)
