"""Networks are built, trained, resumed and exported; tiny images, real architectures."""

from __future__ import annotations

import json
import re
import urllib.error
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.pipeline import Analyzer
from genrec.preset import Preset
from genrec.spectrogram import ImageConfig
from genrec.training.augment import NONE
from genrec.training.dataset import Parts, split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import (
    architectures,
    batches,
    calibrate,
    card,
    export,
    hearing,
    starter,
    teachers,
    train,
)
from genrec.training import settings as setup
from genrec.training.evaluate import evaluate
from genrec.training.plots import plot_history
from tests.genrec.training.small import blank_data, played_data

pytestmark = MARKS

SHAPE = (32, 32, 3)
SMALL = ImageConfig(columns=32, height=32, width=32, hop_columns=32)
SETTINGS = setup.Settings(image=SMALL, epochs=3, batch=4, crops=1, seed=3)
PNG = b"\x89PNG\r\n\x1a\n"


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)


def heard_alike(count: int) -> hearing.Listened:
    each = np.ones((count, 4), np.float32)
    return hearing.Listened(np.arange(count), each, each[:, :2])


def same_weights(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


# --- architectures


def test_folding_batch_norm_away_changes_no_answer() -> None:
    keras.utils.set_random_seed(0)
    body = architectures.backbone("vgg16", SHAPE, batch_norm=True)
    rng = np.random.default_rng(0)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, shape),  # gain
                    rng.normal(0, 0.3, shape),  # shift
                    rng.normal(0, 0.5, shape),  # mean
                    rng.uniform(0.5, 2.0, shape),  # variance
                ]
            )
    plain = architectures.fold(architectures.classifier(body, 2, dropout=0.2), SHAPE)
    assert not any("bn" in layer.name for layer in plain.layers)
    x = pictures(4)
    expected, found = np.asarray(body(x, training=False)), np.asarray(plain(x, training=False))
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("layout", ["published.h5", "keras3.weights.h5"])
def test_weights_come_from_a_keras_file(tmp_path: Path, layout: str) -> None:
    from keras.src.legacy.saving import legacy_h5_format

    given = keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)
    path = tmp_path / layout
    if layout == "published.h5":  # the layout of the files Keras publishes
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, given)
    else:
        given.save_weights(path)
    plain = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    assert not same_weights(plain, given)
    architectures.load_weights(plain, "vgg16", str(path))
    assert same_weights(plain, given)
    normed = architectures.backbone("vgg16", SHAPE, batch_norm=True)
    architectures.load_weights(normed, "vgg16", str(path))
    for name in ("block1_conv1", "block5_conv3"):
        kernel = given.get_layer(name).get_weights()[0]
        assert np.array_equal(normed.get_layer(name).get_weights()[0], kernel)


def test_without_network_imagenet_says_how_to_pass_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", offline)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    body = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    with pytest.raises(DataError, match=r"could not be downloaded.*--weights FILE\.h5"):
        architectures.load_weights(body, "vgg16", "imagenet")


def test_weights_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    body = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    before = [each.copy() for each in body.get_weights()]
    architectures.load_weights(body, "vgg16", "none")
    assert all(np.array_equal(a, b) for a, b in zip(before, body.get_weights(), strict=True))
    with pytest.raises(DataError, match=r"nothing\.h5 does not exist"):
        architectures.load_weights(body, "vgg16", str(tmp_path / "nothing.h5"))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(DataError, match=r"text\.h5 does not hold weights of vgg16"):
        architectures.load_weights(body, "vgg16", str(tmp_path / "text.h5"))
    with pytest.raises(DataError, match="no architecture 'vgg19'; choose one of vgg16, resnet50"):
        architectures.backbone("vgg19", SHAPE, batch_norm=False)


# --- settings


def test_the_paper_s_recipe_has_the_paper_s_numbers() -> None:
    for arch, epochs in (("vgg16", 20), ("resnet50", 30)):
        paper = setup.RECIPES["paper"](setup.Settings(arch=arch))
        assert paper.image.shape == (224, 224, 3)
        assert (paper.image.scaling, paper.image.channels) == ("picture", "copies")
        assert (paper.epochs, paper.patience, paper.batch, paper.dropout) == (
            epochs, epochs, 64, 0.2,
        )  # fmt: skip
        assert (paper.trainable, paper.batch_norm, paper.augment) == ("last4", False, NONE)
        adam = train.optimizer(paper, 100)
        assert type(adam) is keras.optimizers.Adam
        assert float(adam.learning_rate) == pytest.approx(1e-3)
    assert setup.RECIPES["paper"](setup.Settings(trainable="head")).trainable == "head"


