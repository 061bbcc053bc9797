"""Tests of ``genrec index`` options and of ``genrec library`` with files, links and pipes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.bot.end_to_end.fakes import make_preset

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command) -> Run:
    """Return a function that runs the command in this process: exit code, stdout, stderr."""
    make_preset(tmp_path / "preset", songs=12)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    (tmp_path / "out").mkdir()

    return run_command


def tracks_in(path: Path) -> int:
    return len(json.loads(path.read_text(encoding="utf-8"))["tracks"])


def test_export_keeps_a_symbolic_link_and_replaces_its_target(genrec: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "out" / "real.json", tmp_path / "out" / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    code, _, error = genrec("library", "export", link)
    assert code == 0, error
    assert link.is_symlink()
    assert tracks_in(target) == 12
    assert {path.name for path in target.parent.iterdir()} == {"real.json", "link.json"}


def test_export_writes_through_a_pipe_and_keeps_it(genrec: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "out" / "pipe.json"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    code, _, error = genrec("library", "export", pipe)
    reader.join(30)
    assert code == 0, error
    assert len(json.loads(received[0])["tracks"]) == 12
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_export_to_standard_output_prints_the_file(genrec: Run) -> None:
    code, out, _ = genrec("library", "export", "-", "--format", "json")
    assert code == 0
    assert len(json.loads(out)["tracks"]) == 12


def test_export_into_a_missing_folder_is_one_sentence(genrec: Run, tmp_path: Path) -> None:
    code, _, error = genrec("library", "export", tmp_path / "nowhere" / "a.csv")
    assert code == 1
    assert "cannot be written (No such file or directory)" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("form", ["csv", "json", "jspf", "txt"])
def test_import_adds_the_exported_tracks_to_a_scope(genrec: Run, tmp_path: Path, form: str) -> None:
    path = tmp_path / "out" / f"tracks.{form}"
    counts = {"imported": 12, "known": 0, "refused": [], "unknown": []}
    assert genrec("library", "export", path)[0] == 0
    code, out, _ = genrec("library", "import", path, "--scope", "guild:7", "--json")
    assert (code, json.loads(out)) == (0, counts)
    _, out, _ = genrec("library", "stats", "--json")
    assert json.loads(out)["by_scope"] == {"starter": 12, "guild:7": 12}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"title\nx\n", "lacks the columns"),
    ],
    ids=["missing", "not text", "columns"],
)
def test_import_of_an_unusable_file_is_one_sentence(
    genrec: Run, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "out" / "tracks.csv"
    if content is not None:
        path.write_bytes(content)
    code, _, error = genrec("library", "import", path)
    assert code in (1, 3)
    assert sentence in error
    assert "Traceback" not in error


def test_index_help_shows_single_flags(genrec: Run) -> None:
    _, out, _ = genrec("index", "--help")
    assert "--retry-failed" in out
    assert "--no-" not in out


def test_stats_count_damaged_tracks(genrec: Run, tmp_path: Path) -> None:
    assert json.loads(genrec("library", "stats", "--json")[1])["damaged"] == 0
    export = tmp_path / "out" / "tracks.json"
    genrec("library", "export", export)
    genrec("library", "import", export)
    with closing(sqlite3.connect(tmp_path / "genrec.db")) as database:
        # An embedding that no starter track shares: those are restored from the preset.
        database.execute(
            "INSERT INTO embedding (id, content, model_id, vector, heard, duration_s)"
            " SELECT 10000, 'other', model_id, zeroblob(12), heard, duration_s"
            " FROM embedding WHERE id = 1"
        )
        database.execute(
            "UPDATE entry SET embedding_id = 10000 WHERE generation_id IN"
            " (SELECT id FROM generation WHERE scope = 'library')"
        )
        database.commit()
    assert json.loads(genrec("library", "stats", "--json")[1])["damaged"] == 12
    assert "damaged" in genrec("library", "stats")[1]


@pytest.mark.parametrize("version", [-3, 2**31 - 1])
def test_impossible_schema_version_is_an_error_and_ends(
    genrec: Run, tmp_path: Path, version: int
) -> None:
    genrec("library", "stats")
    with closing(sqlite3.connect(tmp_path / "genrec.db")) as database:
        database.execute(f"PRAGMA user_version = {version}")
    code, _, error = genrec("library", "list")
    assert code == 1
    assert "schema version" in error


def test_error_of_sqlite_is_one_sentence(genrec: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise sqlite3.IntegrityError("CHECK constraint failed")

    monkeypatch.setattr("db.tracks.Catalogue.count", fail)
    code, _, error = genrec("library", "list")
    assert (code, error.count("\n")) == (1, 1)
    assert "CHECK constraint failed" in error


def test_track_id_that_no_database_holds_is_a_usage_error(genrec: Run) -> None:
    assert genrec("library", "remove", str(2**64))[0] == 2


@pytest.mark.parametrize("scope", ["", "Library", "guild:", "guild:x", "guild:0", "guild:1 ", "*"])
@pytest.mark.parametrize(
    "words", [("list",), ("remove", "1"), ("export", "out/a.csv"), ("import", "a.csv")]
)
def test_unknown_scope_is_a_usage_error(genrec: Run, words: tuple[str, ...], scope: str) -> None:
    code, _, error = genrec("library", *words, "--scope", scope)
    assert code == 2
    assert "guild:ID" in error


@pytest.mark.parametrize("scope", ["library", "starter", "guild:1200000000000000001"])
def test_known_scope_is_accepted(genrec: Run, scope: str) -> None:
    assert genrec("library", "list", "--scope", scope)[0] == 0


def test_import_of_an_endless_file_is_refused(
    genrec: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.cli.library_lists._MAX_IMPORT_CHARS", 1000)
    (tmp_path / "a.csv").write_text("x" * 1001)
    code, _, error = genrec("library", "import", tmp_path / "a.csv")
    assert code == 3
    assert "in parts" in error


def test_database_in_a_folder_that_cannot_be_made_is_a_sentence(
    genrec: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "file" / "genrec.db"))
    code, _, error = genrec("library", "stats")
    assert code == 1
    assert "cannot be opened" in error
    assert error.count("\n") == 1


def test_list_shows_details_of_tags(genrec: Run, tmp_path: Path) -> None:
    track = json.loads(genrec("library", "list", "--json")[1])["tracks"][0]
    assert (track["album"], track["year"], track["isrc"], track["recording_id"]) == ("", 0, "", "")
