"""Every command of the documentation exists, and runs or says why it is not run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import soundfile

from tests.repository import ROOT, relative
from tests.site.commands import (
    Block,
    blocks,
    calls,
    complaint,
    inline,
    pages,
    python_folder,
    run,
    unshown,
)
from tests.synth import music

ALL = [block for page in pages() for block in blocks(page)]
RUN = sorted({block.page for block in ALL if not block.reason})
SONGS = (("The Locals", "First Single"), ("Nora Quill", "Paper Boats"), ("Oak & Ash", "Low Tide"))


@pytest.mark.parametrize("block", ALL, ids=lambda block: f"{block.page}:{block.line}")
def test_commands_of_a_block_exist(block: Block, tmp_path: Path) -> None:
    found = calls(block, tmp_path)
    assert found, "a block has commands, each behind a $"
    assert {" ".join(call): complaint(call) for call in found if complaint(call)} == {}


# The changelog also names commands of old versions.
@pytest.mark.parametrize("page", [p for p in pages() if p.name != "CHANGELOG.md"], ids=relative)
def test_commands_in_sentences_exist(page: Path) -> None:
    assert {" ".join(call): complaint(call) for call in inline(page) if complaint(call)} == {}


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_commands_are_in_console_blocks(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    programs = r"make|genrec|\.venv/bin|pip|pipx|uvx?|docker|sudo|git|systemctl|python3?"
    assert re.findall(rf"^ {{4,}}(?:{programs}) .*$", text, re.M) == []
    assert re.findall(r"^ +```", text, re.M) == [], "a block inside a list is not checked"
    assert re.findall(r"^```(?:bash|sh|shell)$", page.read_text(encoding="utf-8"), re.M) == []


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_headings_follow_an_empty_line(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert re.findall(r"(?<=[^\n])\n(#{1,6} .*)", text) == []


@pytest.fixture
def desk(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder with music, a clip and the command genrec, and an environment for it."""
    for number, (artist, title) in enumerate(SONGS):
        song = tmp_path / "music" / artist / f"{title}.flac"
        song.parent.mkdir(parents=True)
        with soundfile.SoundFile(song, "w", 22050, 1, format="FLAC") as file:
            file.title, file.artist = title, artist
            file.write(music(number, 12, 22050))
    soundfile.write(tmp_path / "clip.mp3", music(5, 12, 22050), 22050, format="MP3")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(python_folder())
    (tmp_path / "models").symlink_to(ROOT / "models")
    home = tmp_path / "home"
    home.mkdir()
    path = f"{python_folder()}:{os.environ['PATH']}"
    return tmp_path, {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "120"}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_commands_of_a_page_run(page: str, desk: tuple[Path, dict[str, str]]) -> None:
    folder, environment = desk
    for block in ALL:
        if block.page == page and not block.reason:
            assert unshown(block, run(block, folder, environment)) == []


def test_unknown_commands_options_and_targets_are_found() -> None:
    assert complaint(["genrec", "index", "FOLDER", "--csv", "a.csv"]) == ""
    assert complaint(["genrec", "library", "export", "FILE", "--scope", "guild:1"]) == ""
    assert "no command hear" in complaint(["genrec", "hear", "clip.mp3"])
    assert "--loud" in complaint(["genrec", "recommend", "clip.mp3", "--loud"])
    assert "too many" in complaint(["genrec", "recommend", "a.mp3", "b.mp3"])
    assert "no option --loud" in complaint(["genrec", "--loud"])
    assert "no target or path sing" in complaint(["make", "sing"])
    assert "tests/gone.py" in complaint(["make", "test", "ARGS=tests/gone.py -x"])


def test_output_that_a_command_does_not_print_is_found(tmp_path: Path) -> None:
    block = Block(
        "page.md", 1, "$ echo 12 tracks \\\n    found\n13 tracks found\nand more\n...\n", ""
    )
    assert block.script == "echo 12 tracks \\\n    found\n"
    assert unshown(block, run(block, tmp_path, {"PATH": os.environ["PATH"]})) == ["and more"]
    with pytest.raises(AssertionError, match="exit code 3"):
        run(Block("page.md", 1, "$ exit 3\n", ""), tmp_path, {})
