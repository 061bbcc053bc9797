"""``genrec evaluate --runtime``: the figures of a preset in the library that serves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from genrec.errors import DataError, PresetError
from genrec.preset import Preset
from genrec.runtimes import onnxruntime_installed
from tests.repository import ROOT
from tests.synth import music, write

pytest.importorskip("keras")
PRESET = ROOT / "models" / "resnet50"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a clip of each genre of the preset."""
    folder = tmp_path_factory.mktemp("clips")
    for number, genre in enumerate(Preset.load(PRESET).labels):
        (folder / genre).mkdir()
        write(folder / genre / "clip.wav", music(number, 6), 22050)
    return folder


def evaluated(folder: Path, cache: Path, runtime: str, *options: str) -> dict[str, Any]:
    """Return the report of the command."""
    run = CliRunner().invoke(
        app,
        [
            "evaluate", "--preset", str(PRESET), "--data", str(folder), "--split", "all",
            "--no-audio", "--json", "--cache", str(cache), "--runtime", runtime, *options,
        ],
        standalone_mode=False,
    )  # fmt: skip
    if run.exception:
        raise run.exception
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.skipif(not onnxruntime_installed(), reason="the extra onnxruntime is not installed")
def test_both_runtimes_give_the_same_figures(folder: Path, tmp_path: Path) -> None:
    reports = [evaluated(folder, tmp_path, name) for name in ("litert", "onnxruntime")]
    assert [each["runtime"] for each in reports] == ["litert", "onnxruntime"]
    assert [each["tracks"] for each in reports] == [10, 10]
    assert reports[1]["calibration"]["nll"] == pytest.approx(
        reports[0]["calibration"]["nll"], abs=0.05
    )


def test_missing_runtime_is_named_before_the_evaluation(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrec.runtimes.onnxruntime_installed", lambda: False)
    with pytest.raises(PresetError, match="genrec\\[onnxruntime\\]"):
        evaluated(tmp_path / "missing", tmp_path, "onnxruntime")
    assert evaluated(folder, tmp_path, "auto")["runtime"] == "litert"


def test_card_has_no_figures_of_another_runtime(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--write-card has the figures of LiteRT"):
        evaluated(tmp_path, tmp_path, "auto", "--write-card")
