"""Music descriptions beside a starter catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import PresetError
from genrec.preset import Preset
from genrec.spectrogram import power_spectrogram
from genrec.starter_descriptions import (
    STARTER_DESCRIPTIONS,
    read_starter_descriptions,
    write_starter_descriptions,
)
from genrec.training.description.describe_starter import mean_square
from tests.repository import ROOT
from tests.synth import music


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_shipped_starter_tracks_have_descriptions(name: str) -> None:
    starter = Preset.load(ROOT / "models" / name).starter()
    assert starter is not None
    assert set(starter.descriptions) == set(starter.names)
    described = starter.descriptions.values()
    assert sum(each.sure_bpm is not None for each in described) > len(starter.names) / 2
    assert sum(each.sure_key is not None for each in described) > len(starter.names) / 3


def test_descriptions_are_read_as_written(tmp_path: Path) -> None:
    shipped = read_starter_descriptions(ROOT / "models" / "resnet50")
    write_starter_descriptions(tmp_path, shipped)
    assert read_starter_descriptions(tmp_path) == shipped


def test_a_preset_may_have_none(tmp_path: Path) -> None:
    assert read_starter_descriptions(tmp_path) == {}


@pytest.mark.parametrize("damage", ["cut", "shape", "value"])
def test_a_damaged_file_is_an_error(damage: str, tmp_path: Path) -> None:
    path = tmp_path / STARTER_DESCRIPTIONS
    shutil.copy(ROOT / "models" / "resnet50" / STARTER_DESCRIPTIONS, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        arrays = dict(np.load(path))
        rows = arrays["descriptions"]
        arrays["descriptions"] = rows[:-1] if damage == "shape" else np.full_like(rows, np.nan)
        np.savez(path, **arrays)
    with pytest.raises(PresetError, match="Remove the file"):
        read_starter_descriptions(tmp_path)


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_mean_square_of_a_spectrogram_is_that_of_its_samples(gain: float, preset: Preset) -> None:
    y = np.float32(gain) * music(1, 10.0, 22050)
    mel = preset.mel_basis @ power_spectrogram(y, preset.spectrogram)
    ref_db = float(10 * np.log10(mel.max()))
    S_db = np.maximum(10 * np.log10(np.maximum(mel, 1e-10)) - ref_db, -80).astype(np.float32)
    found = mean_square(S_db, ref_db)
    assert 10 * np.log10(found / np.mean(y**2)) == pytest.approx(0, abs=0.5)
