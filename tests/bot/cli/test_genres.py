"""Tests of ``genrec genres``, and of the words that ``genrec genre`` prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import ROOT
from tests.synth import music, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command) -> Run:
    """Return a function that runs the command in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("GENREC_PRESET", str(ROOT / "models" / "resnet50"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))

    return run_command


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Return clips of one style."""
    return [write(tmp_path / f"{n}.flac", music(10 * n, 8.0), 44100) for n in range(4)]


def test_taught_genre_is_listed_named_and_forgotten(genrec: Run, clips: list[Path]) -> None:
    code, out, error = genrec("genres", "teach", "Chip*tune", clips[0], clips[1], clips[1])
    assert code == 0, error
    assert "has 2 clips, 2 of them new; it is not used yet: too few tracks" in out
    code, out, _ = genrec("genres", "teach", "chiptune", *clips[:3], "--json")
    taught = json.loads(out)
    assert (taught["name"], taught["clips"], taught["added"]) == ("Chip*tune", 3, 1)
    code, out, _ = genrec("genres", "list")
    assert "Chip*tune" in out
    code, out, _ = genrec("genres", "list", "--json")
    (listed,) = json.loads(out)["genres"]
    assert (listed["tracks"], listed["taught"]) == (3, True)
    code, out, _ = genrec("genre", clips[3], "--json")
    words = json.loads(out)["words"]
    if not listed["refusal"]:
        assert set(words) <= {"Chip*tune"}
    assert all(0.3 <= share <= 1 for share in words.values())
    saved = clips[0].with_name("genres.json")
    assert genrec("genres", "export", saved)[0] == 0
    code, out, error = genrec("genres", "import", saved, "--scope", "guild:7")
    assert (code, out) == (0, "1 genres imported, with 3 new clips.\n"), error
    assert genrec("genres", "forget", "CHIPTUNE")[:2] == (0, "Forgotten: Chip*tune.\n")
    code, _, error = genrec("genres", "forget", "chiptune")
    assert code == 3
    assert "No genre 'chiptune' was taught in the scope library" in error


def test_name_without_letters_and_unknown_scope_are_usage_errors(
    genrec: Run, clips: list[Path]
) -> None:
    assert genrec("genres", "teach", "…", clips[0])[0] == 2
    assert genrec("genres", "list", "--scope", "nowhere")[0] == 2
