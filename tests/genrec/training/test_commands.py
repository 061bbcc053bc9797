"""``genrec train``, ``export`` and ``evaluate`` as subprocesses."""

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


def test_train_export_and_evaluate_a_folder_of_audio(tmp_path: Path) -> None:
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
    assert "has a run already" in again.stderr

    exported = genrec("export", *common, "--run", run, "--out", preset, "--precision", "fp32")
    assert exported.returncode == 0, exported.stderr
    assert "no starter catalogue" in exported.stdout  # titles, but no artists
    measured = report("--preset", preset, *common, "--plots", tmp_path / "plots")
    metrics = json.loads((preset / "metrics.json").read_text(encoding="utf-8"))
    assert measured["accuracy"] == metrics["accuracy"]
    assert (measured["tracks"], measured["split"], measured["labels"]) == (
        2,
        "paper",
        ["ballad", "disco"],
    )
    assert measured["audio"]["tracks"] == 2
    assert measured["audio"]["accuracy"] == measured["audio"]["accuracy_arrays"]
    assert (tmp_path / "plots" / "confusion.png").exists()
    every = report("--preset", preset, *common, "--split", "all", "--no-audio")
    assert (every["tracks"], every["audio"]) == (12, None)


def test_train_without_data_exits_2_with_a_sentence(tmp_path: Path) -> None:
    finished = genrec("train", "--data", tmp_path, "--run", tmp_path / "run")
    assert finished.returncode == 2
    assert "has neither logmel.npz nor a folder of audio per genre" in finished.stderr
    assert "Traceback" not in finished.stderr
