"""``genrec move`` at the command line: what it prints, and when it is refused."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from bot.cli.move_database import _show
from bot.runtime.instance_lock import instance_lock
from db.address import PostgresAddress
from db.move import MoveReport
from tests.bot.cli.test_library import Run, genrec
from tests.bot.cli.test_library_folders import Index, index
from tests.db.fakes import fill

__all__ = ["genrec", "index"]  # fixtures


@pytest.fixture
def library(genrec: Run, index: Index, tmp_path: Path) -> Path:
    """Return the path of a database with three tracks of a folder, and the starter catalogue."""
    fill(tmp_path / "music", 3)
    index(tmp_path / "music")
    return tmp_path / "genrec.db"


def listed(genrec: Run) -> list[object]:
    return list(json.loads(genrec("library", "list", "--json")[1])["tracks"])


def test_moved_database_has_the_same_tracks_under_their_ids(
    genrec: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listed(genrec)
    moved = tmp_path / "moved.db"
    code, out, error = genrec("move", moved)
    assert (code, error) == (0, "")
    assert f"{library} is moved to {moved}: 15 tracks," in out
    assert f"Now set GENREC_DATABASE={moved} and start the bot." in out
    monkeypatch.setenv("GENREC_DATABASE", str(moved))
    assert listed(genrec) == before
    assert len(before) == 15


def test_destination_may_come_from_standard_input(
    genrec: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{tmp_path / 'moved.db'}\n"))
    code, out, _ = genrec("move", "-", "--json")
    report = json.loads(out)
    assert (code, report["destination"]) == (0, str(tmp_path / "moved.db"))
    assert report["tables"]["entry"]["rows"] == report["tracks"] == 3
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    code, _, error = genrec("move", "-")
    assert code == 2
    assert "standard input is empty" in error


def test_move_is_refused_while_a_bot_runs(genrec: Run, library: Path, tmp_path: Path) -> None:
    with instance_lock(library):
        code, out, error = genrec("move", tmp_path / "moved.db")
    assert (code, out) == (1, "")
    assert error.startswith("Another bot is running with the database")
    assert not (tmp_path / "moved.db").exists()


def test_address_without_a_server_is_a_sentence_without_the_password(
    genrec: Run, library: Path
) -> None:
    code, out, error = genrec("move", "postgresql://genrec:s3cret@127.0.0.1:1/genrec")
    assert (code, out) == (3, "")
    assert "postgresql://genrec@127.0.0.1:1/genrec" in error
    assert "its host and port in the address." in error
    assert error.count("\n") == 1
    assert "s3cret" not in error


def test_broken_address_is_named_as_the_argument(genrec: Run, library: Path) -> None:
    code, out, error = genrec("move", "postgresql://genrec:s3cret@127.0.0.1")
    assert (code, out) == (2, "")
    assert "correct the address" in error
    assert "GENREC_DATABASE" not in error


def test_destination_that_holds_something_is_refused_input(
    genrec: Run, library: Path, tmp_path: Path
) -> None:
    occupied = tmp_path / "occupied.db"
    occupied.write_text("mine")
    for destination, words in (
        (occupied, "exists already, and nothing is overwritten"),
        (library, "The destination is the database itself"),
    ):
        code, out, error = genrec("move", destination)
        assert (code, out) == (3, "")
        assert words in error
        assert error.count("\n") == 1
    assert occupied.read_text() == "mine"


def test_other_kind_of_server_is_no_file(
    genrec: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "out")
    for address in ("mysql://genrec:s3cret@db/genrec", "postgresql:/db/genrec"):
        code, _, error = genrec("move", address)
        assert code == 2
        assert "correct the address" in error
        assert "s3cret" not in error
    assert not list((tmp_path / "out").iterdir())


def test_server_that_is_left_is_to_be_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    report = MoveReport({}, tracks=0, seconds=0.0)
    _show(report, PostgresAddress("postgresql://genrec@db/genrec"), Path("back.db"))
    assert "postgresql://genrec@db/genrec is unchanged: delete it with dropdb when" in (
        capsys.readouterr().out
    )
