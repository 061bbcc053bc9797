"""A preset is loaded completely, or refused with a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import ModelMismatch, PresetError
from genrec.preset import ARRAYS, CATALOGUE, CONFIG, LABELS, METRICS, NETWORK, Calibration, Preset
from tests.repository import ROOT

PRESETS = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))
SHIPPED = ROOT / "models" / "vgg16"
each_preset = pytest.mark.parametrize("shipped", PRESETS, ids=lambda preset: preset.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "vgg16")
    return tmp_path / "vgg16"


def test_both_presets_are_shipped() -> None:
    assert [preset.name for preset in PRESETS] == ["resnet50", "vgg16"]


@each_preset
def test_shipped_preset_is_complete(shipped: Path) -> None:
    preset = Preset.load(shipped)
    assert preset.model_id.startswith(f"{preset.arch}@")
    assert len(preset.labels) == 10
    assert preset.mel_basis.shape == (128, 1025)
    assert preset.metrics()["model_id"] == preset.model_id
    assert (shipped / NETWORK).stat().st_size < 30 * 2**20


@each_preset
def test_shipped_starter_catalogue_has_titles_artists_and_unit_vectors(shipped: Path) -> None:
    preset = Preset.load(shipped)
    starter = preset.starter()
    assert starter is not None
    assert len(starter.names) > 700
    assert all(starter.titles)
    assert all(starter.artists)
    assert len(set(starter.names)) == len(starter.names)
    assert starter.embeddings.shape == (len(starter.names), preset.dimension)
    np.testing.assert_allclose(np.linalg.norm(starter.embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("file", [NETWORK, LABELS, ARRAYS])
def test_changed_file_is_refused(folder: Path, file: str) -> None:
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelMismatch, match="changed after it was exported"):
        Preset.load(folder)


def test_changed_front_end_is_refused(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config["spectrogram"]["hop_length"] = 512
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelMismatch):
        Preset.load(folder)


@pytest.mark.parametrize("file", [CONFIG, NETWORK, LABELS, ARRAYS])
def test_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(PresetError, match=file):
        Preset.load(folder)


def test_other_format_is_refused(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config["format"] = 99
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(PresetError, match="update genrec"):
        Preset.load(folder)


def test_invalid_json_is_refused(folder: Path) -> None:
    (folder / CONFIG).write_text("{")
    with pytest.raises(PresetError, match="not JSON"):
        Preset.load(folder)


def test_starter_catalogue_of_another_model_is_refused(folder: Path) -> None:
    with np.load(folder / CATALOGUE) as archive:
        rows = dict(archive)
    rows["model_id"] = np.array("vgg16@000000000000")
    np.savez(folder / CATALOGUE, **rows)
    with pytest.raises(ModelMismatch, match="vgg16@000000000000"):
        Preset.load(folder).starter()


def test_preset_without_catalogue_and_metrics_is_loaded(folder: Path) -> None:
    (folder / CATALOGUE).unlink()
    (folder / METRICS).unlink()
    preset = Preset.load(folder)
    assert preset.starter() is None
    assert preset.metrics() == {}


def test_similarity_maps_cosine_zero_to_0_and_clips() -> None:
    scale = Calibration(cosine_zero=0.2)
    assert scale.similarity(1.0) == 1
    assert scale.similarity(0.2) == 0
    assert scale.similarity(-0.5) == 0
    assert scale.similarity(0.6) == pytest.approx(0.5)
