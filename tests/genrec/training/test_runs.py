"""Networks are trained, resumed, taught and exported; tiny images, real architectures."""

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
from genrec.training.export import export, model_card
from tests.genrec.training.small import PNG, SETTINGS, SMALL, pictures, played_data

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
    """Train three epochs, killed once after the second, and say what each start did."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    begun: list[tuple[int, int]] = []

    class Killed(callbacks.EpochSeed):
        kill = True

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 2 and Killed.kill:
                raise KeyboardInterrupt
            begun.append((epoch, int(np.asarray(self.model.optimizer.iterations))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "EpochSeed", Killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(SETTINGS, DATA, parts, folder, verbose=0)
        left_open = open_files(folder / "history.csv")
        Killed.kill = False
        first = setup.read_history(folder)
        train.train(SETTINGS, DATA, parts, folder, verbose=0)
    return SimpleNamespace(folder=folder, begun=begun, first=first, left_open=left_open)


def test_a_run_that_was_killed_goes_on_after_its_last_epoch(run: SimpleNamespace) -> None:
    # (epoch, steps taken before): the third epoch alone is trained after the kill, and the
    # optimiser knows that it is not at its beginning.
    assert run.begun == [(0, 0), (1, 2), (2, 4)]
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


def test_the_best_epoch_is_kept(run: SimpleNamespace, parts: Parts) -> None:
    best = min(row["val_loss"] for row in setup.read_history(run.folder))
    assert kept_loss(run.folder, SETTINGS, parts) == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_the_last_epoch_is_kept_where_that_is_asked(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The loss rises from epoch to epoch, and still the run has the patience to end its schedule.
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
    assert kept_loss(tmp_path, settings, parts) == pytest.approx(measured[-1], rel=1e-3, abs=1e-4)
    (tmp_path / "settings.json").unlink()
    setup.start(tmp_path, replace(settings, epochs=9), DATA.labels, resume=True)
    with pytest.raises(DataError, match="has trained 3 of 9; let `genrec"):
        export.load_kept(tmp_path, settings, 2)


def kept_loss(folder: Path, settings: setup.TrainingSettings, parts: Parts) -> float:
    judge = callbacks.TrackValidation(DATA, parts["valid"], settings)
    judge.set_model(export.load_kept(folder, settings, 2))
    logs: dict[str, float] = {}
    judge.on_epoch_end(0, logs)
    return logs["val_loss"]


def test_a_folder_with_another_run_is_refused(run: SimpleNamespace, parts: Parts) -> None:
    with pytest.raises(DataError, match="holds a run with other settings"):
        train.train(replace(SETTINGS, epochs=4), DATA, parts, run.folder)
    with pytest.raises(DataError, match="holds a run already"):
        train.train(SETTINGS, DATA, parts, run.folder, resume=False)
    with pytest.raises(DataError, match="no valid part"):
        train.train(SETTINGS, DATA, {**parts, "valid": np.array([], dtype=int)}, run.folder)
    with pytest.raises(DataError, match="64 mel bands"):
        train.train(SETTINGS, replace(DATA, levels=DATA.levels[:, :64]), parts, run.folder)
    with pytest.raises(DataError, match="not the folder of a training run"):
        setup.read_settings(run.folder / "last")


# --- teachers


def test_a_pupil_is_told_what_its_teachers_say_of_the_very_same_images(
    run: SimpleNamespace, parts: Parts
) -> None:
    pupil = replace(SETTINGS, arch="resnet50", teachers=(str(run.folder),), teaching=0.75)
    teach = distillation.teachers(pupil, DATA.labels)
    assert teach is not None
    x, told = batches.Crops(DATA, parts["train"], pupil, teach)[0]
    same, labelled = batches.Crops(DATA, parts["train"], pupil)[0]
    assert np.array_equal(x, same)

    logits = export.load_kept(run.folder, SETTINGS, 2).predict_on_batch(x)
    said = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    assert told == pytest.approx(0.75 * said + 0.25 * labelled, abs=1e-5)
    assert not np.allclose(said, labelled, atol=0.01)


def test_several_teachers_speak_with_one_voice(run: SimpleNamespace, tmp_path: Path) -> None:
    other = replace(SETTINGS, arch="resnet50")
    setup.start(tmp_path, other, DATA.labels, resume=True)
    architectures.build(other, 2)[0].save_weights(tmp_path / setup.KEPT)
    x = pictures(2)
    one, two, both = (
        distillation.teachers(replace(SETTINGS, teachers=names), DATA.labels)
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


def test_who_learned_what_a_pupil_is_judged_by_may_not_teach_it(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    taught = replace(SETTINGS, teachers=(str(run.folder),))
    for other in (
        replace(taught, split="filtered"),
        replace(taught, image=replace(SMALL, columns=64)),
    ):
        with pytest.raises(DataError, match="another front end, split or set"):
            distillation.teachers(other, DATA.labels)
    with pytest.raises(DataError, match="another front end, split or set"):
        distillation.teachers(taught, ["ballad", "polka"])
    with pytest.raises(DataError, match="not the folder of a training run"):
        distillation.teachers(replace(taught, teachers=(str(tmp_path),)), DATA.labels)
    assert distillation.teachers(SETTINGS, DATA.labels) is None


def test_a_run_remembers_its_teachers(run: SimpleNamespace, parts: Parts, tmp_path: Path) -> None:
    taught = replace(SETTINGS, teachers=(str(run.folder),), epochs=1)
    train.train(taught, DATA, parts, tmp_path, verbose=0)
    assert setup.read_settings(tmp_path)[0] == taught
    assert np.isfinite(setup.read_history(tmp_path)[0]["loss"])


def test_a_teacher_that_may_not_teach_leaves_no_run_behind(parts: Parts, tmp_path: Path) -> None:
    wrong = replace(SETTINGS, teachers=(str(tmp_path / "none"),))
    with pytest.raises(DataError, match="not the folder of a training run"):
        train.train(wrong, DATA, parts, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_from_one_of_its_own_split_only(run: SimpleNamespace, parts: Parts) -> None:
    other = replace(SETTINGS, split="filtered", weights=str(run.folder))
    with pytest.raises(DataError, match="another front end, split or set"):
        train.train(other, DATA, parts, run.folder.parent / "other", verbose=0)


def test_an_epoch_that_was_written_twice_counts_once(tmp_path: Path) -> None:
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
        made = export.export(run.folder, DATA, parts, out, name=out.name, precision=request.param)
    report = evaluate(PresetAnalyzer(made.preset), DATA, parts, others=made.heard)
    mine = "/srv/music-of-mine"
    learned = replace(SETTINGS, weights=f"{mine}/start.h5", teachers=(f"{mine}/a", f"{mine}/b"))
    model_card.write_card(made, report, learned, [
        {"loss": 2.0, "accuracy": 0.4, "val_loss": 1.5, "val_accuracy": 0.5},
    ])  # fmt: skip
    return SimpleNamespace(out=out, made=made, report=report, precision=request.param)


def test_an_export_hears_what_keras_hears(exported: SimpleNamespace, run: SimpleNamespace) -> None:
    assert exported.made.precision == exported.precision
    preset = Preset.load(exported.out)
    assert preset.labels == ("ballad", "disco")
    assert re.fullmatch(rf"small-{exported.precision}@[0-9a-f]{{12}}", preset.model_id)
    model = export.load_kept(run.folder, SETTINGS, 2)
    body = keras.Model(model.input, model.get_layer("embedding").output)
    x, owner = batches.all_windows(DATA, np.arange(len(DATA)), SETTINGS)
    features = np.asarray(body(x, training=False))
    analyzer = PresetAnalyzer(preset)
    for i in range(len(DATA)):
        expected = features[owner == i].mean(axis=0)
        found = analyzer.predict_spectrogram(DATA.spectrogram(i)).features
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.98


def test_an_export_is_calibrated_on_validation_tracks(
    exported: SimpleNamespace, parts: Parts
) -> None:
    preset = exported.made.preset
    train_part = predict.predict_all(PresetAnalyzer(preset), DATA, parts["train"])
    np.testing.assert_allclose(preset.centre, train_part.features.mean(axis=0), atol=1e-5)
    assert 0.04 < preset.calibration.temperature < 21
    assert -1 <= preset.calibration.cosine_zero <= preset.calibration.cosine_floor <= 1
    assert preset.calibration.cosine_zero < 1


def test_an_export_has_a_starter_catalogue_of_what_was_trained_on(
    exported: SimpleNamespace, parts: Parts
) -> None:
    starter = exported.made.preset.starter()
    used = {DATA.names[i] for part in ("train", "valid") for i in parts[part]}
    assert set(starter.names) <= used
    assert len(starter.names) >= len(used) // 2
    assert all(artist.startswith("Band ") for artist in starter.artists)
    np.testing.assert_allclose(np.linalg.norm(starter.embeddings, axis=1), 1, atol=1e-5)


def test_an_export_has_figures_a_card_and_plots(exported: SimpleNamespace) -> None:
    metrics = exported.made.preset.metrics()
    assert metrics["accuracy"] == exported.report["accuracy"]
    assert (metrics["split"], metrics["tracks"]) == ("paper", 2)
    assert set(metrics["validation_accuracy"]) == {"fp32", exported.precision}
    assert metrics["training"]["epochs"] == 3
    text = (exported.out / "README.md").read_text(encoding="utf-8")
    assert exported.made.preset.model_id in text
    assert f"| accuracy | {exported.report['accuracy']:.3f} |" in text
    assert "Trained from the weights of `start.h5`, with `a` and `b` as teachers," in text
    assert "/srv/music-of-mine" not in text + json.dumps(metrics)  # a preset travels
    assert "GTZAN" not in text  # it was not trained on it
    for plot in ("confusion.png", "reliability.png", "similarity.png", "history.png"):
        assert (exported.out / plot).read_bytes().startswith(PNG)


def test_what_an_export_has_heard_is_not_heard_again(
    exported: SimpleNamespace, parts: Parts
) -> None:
    told: list[tuple[int, int]] = []
    analyzer = PresetAnalyzer(exported.made.preset)
    anew = evaluate(analyzer, DATA, parts, progress=lambda *done: told.append(done))
    assert {**anew, "seconds": 0} == {**exported.report, "seconds": 0}
    assert told[-1] == (len(DATA), len(DATA))
    told.clear()
    heard = exported.made.heard
    evaluate(analyzer, DATA, parts, progress=lambda *done: told.append(done), others=heard)
    assert told[-1] == (len(parts["test"]), len(parts["test"]))


def test_a_preset_teaches_what_it_hears(exported: SimpleNamespace, tmp_path: Path) -> None:
    x = batches.all_windows(DATA, np.arange(4), SETTINGS)[0]
    taught = replace(SETTINGS, teachers=(str(exported.out),))
    teach = distillation.teachers(taught, DATA.labels)
    assert teach is not None
    _, logits = Embedder(exported.made.preset.network)(x)
    assert teach(x) == pytest.approx(softmax(logits), abs=1e-4)
    for other in (replace(taught, split="filtered"), replace(taught, image=setup.ImageConfig())):
        with pytest.raises(DataError, match="another front end, split or set"):
            distillation.teachers(other, DATA.labels)
    shutil.copytree(exported.out, tmp_path / "unknown")
    for metrics in ({}, {"split": "mine.csv"}):
        (tmp_path / "unknown" / "metrics.json").write_text(json.dumps(metrics))
        mine = replace(taught, split="mine.csv", teachers=(str(tmp_path / "unknown"),))
        with pytest.raises(DataError, match="does not say by which of paper, filtered"):
            distillation.teachers(mine, DATA.labels)


def test_what_cannot_be_exported_is_a_sentence(
    run: SimpleNamespace, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(data: Any = DATA, folder: Path = run.folder, **options: Any) -> None:
        export.export(folder, data, parts, tmp_path / "out", name="out", **options)

    with pytest.raises(DataError, match="int8, fp16, fp32, not 'int4'"):
        make(precision="int4")
    polka = replace(DATA, genres=["polka", *DATA.genres[1:]])
    with pytest.raises(DataError, match="trained on ballad, disco, and these data hold ballad"):
        make(polka)
    setup.start(tmp_path / "new", SETTINGS, DATA.labels, resume=True)
    with pytest.raises(DataError, match="no weights yet"):
        make(folder=tmp_path / "new")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(DataError, match="Only Keras on TensorFlow can export"):
        make()
    assert not (tmp_path / "out").exists()