@pytest.mark.parametrize("arch", ["vgg16", "resnet50"])
def test_head_freezes_the_backbone_and_last4_all_but_its_last_four_layers(arch: str) -> None:
    tiny = replace(setup.paper(setup.Settings(arch=arch)), image=replace(SMALL, channels="copies"))
    head, body = architectures.build(replace(tiny, trainable="head"), 2)
    assert not any(layer.trainable for layer in body.layers)
    assert [w.path for w in head.trainable_weights] == ["logits/kernel", "logits/bias"]
    last4, body = architectures.build(replace(tiny, trainable="last4"), 2)
    assert [layer.trainable for layer in body.layers] == [False] * (len(body.layers) - 4) + [
        True
    ] * 4
    assert 2 < len(last4.trainable_weights) < len(last4.weights)
    every, _ = architectures.build(replace(tiny, trainable="all"), 2)
    assert len(every.trainable_weights) > len(last4.trainable_weights)


def test_what_cannot_be_trained_is_a_sentence() -> None:
    with pytest.raises(DataError, match=r"BatchNorm .* --recipe paper with --trainable head"):
        architectures.build(replace(SETTINGS, trainable="head"), 2)
    with pytest.raises(DataError, match="all, head or last4, not 'tail'"):
        architectures.build(replace(SETTINGS, batch_norm=False, trainable="tail"), 2)


def test_the_learning_rate_warms_up_and_decays_to_nothing() -> None:
    rate = train.optimizer(replace(SETTINGS, warmup=0.1), 1000).learning_rate
    schedule = train.optimizer(replace(SETTINGS, warmup=0.1), 1000)._learning_rate
    rates = [float(schedule(step)) for step in (0, 100, 550, 1000)]
    assert float(rate) == pytest.approx(rates[0])
    assert rates == pytest.approx([1e-5, 5e-4, 2.5e-4, 0], abs=1e-5)


# --- batches


def test_batches_hold_training_tracks_alone_and_follow_the_seed_and_the_epoch() -> None:
    data = blank_data(["jazz", "rock"] * 6)
    levels = np.arange(12, dtype=np.uint8)[:, None, None] * 20 + 5  # a level tells the track
    data = replace(data, levels=np.broadcast_to(levels, data.levels.shape).copy())
    image = replace(SMALL, scaling="picture", channels="copies", noise_db=0)
    plain = replace(SETTINGS, augment=NONE, crops=2, image=image)
    indices = np.array([0, 1, 4, 7])
    crops = batches.Crops(data, indices, plain)
    assert len(crops) == 2
    seen = []
    for number in range(len(crops)):
        x, y = crops[number]
        assert (x.shape, y.shape) == ((4, *SHAPE), (4, 2))
        tracks = np.round((x.mean(axis=(1, 2, 3)) * 256 - 5.5) / 20).astype(int)
        assert y.argmax(axis=1).tolist() == (tracks % 2).tolist()
        seen += tracks.tolist()
    assert sorted(seen) == [0, 0, 1, 1, 4, 4, 7, 7]
    again, other = batches.Crops(data, indices, plain), batches.Crops(data, indices, plain)
    other.epoch = 1
    assert np.array_equal(again[0][0], crops[0][0])
    assert not np.array_equal(other[0][0], crops[0][0])


def test_whole_excerpts_of_different_lengths_go_into_one_batch() -> None:
    data = played_data([0, 3], seconds=2)
    assert len(set(data.n_columns.tolist())) == 2
    whole = replace(SETTINGS, augment=NONE, batch=2, image=replace(SMALL, columns=0))
    x, _ = batches.Crops(data, np.arange(2), whole)[0]
    assert x.shape == (2, *SHAPE)


# --- a run


