"""The model card: figures of a twin that was trained on a split by artist."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from genrec.errors import DataError
from genrec.preset import METRICS, Preset
from genrec.training.export.model_card import add_to_card, twin_of
from tests.repository import ROOT


@pytest.fixture
def twin(tmp_path: Path) -> Preset:
    """Return a preset of a split by artist, with figures."""
    folder = shutil.copytree(ROOT / "models" / "vgg16", tmp_path / "twin")
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    row = {"figure": "accuracy", "value": 0.625, "beside": None, "tracks": 275}
    metrics |= {"split": "filtered-wide", "figures": [row], "sources": None, "precision": "fp16"}
    metrics["training"] |= {"weights": "runs-a", "teachers": ["runs-b"]}
    (folder / METRICS).write_text(json.dumps(metrics), encoding="utf-8")
    return Preset.load(folder)


def test_card_has_the_figures_of_a_twin(twin: Preset, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "models" / "vgg16", tmp_path / "vgg16")
    preset = Preset.load(folder)
    add_to_card(preset, {"twin": twin_of(twin)})
    text = (folder / "README.md").read_text(encoding="utf-8")
    section = text.split("## Artists it does not know\n")[1].split("\n## ")[0]
    assert "`vgg16` is a VGG16 of the\nfiltered-wide split" in section
    assert "from the weights of `runs-a`, taught by `runs-b`" in section
    assert "exported as\nfp16" in section
    assert "| figure | vgg16 |" in section
    assert "| accuracy | 0.625 (275 tracks) |" in section


def test_twin_without_figures_raises(twin: Preset) -> None:
    metrics = json.loads((twin.folder / METRICS).read_text(encoding="utf-8"))
    del metrics["figures"]
    (twin.folder / METRICS).write_text(json.dumps(metrics), encoding="utf-8")
    with pytest.raises(DataError, match="--figures --write-card"):
        twin_of(twin)


def test_card_tells_that_music_was_changed(twin: Preset) -> None:
    package = {"name": "one", "songs": 2, "hours": 0.1, "licences": ["CC0"]}
    sources = {"teachers": [], "packages": [package], "networks": [], "lineage": []}
    for changed in (False, True):
        add_to_card(twin, {"sources": sources | {"changed": changed}})
        text = (twin.folder / "README.md").read_text(encoding="utf-8")
        assert ("windows of this music were from changed copies" in text) == changed


def test_card_tells_the_steps_from_the_first_weights_on(tmp_path: Path) -> None:
    preset = Preset.load(shutil.copytree(ROOT / "models" / "vgg16", tmp_path / "vgg16"))
    steps = [
        {"name": "b", "weights": "a", "teachers": ["x", "y"], "labels": 10, "synthetic": False},
        {"name": "a", "weights": "none", "teachers": [], "labels": 40, "synthetic": True},
    ]
    unknown = {"name": "c", "weights": "", "teachers": [], "labels": 2, "synthetic": False}
    sources = {"teachers": [], "packages": [], "networks": ["x@1"], "lineage": steps}
    add_to_card(preset, {"sources": sources})
    text = (preset.folder / "README.md").read_text(encoding="utf-8")
    assert "from the weights of `b`, taught by `x@1`, and exported" in text
    assert (
        "`b` was trained from the weights of `a`, taught by `x` and `y`. `a` was trained from"
        " random weights on 40 ensembles of synthetic music. "
    ) in text
    add_to_card(preset, {"sources": sources | {"lineage": [unknown]}})
    text = (preset.folder / "README.md").read_text(encoding="utf-8")
    assert "`c` was trained from weights that are not on record, to tell 2 labels apart. " in text
