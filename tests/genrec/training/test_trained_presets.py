"""A preset as the start of a training run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.dataset import split
from genrec.training.data.songs import read_run_sources, write_run_sources
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.preset import NETWORK
from genrec.training import architectures, batches, train, trained_presets
from genrec.training import settings as setup
from genrec.training.export.calibrate import UncalibratedPreset
from genrec.training.export.export import convert, load_trained, serving_model
from tests.genrec.training.small import SETTINGS, played_data

pytestmark = MARKS

DATA = played_data([5 * i + style for style in (0, 3) for i in range(6)])


@pytest.fixture(scope="module", params=["vgg16", "resnet50"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """Return a preset, and the run that it was exported from, whose network is random."""
    folder = tmp_path_factory.mktemp(request.param)
    parts = split(DATA, folder, "paper")
    settings = replace(SETTINGS, arch=request.param)
    run, out = folder / "run", folder / "preset"
    setup.write_or_check_settings(run, settings, DATA.labels, resume=False)
    model, _ = architectures.build(settings, len(DATA.labels))
    rng = np.random.default_rng(0)
    for norm in (each for each in model.layers if "_bn" in each.name):
        size = norm.gamma.shape
        norm.set_weights([rng.uniform(low, 1, size) for low in (0.5, -1, -0.5, 0.5)])
    model.save_weights(run / setup.CHECKPOINT)
    examples = batches.all_windows(DATA, parts["train"], settings)[0]
    out.mkdir()
    convert(serving_model(model, settings), out / NETWORK, "int8", examples)
    preset = UncalibratedPreset(name="start", settings=settings, labels=DATA.labels).save(out)
    metrics = {"split": "paper", "training": {"weights": "none"}}
    (out / "metrics.json").write_text(json.dumps(metrics))
    return SimpleNamespace(preset=preset, parts=parts, settings=settings, run=run)


def images(exported: SimpleNamespace) -> list[np.ndarray]:
    drawn = batches.TrainingBatches(DATA, exported.parts["train"], exported.settings)
    return [drawn[i][0] for i in range(len(drawn))]


def test_network_answers_as_the_preset_it_starts_from(exported: SimpleNamespace) -> None:
    model, _ = architectures.build(exported.settings, 2)
    trained_presets.init_from_preset(model, exported.preset, DATA.labels, images(exported))
    x = images(exported)[0]
    expected = load_trained(exported.run, exported.settings, 2).predict_on_batch(x)
    answers = np.asarray(model.predict_on_batch(x))
    # The weights of the preset are rounded to 255 steps each.
    assert np.abs(answers - expected).max() < 0.1 * np.abs(expected).max()
    # BatchNorm has the moments of its input, so that a training step begins near these answers.
    first = next(each for each in model.layers if isinstance(each, keras.layers.BatchNormalization))
    inputs = keras.Model(model.input, first.input)
    maps = np.concatenate([np.asarray(inputs(each)) for each in images(exported)])
    _, _, mean, variance = (np.asarray(each) for each in first.get_weights())
    np.testing.assert_allclose(mean, maps.mean((0, 1, 2)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(variance, maps.var((0, 1, 2)), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("exported", ["vgg16"], indirect=True)
def test_run_starts_from_a_preset_and_tells_its_model_id(
    exported: SimpleNamespace, tmp_path: Path
) -> None:
    start = str(exported.preset.folder)
    settings = replace(exported.settings, weights=start, epochs=1, learning_rate=1e-9, warmup=0.0)
    run = train.train(settings, DATA, exported.parts, tmp_path / "run", verbose=0)
    steps = read_run_sources(run)["lineage"]
    assert [(row["name"], row["weights"], row["labels"]) for row in steps] == [
        (exported.preset.model_id, "none", 2)
    ]
    kernels = [
        load_trained(each, settings, 2).get_layer("logits").get_weights()[0]
        for each in (run, exported.run)
    ]
    np.testing.assert_allclose(kernels[0], kernels[1], atol=0.02)
    write_run_sources(run, lineage=[{"name": "b@0"}])  # resumed, when the folder has a newer preset
    assert read_run_sources(run)["lineage"] == steps


def test_head_of_other_labels_stays_random(exported: SimpleNamespace) -> None:
    labels = ["polka", "tango"]
    settings = replace(exported.settings, split="filtered", weights=str(exported.preset.folder))
    preset = trained_presets.load_start_preset(exported.preset.folder, settings, labels)
    model, _ = architectures.build(settings, len(labels))
    head = model.get_layer("logits").get_weights()[0]
    trained_presets.init_from_preset(model, preset, labels, images(exported))
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], head)


def test_preset_that_does_not_fit_is_refused(exported: SimpleNamespace, tmp_path: Path) -> None:
    settings, folder = exported.settings, exported.preset.folder
    other = {"vgg16": "resnet50", "resnet50": "vgg16"}[settings.arch]
    load = trained_presets.load_start_preset
    with pytest.raises(DataError, match=f"has a {settings.arch}, and its weights do not fit"):
        load(folder, replace(settings, arch=other), DATA.labels)
    with pytest.raises(DataError, match="split is paper there and filtered here"):
        load(folder, replace(settings, split="filtered"), DATA.labels)
    shutil.copytree(folder, tmp_path / "unknown")
    (tmp_path / "unknown" / "metrics.json").write_text(json.dumps({"split": "mine.csv"}))
    with pytest.raises(DataError, match="does not record which of paper, filtered"):
        load(tmp_path / "unknown", replace(settings, split="mine.csv"), DATA.labels)
    model, _ = architectures.build(replace(settings, arch=other), 2)
    with pytest.raises(DataError, match="is missing or has another shape"):
        trained_presets.init_from_preset(model, exported.preset, DATA.labels, images(exported))


@pytest.mark.parametrize("exported", ["vgg16"], indirect=True)
def test_network_of_floats_is_refused(exported: SimpleNamespace, tmp_path: Path) -> None:
    network = serving_model(load_trained(exported.run, exported.settings, 2), exported.settings)
    convert(network, tmp_path / "model.tflite", "fp32", images(exported)[0])
    with pytest.raises(DataError, match="is not an int8 network"):
        trained_presets.float_weights(tmp_path / "model.tflite")
