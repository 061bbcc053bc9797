"""``genrec backup``, ``genrec restore`` and ``genrec library remove`` at the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from bot.runtime.instance_lock import instance_lock
from tests.bot.cli.test_library import Run, genrec
from tests.bot.cli.test_library_folders import Index, index
from tests.db.fakes import fill

__all__ = ["genrec", "index"]  # fixtures


def ids(genrec: Run) -> list[int]:
    listed = json.loads(genrec("library", "list", "--scope", "library", "--json")[1])
    return [track["id"] for track in listed["tracks"]]


@pytest.fixture
def library(genrec: Run, index: Index, tmp_path: Path) -> list[int]:
    """Return the ids of three tracks of a folder."""
    fill(tmp_path / "music", 3)
    index(tmp_path / "music")
    return ids(genrec)


def test_backup_and_restore_bring_removed_tracks_back(
    genrec: Run, library: list[int], tmp_path: Path
) -> None:
    code, out, _ = genrec("backup", tmp_path / "copy.db")
    assert code == 0
    assert out.startswith(f"{tmp_path / 'genrec.db'} is backed up to {tmp_path / 'copy.db'} (")
    assert json.loads(genrec("backup", tmp_path / "copy.db", "--json")[1])["bytes"] > 0
    assert genrec("library", "remove", *map(str, library))[:2] == (0, "Removed 3 tracks.\n")
    code, out, _ = genrec("restore", tmp_path / "copy.db")
    assert code == 0
    first, second = out.splitlines()
    assert first.endswith(f"is restored from {tmp_path / 'copy.db'}: 15 tracks.")
    assert second.endswith("delete it when you no longer need it.")
    assert ids(genrec) == library
    restored = json.loads(genrec("restore", tmp_path / "copy.db", "--json")[1])
    assert restored["tracks"] == 15
    assert Path(restored["kept"]).is_file()


def test_restore_is_refused_while_a_bot_runs(genrec: Run, tmp_path: Path) -> None:
    genrec("library", "stats")
    genrec("backup", tmp_path / "copy.db")
    with instance_lock(tmp_path / "genrec.db"):
        code, out, error = genrec("restore", tmp_path / "copy.db")
        assert genrec("backup", tmp_path / "copy.db")[0] == 0
    assert (code, out) == (1, "")
    assert error.startswith("Another bot is running with the database")


def test_restore_of_a_missing_file_is_refused_input(genrec: Run, tmp_path: Path) -> None:
    code, out, error = genrec("restore", tmp_path / "none.db", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (3, "file_missing")
    assert error == f"{tmp_path / 'none.db'} is no file that can be read: name a backup.\n"


# library remove


def test_unknown_ids_are_named_and_known_ones_removed(genrec: Run, library: list[int]) -> None:
    code, out, error = genrec("library", "remove", str(library[0]), "999999")
    assert (code, out) == (3, "Removed 1 track.\n")
    assert error.startswith("No such track is in the scope library: 999999.")
    assert ids(genrec) == library[1:]


def test_search_removes_after_yes_only(genrec: Run, library: list[int]) -> None:
    listed = json.loads(genrec("library", "list", "--scope", "library", "--json")[1])["tracks"]
    words = listed[0]["title"]
    code, _, error = genrec("library", "remove", "--search", words)
    assert code == 3
    assert f"{library[0]}  " in error
    assert "1 track would be removed: pass --yes to remove them." in error
    assert ids(genrec) == library
    code, out, _ = genrec("library", "remove", "--search", words, "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"removed": 1, "missing": []})
    assert ids(genrec) == library[1:]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("n\n", 3), ("", 3)])
def test_search_asks_at_the_terminal(
    genrec: Run, library: list[int], monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    listed = json.loads(genrec("library", "list", "--scope", "library", "--json")[1])["tracks"]
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", Terminal(answer))
        code, _, _ = genrec("library", "remove", "--search", listed[0]["title"])
    assert code == (0 if left == 2 else 130)
    assert len(ids(genrec)) == left


@pytest.mark.parametrize("words", ["nothing has this", "  "])
def test_search_without_a_match_says_so(genrec: Run, library: list[int], words: str) -> None:
    code, _, error = genrec("library", "remove", "--search", words, "--yes")
    assert code in (2, 3)
    assert "words" in error
    assert ids(genrec) == library


def test_folder_is_removed_and_an_unknown_one_refused(
    genrec: Run, library: list[int], tmp_path: Path
) -> None:
    code, _, error = genrec("library", "remove", "--folder", tmp_path / "none")
    assert code == 3
    assert "has no tracks of" in error
    assert genrec("library", "remove", "--folder", tmp_path / "music")[1] == "Removed 3 tracks.\n"
    assert ids(genrec) == []


@pytest.mark.parametrize("words", [(), ("1", "--search", "a"), ("--search", "a", "--folder", "b")])
def test_exactly_one_way_is_named(genrec: Run, words: tuple[str, ...]) -> None:
    code, _, error = genrec("library", "remove", *words)
    assert code == 2
    assert "name either track ids" in error
