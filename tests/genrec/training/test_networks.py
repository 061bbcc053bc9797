"""Building, initialising and feeding networks, with small images and real architectures."""

from __future__ import annotations

import urllib.error
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.augment import NONE
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import (
    architectures,
    batches,
    train,
)
from genrec.training import settings as setup
from tests.genrec.training.small import (
    SETTINGS,
    SHAPE,
    SMALL,
    blank_data,
    noise_images,
    played_data,
)

pytestmark = MARKS


def same_weights(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


# --- architectures


def test_fold_keeps_the_output() -> None:
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
    x = noise_images(4)
    expected, found = np.asarray(body(x, training=False)), np.asarray(plain(x, training=False))
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("layout", ["published.h5", "keras3.weights.h5"])
def test_load_weights_reads_keras_files(tmp_path: Path, layout: str) -> None:
    from keras.src.legacy.saving import legacy_h5_format

    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)
    path = tmp_path / layout
    if layout == "published.h5":  # the format of Keras' published files
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, source)
    else:
        source.save_weights(path)
    plain = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    assert not same_weights(plain, source)
    architectures.load_weights(plain, "vgg16", str(path))
    assert same_weights(plain, source)
    normed = architectures.backbone("vgg16", SHAPE, batch_norm=True)
    architectures.load_weights(normed, "vgg16", str(path))
    for name in ("block1_conv1", "block5_conv3"):
        kernel = source.get_layer(name).get_weights()[0]
        assert np.array_equal(normed.get_layer(name).get_weights()[0], kernel)


def test_imagenet_without_network_names_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", offline)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    body = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    with pytest.raises(DataError, match=r"could not be downloaded.*--weights FILE\.h5"):
        architectures.load_weights(body, "vgg16", "imagenet")


def test_load_weights_that_do_not_fit_raises(tmp_path: Path) -> None:
    body = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    before = [each.copy() for each in body.get_weights()]
    architectures.load_weights(body, "vgg16", "none")
    assert all(np.array_equal(a, b) for a, b in zip(before, body.get_weights(), strict=True))
    with pytest.raises(DataError, match=r"nothing\.h5 does not exist"):
        architectures.load_weights(body, "vgg16", str(tmp_path / "nothing.h5"))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(DataError, match=r"text\.h5 does not hold weights of vgg16"):
        architectures.load_weights(body, "vgg16", str(tmp_path / "text.h5"))
    with pytest.raises(
        DataError, match="Unknown architecture 'vgg19'; choose one of vgg16, resnet50, cnn"
    ):
        architectures.backbone("vgg19", SHAPE, batch_norm=False)


# --- settings


def test_paper_recipe_has_the_published_settings() -> None:
    for arch, epochs in (("vgg16", 20), ("resnet50", 30)):
        paper = setup.RECIPES["paper"](setup.TrainingSettings(arch=arch))
        assert paper.image.shape == (224, 224, 3)
        assert (paper.image.scaling, paper.image.channels) == ("picture", "copies")
        assert (paper.epochs, paper.patience, paper.batch, paper.dropout) == (
            epochs, epochs, 64, 0.2,
        )  # fmt: skip
        assert (paper.trainable, paper.batch_norm, paper.augment) == ("last4", False, NONE)
        adam = train.optimizer(paper, 100)
        assert type(adam) is keras.optimizers.Adam
        assert float(adam.learning_rate) == pytest.approx(1e-3)
    assert setup.RECIPES["paper"](setup.TrainingSettings(trainable="head")).trainable == "head"


@pytest.mark.parametrize("arch", ["vgg16", "resnet50"])
def test_head_and_last4_freeze_the_right_layers(arch: str) -> None:
    tiny = replace(
        setup.paper(setup.TrainingSettings(arch=arch)), image=replace(SMALL, channels="copies")
    )
    head, body = architectures.build(replace(tiny, trainable="head"), 2)
    assert not any(layer.trainable for layer in body.layers)
    assert [w.path for w in head.trainable_weights] == ["logits/kernel", "logits/bias"]
    last4, body = architectures.build(replace(tiny, trainable="last4"), 2)
    # Of the paper's last four layers with parameters, the dense layer is the fourth.
    assert [layer.name for layer in body.layers if layer.trainable] == {
        "vgg16": ["block5_conv1", "block5_conv2", "block5_conv3"],
        "resnet50": ["conv5_block3_2_bn", "conv5_block3_3_conv", "conv5_block3_3_bn"],
    }[arch]
    assert all(layer.count_params() for layer in body.layers if layer.trainable)
    assert 2 < len(last4.trainable_weights) < len(last4.weights)
    every, _ = architectures.build(replace(tiny, trainable="all"), 2)
    assert len(every.trainable_weights) > len(last4.trainable_weights)


