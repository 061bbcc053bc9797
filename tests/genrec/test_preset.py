"""A preset is loaded completely, or refused with a sentence."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from genrec.bounds import load_arrays
from genrec.errors import ModelMismatch, PresetError
from genrec.preset import (
    ARRAYS,
    CATALOGUE,
    CONFIG,
    LABELS,
    METRICS,
    NETWORK,
    Calibration,
    Preset,
    content_hash,
)  # fmt: skip
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


def _npz(path: Path, entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_arrays_are_loaded_as_numpy_saved_them(tmp_path: Path) -> None:
    saved = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"]), "c": np.array("one")}
    np.savez_compressed(tmp_path / "a.npz", **saved)
    loaded = load_arrays(tmp_path / "a.npz", max_bytes=10_000)
    assert loaded.keys() == saved.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_npz_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _npz(tmp_path / "bomb.npz", {"a.npy": _npy(np.zeros(10_000_000))})
    assert (tmp_path / "bomb.npz").stat().st_size < 200_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(ValueError, match="at most 64 of 1000000 bytes"):
        load_arrays(tmp_path / "bomb.npz", max_bytes=1_000_000)


HUGE = _npy(np.zeros(4)).replace(b"(4,), }" + b" " * 9, b"(9999999999,), }")


@pytest.mark.parametrize(
    "entries",
    [
        {"a.npy": HUGE},
        {"a.npy": _npy(np.zeros(4))[:-1]},
        {"a.npy": _npy(np.zeros(4)) + b"x"},
        {"a.npy": _npy(np.array([{}], dtype=object))},
        {"a.npy": _npy(np.zeros(4)).replace(b"(4,), }", b"(4,),  ")},
        {"a.npy": b"PK"},
        {"a.npy": b""},
        {f"{n}.npy": _npy(np.zeros(1)) for n in range(65)},
    ],
    ids=["promises too much", "cut", "longer", "pickle", "no header", "no npy", "empty", "many"],
)
def test_dishonest_npz_is_refused(tmp_path: Path, entries: dict[str, bytes]) -> None:
    assert b"9999999999" in HUGE
    _npz(tmp_path / "a.npz", entries)
    with pytest.raises(ValueError, match=r"a|npz"):
        load_arrays(tmp_path / "a.npz", max_bytes=1_000_000)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"rubbish" * 9])
def test_file_that_is_no_npz_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ValueError, match="not an npz file"):
        load_arrays(tmp_path / "a.npz", max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("calibration", "temperature", 0.0),
        ("calibration", "temperature", -1.0),
        ("calibration", "temperature", float("nan")),
        ("calibration", "temperature", "1"),
        ("calibration", "unsure_below", 1.5),
        ("calibration", "music_below", -0.1),
        ("calibration", "cosine_zero", 1.0),
        ("calibration", "cosine_floor", float("inf")),
        ("spectrogram", "sr", 0),
        ("spectrogram", "n_fft", 10**9),
        ("spectrogram", "hop_length", 0),
        ("spectrogram", "hop_length", 0.5),
        ("spectrogram", "n_mels", 64),
        ("spectrogram", "n_mels", True),
        ("spectrogram", "top_db", -80.0),
        ("spectrogram", "fmax", -1.0),
        ("image", "width", 10**6),
        ("image", "hop_columns", 0),
        ("image", "noise_db", 60.0),
    ],
)
def test_preset_with_a_value_out_of_range_is_refused(
    folder: Path, section: str, name: str, value: object
) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config[section][name] = value
    config["content_hash"] = content_hash(folder, config)
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(PresetError, match=r"expected|mel_basis"):
        Preset.load(folder)


@pytest.mark.parametrize("labels", [[], ["a", "a"], ["a", ""], ["a", 1], {"a": 1}, None])
def test_preset_with_impossible_labels_is_refused(folder: Path, labels: object) -> None:
    (folder / LABELS).write_text(json.dumps(labels))
    config = json.loads((folder / CONFIG).read_text())
    config["content_hash"] = content_hash(folder, config)
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(PresetError, match="labels"):
        Preset.load(folder)


@pytest.mark.parametrize("config", [[], None, 3, "format"])
def test_config_that_is_no_object_is_refused(folder: Path, config: object) -> None:
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(PresetError, match="format None"):
        Preset.load(folder)


@pytest.mark.parametrize("name", ["titles", "fingerprints", "embeddings"])
def test_starter_catalogue_with_a_short_column_is_refused(folder: Path, name: str) -> None:
    rows = load_arrays(folder / CATALOGUE, max_bytes=1 << 30)
    rows[name] = rows[name][:-1]
    np.savez(folder / CATALOGUE, **rows)
    with pytest.raises(PresetError, match=name):
        Preset.load(folder).starter()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_starter_catalogue_with_an_impossible_vector_is_refused(folder: Path, value: float) -> None:
    rows = load_arrays(folder / CATALOGUE, max_bytes=1 << 30)
    rows["embeddings"][3] = value
    np.savez(folder / CATALOGUE, **rows)
    with pytest.raises(PresetError, match="embeddings"):
        Preset.load(folder).starter()
