"""Options of ``archive``, ``train`` and ``evaluate-projection`` reach what they are for."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.cli.stopped import Stopped
from genrec.errors import DataError
from genrec.preset import METRICS, Preset
from genrec.training.export import projection_sizes
from genrec.training.settings import TrainingSettings
from tests.genrec.training.small import blank_data, write_archive
from tests.repository import ROOT
from tests.synth import music, write

pytest.importorskip("keras")
PRESET = ROOT / "models" / "resnet50"


def genrec(*arguments: str | Path) -> str:
    """Return what a command prints; raise its exception."""
    run = CliRunner().invoke(app, [*map(str, arguments)], standalone_mode=False)
    if run.exception:
        raise run.exception
    return run.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder whose excerpts are in the training part of the filtered split."""
    labels = Preset.load(PRESET).labels
    made = blank_data([genre for genre in labels for _ in range(5)])
    folder = write_archive(tmp_path / "data", made)
    with (folder / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["excerpt", "artist_key", "split_filtered"])
        rows.writerows([name, name, "train"] for name in made.names)
    return folder


def preset_of(split: str, tmp_path: Path) -> Path:
    """Return a copy of a preset that records this split."""
    folder = shutil.copytree(PRESET, tmp_path / split)
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    (folder / METRICS).write_text(json.dumps(metrics | {"split": split}), encoding="utf-8")
    return folder


def test_archive_writes_changed_songs(tmp_path: Path) -> None:
    (tmp_path / "free" / "one").mkdir(parents=True)
    write(tmp_path / "free" / "one" / "a.wav", music(1, 31, 22050), 22050)
    for out, option in (("plain", ()), ("changed", ("--changed",))):
        assert "1 songs" in genrec("archive", tmp_path / "free", tmp_path / out, *option)
        sources = json.loads((tmp_path / out / "sources.json").read_text(encoding="utf-8"))
        assert sources["changed"] == bool(option)


def test_train_gets_the_changed_archives(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrec.training import train

    seen: list[TrainingSettings] = []

    def fit(settings: TrainingSettings, *_: Any, **__: Any) -> None:
        seen.append(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", fit)
    more = ("--unlabelled", "free", "--changed", "one", "--changed", "two")
    with pytest.raises(Stopped):
        genrec("train", "--data", data, "--split", "filtered-wide", "--run", tmp_path / "r", *more)
    assert seen[0].changed == ("one", "two")


def test_folds_are_judged_on_their_own_and_averaged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, set[int]] = {}

    def sizes(analyzer: Any, _: Any, parts: Any, *, judged: str, **__: Any) -> list[dict[str, Any]]:
        found[analyzer.preset.metrics()["split"]] = set(parts[judged].tolist())
        return [{"size": 32, "same_album": len(found) / 10}]

    monkeypatch.setattr(projection_sizes, "projection_sizes", sizes)
    splits = ("filtered-fold-1", "filtered-fold-2")
    presets = [option for each in splits for option in ("--preset", preset_of(each, tmp_path))]
    rows = json.loads(genrec("evaluate-projection", *presets, "--data", data, "--json"))
    assert rows == [{"size": 32, "same_album": pytest.approx(0.15)}]
    assert set(found) == set(splits)
    assert found[splits[0]].isdisjoint(found[splits[1]])
    assert all(found.values())


def test_split_of_a_preset_is_the_recorded_one(tmp_path: Path) -> None:
    choose = projection_sizes.split_and_judged
    by_artist = Preset.load(preset_of("filtered-wide", tmp_path))
    fold = Preset.load(preset_of("filtered-fold-3", tmp_path))
    file = Preset.load(preset_of("mine.csv", tmp_path))
    assert choose(by_artist, None) == ("filtered-wide", "valid")
    assert choose(fold, None) == choose(fold, "filtered-fold-3") == ("filtered-fold-3", "test")
    assert choose(file, "there/mine.csv") == ("there/mine.csv", "valid")
    with pytest.raises(DataError, match="drop --split filtered-fold-2"):
        choose(fold, "filtered-fold-2")
    with pytest.raises(DataError, match="pass it as --split"):
        choose(file, None)
