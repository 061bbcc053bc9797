"""Training, resume, distillation and export with small images and real architectures."""

from __future__ import annotations

import gc
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.embedder import Embedder
from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.data.dataset import Parts, split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import architectures, batches, callbacks, distillation, train
from genrec.training import settings as setup
from genrec.training.evaluation import predict
from genrec.training.evaluation.evaluate import evaluate
from genrec.training.evaluation.metrics import softmax
from genrec.training.export import export, model_card, recalibrate
from tests.genrec.training.small import PNG, SETTINGS, SMALL, noise_images, played_data

pytestmark = MARKS


DATA = played_data([5 * i + style for style in (0, 3) for i in range(6)])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    found = split(DATA, tmp_path_factory.mktemp("none"), "paper")
    assert [len(found[part]) for part in ("train", "valid", "test")] == [8, 2, 2]
    return found


def open_files(path: Path) -> list[io.TextIOWrapper]:
    """Return the file objects of this process that have a file open."""
    files = [each for each in gc.get_objects() if type(each) is io.TextIOWrapper]
    return [file for file in files if file.name == str(path) and not file.closed]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> SimpleNamespace:
    """Train three epochs with an interruption after the second; record each epoch's start."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    starts: list[tuple[int, int]] = []

    class Interrupted(callbacks.EpochSeed):
        interrupt = True

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 2 and Interrupted.interrupt:
                raise KeyboardInterrupt
            starts.append((epoch, int(np.asarray(self.model.optimizer.iterations))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "EpochSeed", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(SETTINGS, DATA, parts, folder, verbose=0)
        left_open = open_files(folder / "history.csv")
        Interrupted.interrupt = False
        first = setup.read_history(folder)
        train.train(SETTINGS, DATA, parts, folder, verbose=0)
    return SimpleNamespace(folder=folder, starts=starts, first=first, left_open=left_open)


def test_interrupted_run_resumes_after_its_last_epoch(run: SimpleNamespace) -> None:
    # (epoch, optimiser steps before it): only the third epoch is trained after the interruption,
    # and the optimiser's step count is restored.
    assert run.starts == [(0, 0), (1, 2), (2, 4)]
    history = setup.read_history(run.folder)
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert history[:2] == run.first
    assert set(history[0]) == {"epoch", "accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(np.isfinite(list(row.values())).all() for row in history)
    settings, labels = setup.read_settings(run.folder)
    assert (settings, labels) == (SETTINGS, ["ballad", "disco"])


def test_history_file_is_closed_when_training_is_interrupted(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    assert run.left_open == []
    with (tmp_path / "open.csv").open("w") as file:
        assert len(open_files(Path(file.name))) == 1  # the check itself works


def test_checkpoint_is_the_epoch_of_lowest_validation_loss(
    run: SimpleNamespace, parts: Parts
) -> None:
    best = min(row["val_loss"] for row in setup.read_history(run.folder))
    assert checkpoint_loss(run.folder, SETTINGS, parts) == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_keep_last_trains_all_epochs_and_saves_the_last(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The loss rises in each epoch, and patience 1 does not stop the run.
    losses = iter([1.0, 2.0, 3.0])

    class Rising(callbacks.TrackValidation):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_end(epoch, logs)
            assert logs is not None
            measured.append(logs["val_loss"])
            logs["val_loss"] = next(losses)

    measured: list[float] = []
    monkeypatch.setattr(train, "TrackValidation", Rising)
    settings = replace(SETTINGS, keep="last", patience=1)
    train.train(settings, DATA, parts, tmp_path, verbose=0)
    assert len(setup.read_history(tmp_path)) == SETTINGS.epochs
    assert measured[-1] != pytest.approx(measured[0], rel=1e-2)
    assert checkpoint_loss(tmp_path, settings, parts) == pytest.approx(
        measured[-1], rel=1e-3, abs=1e-4
    )
    (tmp_path / "settings.json").unlink()
    setup.write_or_check_settings(tmp_path, replace(settings, epochs=9), DATA.labels, resume=True)
    with pytest.raises(DataError, match="has trained 3 of 9; finish it"):
        export.load_trained(tmp_path, settings, 2)


def checkpoint_loss(folder: Path, settings: setup.TrainingSettings, parts: Parts) -> float:
    validation = callbacks.TrackValidation(DATA, parts["valid"], settings)
    validation.set_model(export.load_trained(folder, settings, 2))
    logs: dict[str, float] = {}
    validation.on_epoch_end(0, logs)
    return logs["val_loss"]


def test_train_with_another_run_in_the_folder_raises(run: SimpleNamespace, parts: Parts) -> None:
    with pytest.raises(DataError, match="other settings: epochs is 3 there and 4 here"):
        train.train(replace(SETTINGS, epochs=4), DATA, parts, run.folder)
    with pytest.raises(DataError, match="has a run already"):
        train.train(SETTINGS, DATA, parts, run.folder, resume=False)
    with pytest.raises(DataError, match="no valid part"):
        train.train(SETTINGS, DATA, {**parts, "valid": np.array([], dtype=int)}, run.folder)
    with pytest.raises(DataError, match="64 mel bands"):
        train.train(SETTINGS, replace(DATA, levels=DATA.levels[:, :64]), parts, run.folder)
    with pytest.raises(DataError, match="is not a training run"):
        setup.read_settings(run.folder / "last")


# --- distillation


def test_targets_are_a_weighted_mean_of_teacher_and_label(
    run: SimpleNamespace, parts: Parts
) -> None:
    student = replace(SETTINGS, arch="resnet50", teachers=(str(run.folder),), distill_weight=0.75)
    soft_targets = distillation.load_teachers(student, DATA.labels)
    assert soft_targets is not None
    x, targets = batches.TrainingBatches(DATA, parts["train"], student, soft_targets)[0]
    same, label_targets = batches.TrainingBatches(DATA, parts["train"], student)[0]
    assert np.array_equal(x, same)

    logits = export.load_trained(run.folder, SETTINGS, 2).predict_on_batch(x)
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    assert targets == pytest.approx(0.75 * p + 0.25 * label_targets, abs=1e-5)
    assert not np.allclose(p, label_targets, atol=0.01)


def test_several_teachers_average_their_probabilities(run: SimpleNamespace, tmp_path: Path) -> None:
    other = replace(SETTINGS, arch="resnet50")
    setup.write_or_check_settings(tmp_path, other, DATA.labels, resume=True)
    architectures.build(other, 2)[0].save_weights(tmp_path / setup.CHECKPOINT)
    x = noise_images(2)
    one, two, both = (
        distillation.load_teachers(replace(SETTINGS, teachers=names), DATA.labels)
        for names in (
            (str(run.folder),),
            (str(tmp_path),),
            (str(run.folder), str(tmp_path)),
        )
    )
    assert one is not None
    assert two is not None
    assert both is not None
    assert both(x) == pytest.approx((one(x) + two(x)) / 2, abs=1e-6)
    assert both(x).sum(axis=1) == pytest.approx(1)


def test_teacher_of_another_split_image_or_label_set_raises(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    distilled = replace(SETTINGS, teachers=(str(run.folder),))
    for other, difference in (
        (replace(distilled, split="filtered"), "split is paper there and filtered here"),
        (
            replace(distilled, image=replace(SMALL, columns=64)),
            r"image\.columns is 32 there and 64 here",
        ),
    ):
        with pytest.raises(DataError, match=difference):
            distillation.load_teachers(other, DATA.labels)
    with pytest.raises(DataError, match="labels is ballad, disco there and ballad, polka here"):
        distillation.load_teachers(distilled, ["ballad", "polka"])
    with pytest.raises(DataError, match="is not a training run"):
        distillation.load_teachers(replace(distilled, teachers=(str(tmp_path),)), DATA.labels)
    assert distillation.load_teachers(SETTINGS, DATA.labels) is None


def test_distilled_run_records_its_teachers(
    run: SimpleNamespace, parts: Parts, tmp_path: Path
) -> None:
    distilled = replace(SETTINGS, teachers=(str(run.folder),), epochs=1)
    train.train(distilled, DATA, parts, tmp_path, verbose=0)
    assert setup.read_settings(tmp_path)[0] == distilled
    assert np.isfinite(setup.read_history(tmp_path)[0]["loss"])


def test_unusable_teacher_raises_before_the_run_folder_is_made(
    parts: Parts, tmp_path: Path
) -> None:
    wrong = replace(SETTINGS, teachers=(str(tmp_path / "none"),))
    with pytest.raises(DataError, match="is not a training run"):
        train.train(wrong, DATA, parts, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_initial_weights_of_another_split_raise(run: SimpleNamespace, parts: Parts) -> None:
    other = replace(SETTINGS, split="filtered", weights=str(run.folder))
    with pytest.raises(DataError, match="split is paper there and filtered here"):
        train.train(other, DATA, parts, run.folder.parent / "other", verbose=0)


def test_read_history_repeated_epoch_keeps_the_last_row(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,val_loss\n0,3.0\n1,2.5\n1,2.0\n")
    assert setup.read_history(tmp_path) == [
        {"epoch": 0, "val_loss": 3.0},
        {"epoch": 1, "val_loss": 2.0},
    ]
    assert setup.read_history(tmp_path / "nothing") == []


# --- export


@pytest.fixture(scope="module", params=["int8", "fp16"])
def exported(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    run: SimpleNamespace,
    parts: Parts,
) -> SimpleNamespace:
    out = tmp_path_factory.mktemp("models") / f"small-{request.param}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "MAX_LOSS", 1.0)  # of two tracks; int8 is wanted here
        exported = export.export(
            run.folder, DATA, parts, out, name=out.name, precision=request.param
        )
    report = evaluate(PresetAnalyzer(exported.preset), DATA, parts, others=exported.predictions)
    home = "/srv/music-of-mine"
    settings = replace(SETTINGS, weights=f"{home}/start.h5", teachers=(f"{home}/a", f"{home}/b"))
    model_card.write_card(exported, report, settings, [
        {"loss": 2.0, "accuracy": 0.4, "val_loss": 1.5, "val_accuracy": 0.5},
    ])  # fmt: skip
    return SimpleNamespace(out=out, result=exported, report=report, precision=request.param)


def test_recalibrated_preset_equals_the_exported_one(
    exported: SimpleNamespace, parts: Parts, tmp_path: Path
) -> None:
    again = recalibrate.recalibrate(exported.out, DATA, parts, tmp_path / exported.out.name)
    assert again.precision == exported.precision
    assert again.preset.model_id == exported.result.preset.model_id
    np.testing.assert_array_equal(again.predictions.features, exported.result.predictions.features)
    with pytest.raises(DataError, match="is not an exported preset"):
        recalibrate.recalibrate(tmp_path, DATA, parts, tmp_path / "out")
    other = replace(DATA, genres=["polka"] * len(DATA))
    with pytest.raises(DataError, match="these data have polka"):
        recalibrate.recalibrate(exported.out, other, parts, tmp_path / "out")


def test_exported_features_match_keras(exported: SimpleNamespace, run: SimpleNamespace) -> None:
    assert exported.result.precision == exported.precision
    preset = Preset.load(exported.out)
    assert preset.labels == ("ballad", "disco")
    assert re.fullmatch(rf"small-{exported.precision}@[0-9a-f]{{12}}", preset.model_id)
    model = export.load_trained(run.folder, SETTINGS, 2)
    body = keras.Model(model.input, model.get_layer("embedding").output)
    x, owner = batches.all_windows(DATA, np.arange(len(DATA)), SETTINGS)
    features = np.asarray(body(x, training=False))
    analyzer = PresetAnalyzer(preset)
    for i in range(len(DATA)):
        expected = features[owner == i].mean(axis=0)
        found = analyzer.predict_spectrogram(DATA.spectrogram(i)).features
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.98


def test_export_fits_centre_temperature_and_cosines(
    exported: SimpleNamespace, parts: Parts
) -> None:
    preset = exported.result.preset
    train_part = predict.predict_all(PresetAnalyzer(preset), DATA, parts["train"])
    np.testing.assert_allclose(preset.centre, train_part.features.mean(axis=0), atol=1e-5)
    assert 0.04 < preset.calibration.temperature < 21
    assert -1 <= preset.calibration.cosine_zero <= preset.calibration.cosine_floor <= 1
    assert preset.calibration.cosine_zero < 1


def test_starter_catalogue_has_training_and_validation_tracks_only(
    exported: SimpleNamespace, parts: Parts
) -> None:
    starter = exported.result.preset.starter()
    used = {DATA.names[i] for part in ("train", "valid") for i in parts[part]}
    assert set(starter.names) <= used
    assert len(starter.names) >= len(used) // 2
    assert all(artist.startswith("Artist ") for artist in starter.artists)
    np.testing.assert_allclose(np.linalg.norm(starter.embeddings, axis=1), 1, atol=1e-5)


def test_export_writes_metrics_card_and_plots(exported: SimpleNamespace) -> None:
    metrics = exported.result.preset.metrics()
    assert metrics["accuracy"] == exported.report["accuracy"]
    assert (metrics["split"], metrics["tracks"]) == ("paper", 2)
    assert set(metrics["validation_accuracy"]) == {"fp32", exported.precision}
    assert metrics["training"]["epochs"] == 3
    text = (exported.out / "README.md").read_text(encoding="utf-8")
    assert exported.result.preset.model_id in text
    assert f"| accuracy | {exported.report['accuracy']:.3f} |" in text
    assert "from the weights of `start.h5`, taught by `a` and `b`, and exported" in text
    assert "/srv/music-of-mine" not in text + json.dumps(metrics)  # folder names only
    assert "GTZAN" not in text  # other data
    for plot in ("confusion.png", "reliability.png", "similarity.png", "history.png"):
        assert (exported.out / plot).read_bytes().startswith(PNG)


def test_evaluate_reuses_the_predictions_of_the_export(
    exported: SimpleNamespace, parts: Parts
) -> None:
    calls: list[tuple[int, int]] = []
    analyzer = PresetAnalyzer(exported.result.preset)
    again = evaluate(analyzer, DATA, parts, progress=lambda *done: calls.append(done))
    assert {**again, "seconds": 0} == {**exported.report, "seconds": 0}
    assert calls[-1] == (len(DATA), len(DATA))
    calls.clear()
    others = exported.result.predictions
    evaluate(analyzer, DATA, parts, progress=lambda *done: calls.append(done), others=others)
    assert calls[-1] == (len(parts["test"]), len(parts["test"]))


def test_preset_teacher_gives_its_own_probabilities(
    exported: SimpleNamespace, tmp_path: Path
) -> None:
    x = batches.all_windows(DATA, np.arange(4), SETTINGS)[0]
    distilled = replace(SETTINGS, teachers=(str(exported.out),))
    soft_targets = distillation.load_teachers(distilled, DATA.labels)
    assert soft_targets is not None
    _, logits = Embedder(exported.result.preset.network)(x)
    assert soft_targets(x) == pytest.approx(softmax(logits), abs=1e-4)
    for other, difference in (
        (replace(distilled, split="filtered"), "split is paper there and filtered here"),
        (
            replace(distilled, image=setup.ImageConfig()),
            r"image\.columns is 32 there and 128 here",
        ),
    ):
        with pytest.raises(DataError, match=difference):
            distillation.load_teachers(other, DATA.labels)
    shutil.copytree(exported.out, tmp_path / "unknown")
    for metrics in ({}, {"split": "mine.csv"}):
        (tmp_path / "unknown" / "metrics.json").write_text(json.dumps(metrics))
        student = replace(distilled, split="mine.csv", teachers=(str(tmp_path / "unknown"),))
        with pytest.raises(DataError, match="does not record which of paper, filtered"):
            distillation.load_teachers(student, DATA.labels)


def test_export_of_unusable_input_raises_and_writes_nothing(
    run: SimpleNamespace, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(data: Any = DATA, folder: Path = run.folder, **options: Any) -> None:
        export.export(folder, data, parts, tmp_path / "out", name="out", **options)

    with pytest.raises(DataError, match="int8, fp16, fp32, not 'int4'"):
        make(precision="int4")
    polka = replace(DATA, genres=["polka", *DATA.genres[1:]])
    with pytest.raises(DataError, match="trained on ballad, disco, and these data have ballad"):
        make(polka)
    setup.write_or_check_settings(tmp_path / "new", SETTINGS, DATA.labels, resume=True)
    with pytest.raises(DataError, match="no weights yet"):
        make(folder=tmp_path / "new")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(DataError, match="Only Keras on TensorFlow can export"):
        make()
    assert not (tmp_path / "out").exists()