DATA = played_data([5 * i + style for style in (0, 3) for i in range(6)])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    found = split(DATA, tmp_path_factory.mktemp("none"), "paper")
    assert [len(found[part]) for part in ("train", "valid", "test")] == [8, 2, 2]
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> SimpleNamespace:
    """Train three epochs, killed once after the second, and say what each start did."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    begun: list[tuple[int, int]] = []

    class Killed(batches.Dice):
        kill = True

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 2 and Killed.kill:
                raise KeyboardInterrupt
            begun.append((epoch, int(np.asarray(self.model.optimizer.iterations))))

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # what is killed leaves its files open
        patch.setattr(train, "Dice", Killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(SETTINGS, DATA, parts, folder, verbose=0)
        Killed.kill = False
        first = setup.read_history(folder)
        train.train(SETTINGS, DATA, parts, folder, verbose=0)
    return SimpleNamespace(folder=folder, begun=begun, first=first)


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


def test_the_best_epoch_is_kept(run: SimpleNamespace, parts: Parts) -> None:
    best = min(row["val_loss"] for row in setup.read_history(run.folder))
    assert kept_loss(run.folder, SETTINGS, parts) == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_the_last_epoch_is_kept_where_that_is_asked(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The loss rises from epoch to epoch, and still the run has the patience to end its schedule.
    losses = iter([1.0, 2.0, 3.0])

    class Rising(batches.TrackValidation):
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
    assert kept_loss(tmp_path, settings, parts) == pytest.approx(measured[-1], rel=1e-3, abs=1e-4)
    (tmp_path / "settings.json").unlink()
    setup.start(tmp_path, replace(settings, epochs=9), DATA.labels, resume=True)
    with pytest.raises(DataError, match="has trained 3 of 9; let `genrec"):
        export.load_kept(tmp_path, settings, 2)


def kept_loss(folder: Path, settings: setup.Settings, parts: Parts) -> float:
    judge = batches.TrackValidation(DATA, parts["valid"], settings)
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
    teach = teachers.teachers(pupil, DATA.labels)
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
    architectures.build(other, 2)[0].save_weights(tmp_path / architectures.KEPT)
    x = pictures(2)
    one, two, both = (
        teachers.teachers(replace(SETTINGS, teachers=names), DATA.labels)
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
        with pytest.raises(DataError, match="cannot teach this run"):
            teachers.teachers(other, DATA.labels)
    with pytest.raises(DataError, match="cannot teach this run"):
        teachers.teachers(taught, ["ballad", "polka"])
    with pytest.raises(DataError, match="not the folder of a training run"):
        teachers.teachers(replace(taught, teachers=(str(tmp_path),)), DATA.labels)
    assert teachers.teachers(SETTINGS, DATA.labels) is None


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
    with pytest.raises(DataError, match="learned of the split paper"):
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
    report = evaluate(Analyzer(made.preset), DATA, parts)
    card.write_card(made, report, replace(SETTINGS, weights="/srv/music-of-mine/start.h5"), [
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
    analyzer = Analyzer(preset)
    for i in range(len(DATA)):
        expected = features[owner == i].mean(axis=0)
        found = analyzer.see(DATA.spectrogram(i)).features
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.98


def test_an_export_is_calibrated_on_validation_tracks(
    exported: SimpleNamespace, parts: Parts
) -> None:
    preset = exported.made.preset
    train_part = hearing.listen(Analyzer(preset), DATA, parts["train"])
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
    assert "start.h5" in text
    assert "/srv/music-of-mine" not in text + json.dumps(metrics)  # a preset travels
    assert "GTZAN" not in text  # it was not trained on it
    for plot in ("confusion.png", "reliability.png", "similarity.png", "history.png"):
        assert (exported.out / plot).read_bytes().startswith(PNG)


def test_without_artists_and_titles_there_is_no_catalogue(parts: Parts) -> None:
    nameless = played_data([0, 3], seconds=2, named=False)
    heard = heard_alike(2)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=SETTINGS.spectrogram),
        embedding=lambda features: features / 2,
    )
    assert starter.starter(analyzer, nameless, heard) is None
    named = starter.starter(analyzer, played_data([0, 3], seconds=2), heard)
    assert named is not None
    assert named.titles == ["Song 0", "Song 3"]
    assert named.embeddings.shape == (2, 4)
    assert named.fingerprints.shape[0] == 2  # of different lengths, and in one array


def test_a_recording_stands_once_in_the_catalogue() -> None:
    data = played_data([0, 5, 0], seconds=8)
    heard = heard_alike(3)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=SETTINGS.spectrogram), embedding=lambda each: each
    )
    found = starter.starter(analyzer, data, heard)
    assert found is not None
    assert found.titles == ["Song 0", "Song 5"]


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


def test_the_temperature_is_the_one_that_probabilities_need() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 5))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in p])
    assert calibrate.temperature(honest.astype(np.float32), truth) == pytest.approx(1, abs=0.05)
    loud = (3 * honest).astype(np.float32)
    assert calibrate.temperature(loud, truth) == pytest.approx(3, abs=0.15)


def test_a_history_is_plotted_also_where_it_is_empty(tmp_path: Path) -> None:
    plot_history([], tmp_path / "deep" / "history.png")
    assert (tmp_path / "deep" / "history.png").read_bytes().startswith(PNG)


def test_settings_survive_their_file(tmp_path: Path) -> None:
    paper = setup.paper(setup.Settings(arch="resnet50", seed=9))
    setup.start(tmp_path, paper, ["a", "b"], resume=True)
    assert setup.read_settings(tmp_path) == (paper, ["a", "b"])
    assert asdict(paper)["image"]["columns"] == 0
