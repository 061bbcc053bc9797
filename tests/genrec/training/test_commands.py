"""``genrec train``, ``export`` and ``evaluate`` as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT
from tests.synth import STYLES, music, write_av

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def genrec(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def report(*arguments: str | Path) -> dict[str, Any]:
    finished = genrec("evaluate", *arguments, "--json")
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def test_a_folder_of_music_becomes_a_preset_that_is_measured(tmp_path: Path) -> None:
    for style in (0, 3):
        folder = tmp_path / "data" / STYLES[style].name
        folder.mkdir(parents=True)
        for i in range(6):
            write_av(
                folder / f"{style}{i}.m4a", music(5 * i + style, 4, 44100), 44100,
                container="ipod", codec="aac", title=f"Song {style}{i}",
            )  # fmt: skip
    (tmp_path / "data" / "disco" / "notes.mp3").write_text("no music at all, only words\n" * 50)
    data, run, preset = tmp_path / "data", tmp_path / "run", tmp_path / "models" / "mine"
    common = ("--data", data, "--cache", tmp_path / "cache")
    train = ("train", *common, "--run", run, "--epochs", "1", "--batch", "4", "--crops", "1")

    trained = genrec(*train)
    assert trained.returncode == 0, trained.stderr
    assert "notes.mp3: " in trained.stderr
    assert (run / "history.png").exists()
    again = genrec(*train, "--fresh")
    assert (again.returncode, again.stdout) == (2, "")
    assert "holds a run already" in again.stderr

    made = genrec("export", *common, "--run", run, "--out", preset, "--precision", "fp32")
    assert made.returncode == 0, made.stderr
    assert "no starter catalogue" in made.stdout  # titles, but no artists
    judged = report("--preset", preset, *common, "--plots", tmp_path / "plots")
    metrics = json.loads((preset / "metrics.json").read_text(encoding="utf-8"))
    assert judged["accuracy"] == metrics["accuracy"]
    assert (judged["tracks"], judged["split"], judged["labels"]) == (
        2,
        "paper",
        ["ballad", "disco"],
    )
    assert judged["audio"]["tracks"] == 2
    assert judged["audio"]["accuracy"] == judged["audio"]["accuracy_arrays"]
    assert (tmp_path / "plots" / "confusion.png").exists()
    every = report("--preset", preset, *common, "--split", "all", "--no-audio")
    assert (every["tracks"], every["audio"]) == (12, None)


def test_a_data_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    finished = genrec("train", "--data", tmp_path, "--run", tmp_path / "run")
    assert finished.returncode == 2
    assert "holds neither logmel.npz nor folders of audio" in finished.stderr
    assert "Traceback" not in finished.stderr
