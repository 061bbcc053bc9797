"""Mistakes and mishaps at the command line: one sentence with the fix, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.cli import library
from bot.cli.stopped import FilesDone, Stopped, says_what_is_kept
from tests.bot.end_to_end.fakes import make_preset

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command) -> Run:
    """Return a function that runs the command in an empty folder: exit code, stdout, stderr."""
    make_preset(tmp_path / "preset", songs=12)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    return run_command


# Settings


def test_unknown_variable_is_named_with_the_nearest_setting(
    genrec: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREC_LIBRARYY", "music")
    Path(".env").write_text("GENREC_ANALYSED_S=20\nOTHER=1\nGENREC_ZZZ=1\n")
    code, out, error = genrec("library", "stats", "--json")
    assert (code, json.loads(out)["tracks"]) == (0, 12)
    no_setting = "is not a setting of genrec, so it has no effect."
    assert error.splitlines() == [
        f"GENREC_ANALYSED_S {no_setting} Did you mean GENREC_ANALYZED_S?",
        f"GENREC_LIBRARYY {no_setting} Did you mean GENREC_LIBRARY?",
        f"GENREC_ZZZ {no_setting} Remove it, or look in docs/settings.md.",
    ]


def test_known_variables_cause_no_warning(genrec: Run) -> None:
    Path(".env").write_text("GENREC_WORKERS=1\ngenrec_heard_s=20\n")
    assert genrec("library", "stats")[2] == ""


# Music folders


def test_index_without_a_folder_takes_the_library(
    genrec: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, error = genrec("index", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "settings")
    assert error == "Name a music folder, or set GENREC_LIBRARY to one.\n"
    music = tmp_path / "music"
    music.mkdir()
    (music / "notes.txt").write_text("no sound")
    monkeypatch.setenv("GENREC_LIBRARY", str(music))
    code, _, error = genrec("index")
    assert code == 3
    assert error == f"There is no music in {music}: name a folder with sound files.\n"


def test_empty_folder_has_no_music(genrec: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, out, error = genrec("index", empty)
    assert (code, out) == (3, "")
    assert error == f"There is no music in {empty}: name a folder with sound files.\n"
    assert genrec("index", empty, "--allow-empty")[0] == 0


# The system


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_is_one_sentence(genrec: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full, monkeypatch.context() as patched:
        patched.setattr(library.sys, "stdout", full)
        code, _, error = genrec("library", "export", "-", "--format", "csv")
    assert code == 1
    assert error == "No space left on device. Mend that and run the command again.\n"


def test_ctrl_c_says_what_is_kept(genrec: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(_folder: Any, _options: Any, done: FilesDone, **_: Any) -> None:
        done.count, done.total = 3, 8
        raise KeyboardInterrupt

    monkeypatch.setattr(library, "_index", interrupted)
    code, out, error = genrec("index", ".")
    assert (code, out) == (130, "")
    assert error == (
        "Stopped. 3 of 8 files are done and kept; run the same command again for the rest.\n"
    )


def test_ctrl_c_before_the_first_file_keeps_nothing() -> None:
    with (
        pytest.raises(Stopped, match="No file is analysed yet"),
        says_what_is_kept(FilesDone().sentence),
    ):
        raise KeyboardInterrupt


def test_ctrl_c_of_another_command_exits_with_130(
    genrec: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_stats", interrupted_at_once)
    code, out, error = genrec("library", "stats")
    assert (code, out, error) == (130, "", "Stopped. Finished work is kept.\n")


async def interrupted_at_once() -> None:
    raise KeyboardInterrupt