def test_build_with_unusable_settings_raises() -> None:
    with pytest.raises(DataError, match=r"BatchNorm .* --recipe paper with --trainable head"):
        architectures.build(replace(SETTINGS, trainable="head"), 2)
    with pytest.raises(DataError, match="must be all, head or last4, not 'tail'"):
        architectures.build(replace(SETTINGS, batch_norm=False, trainable="tail"), 2)
    cnn = setup.paper(setup.TrainingSettings(arch="cnn"))
    with pytest.raises(DataError, match="cnn trains all its layers"):
        architectures.build(replace(cnn, trainable="head"), 2)
    with pytest.raises(DataError, match="cnn starts from random weights"):
        architectures.build(replace(cnn, weights="imagenet"), 2)


def test_cnn_is_the_network_of_the_paper() -> None:
    settings = setup.paper(setup.TrainingSettings(arch="cnn"))
    assert (settings.trainable, settings.epochs, settings.dropout) == ("all", 30, 0.2)
    model, body = architectures.build(settings, 10)
    assert body is model
    assert model.input_shape == (None, 224, 224, 3)
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == [
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dense",
    ]  # fmt: skip
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert (layer.filters, layer.kernel_size) == (32, (3, 3))
            assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
            assert layer.activation is keras.activations.relu
    assert model.get_layer("logits").units == 10
    assert all(layer.trainable for layer in model.layers)


def test_weights_of_hed_fill_the_thirteen_convolutions(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)
    path = tmp_path / "hed.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("fuse")
        for layer in source.layers:
            if isinstance(layer, keras.layers.Conv2D):
                block, number = layer.name.split("_conv")
                name = "conv2d" if number == "1" else f"conv2d_{int(number) - 1}"
                for i, values in enumerate(layer.get_weights()):
                    file[f"{block}/layers/{name}/vars/{i}"] = values
    plain = architectures.backbone("vgg16", SHAPE, batch_norm=False)
    assert not same_weights(plain, source)
    architectures.load_weights(plain, "vgg16", str(path))
    assert same_weights(plain, source)
    with h5py.File(path, "a") as file:
        del file["block5/layers/conv2d_2"]
    with pytest.raises(DataError, match="does not hold weights of vgg16"):
        architectures.load_weights(plain, "vgg16", str(path))


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    rate = train.optimizer(replace(SETTINGS, warmup=0.1), 1000).learning_rate
    schedule = train.optimizer(replace(SETTINGS, warmup=0.1), 1000)._learning_rate
    rates = [float(schedule(step)) for step in (0, 100, 550, 1000)]
    assert float(rate) == pytest.approx(rates[0])
    assert rates == pytest.approx([1e-5, 5e-4, 2.5e-4, 0], abs=1e-5)


# --- batches


def test_batches_use_training_tracks_only_and_depend_on_seed_and_epoch() -> None:
    data = blank_data(["jazz", "rock"] * 6)
    levels = np.arange(12, dtype=np.uint8)[:, None, None] * 20 + 5  # the level identifies the track
    data = replace(data, levels=np.broadcast_to(levels, data.levels.shape).copy())
    image = replace(SMALL, scaling="picture", channels="copies", noise_db=0)
    plain = replace(SETTINGS, augment=NONE, crops=2, image=image)
    indices = np.array([0, 1, 4, 7])
    training = batches.TrainingBatches(data, indices, plain)
    assert len(training) == 2
    seen = []
    for number in range(len(training)):
        x, y = training[number]
        assert (x.shape, y.shape) == ((4, *SHAPE), (4, 2))
        tracks = np.round((x.mean(axis=(1, 2, 3)) * 256 - 5.5) / 20).astype(int)
        assert y.argmax(axis=1).tolist() == (tracks % 2).tolist()
        seen += tracks.tolist()
    assert sorted(seen) == [0, 0, 1, 1, 4, 4, 7, 7]
    again, other = (
        batches.TrainingBatches(data, indices, plain),
        batches.TrainingBatches(data, indices, plain),
    )
    other.epoch = 1
    assert np.array_equal(again[0][0], training[0][0])
    assert not np.array_equal(other[0][0], training[0][0])


def test_batch_of_whole_excerpts_of_different_lengths() -> None:
    data = played_data([0, 3], seconds=2)
    assert len(set(data.n_columns.tolist())) == 2
    whole = replace(SETTINGS, augment=NONE, batch=2, image=replace(SMALL, columns=0))
    x, _ = batches.TrainingBatches(data, np.arange(2), whole)[0]
    assert x.shape == (2, *SHAPE)


def test_settings_round_trip_through_json(tmp_path: Path) -> None:
    paper = setup.paper(setup.TrainingSettings(arch="resnet50", seed=9))
    setup.write_or_check_settings(tmp_path, paper, ["a", "b"], resume=True)
    assert setup.read_settings(tmp_path) == (paper, ["a", "b"])
    assert asdict(paper)["image"]["columns"] == 0


def test_read_settings_accepts_the_old_name_of_distill_weight(tmp_path: Path) -> None:
    setup.write_or_check_settings(tmp_path, SETTINGS, ["a", "b"], resume=True)
    path = tmp_path / "settings.json"
    path.write_text(path.read_text().replace('"distill_weight": 0.8', '"teaching": 0.5'))
    settings, _ = setup.read_settings(tmp_path)
    assert settings == replace(SETTINGS, distill_weight=0.5)
