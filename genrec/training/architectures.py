"""VGG16, ResNet50 and the paper's own CNN: build, initialise, freeze; fold BatchNorm for export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from genrec.errors import DataError
from genrec.training.initial_weights import copy_weights, load_weights
from genrec.training.settings import TrainingSettings, checkpoint_path, read_settings

VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
ARCHITECTURES = ("vgg16", "resnet50", "cnn")
LAST = 4  # layers with parameters that ``last4`` trains, the dense layer among them

Shape = tuple[int, int, int]


def build(settings: TrainingSettings, labels: int) -> tuple[keras.Model, keras.Model]:
    """Return a new network with initial weights and frozen layers, and its backbone.

    Raises
    ------
    DataError
        BatchNorm with frozen layers, an unknown ``trainable``, or weights that do not load.
    """
    keras.mixed_precision.set_global_policy(settings.precision)
    if settings.trainable not in ("all", "head", "last4"):
        raise DataError(f"--trainable must be all, head or last4, not {settings.trainable!r}.")
    if settings.arch == "cnn":
        return _build_cnn(settings, labels)
    if settings.arch == "vgg16" and settings.batch_norm and settings.trainable != "all":
        raise DataError(
            "BatchNorm without trained weights cannot be frozen; pass --recipe paper with"
            f" --trainable {settings.trainable}, or leave --trainable out."
        )
    body = backbone(settings.arch, settings.image.shape, batch_norm=settings.batch_norm)
    load_weights(body, settings.arch, settings.weights)
    freeze(body, settings.trainable)
    return classifier(body, labels, dropout=settings.dropout), body


def freeze(body: keras.Model, trainable: str) -> None:
    """Freeze a backbone's layers in place.

    Parameters
    ----------
    body
        The backbone; its dense layer follows and is always trained.
    trainable
        ``all``: freeze nothing. ``head``: freeze the backbone. ``last4``: train its last three
        layers that have parameters; with the dense layer they are the paper's last four. Pooling,
        activations and sums have no parameters and do not count.
    """
    if trainable == "all":
        return
    with_parameters = [layer for layer in body.layers if layer.count_params()]
    trained = with_parameters[1 - LAST :] if trainable == "last4" else []
    for layer in body.layers:
        layer.trainable = layer in trained


def backbone(arch: str, shape: Shape, *, batch_norm: bool) -> keras.Model:
    """Return the convolutional backbone with random weights: images -> feature maps.

    With ``batch_norm``, VGG16 gets a BatchNormalization after each convolution, which :func:`fold`
    removes. ResNet50's BatchNormalization layers are then initialised for training from random
    weights.
    """
    if arch == "vgg16":
        if batch_norm:
            return _vgg16_batch_norm(shape)
        return keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    if arch == "resnet50":
        body = keras.applications.ResNet50(include_top=False, weights=None, input_shape=shape)
        return _zero_last_gammas(body) if batch_norm else body
    raise DataError(f"Unknown architecture {arch!r}; choose one of {', '.join(ARCHITECTURES)}.")


def cnn(shape: Shape, labels: int, *, dropout: float) -> keras.Model:
    """Return the paper's own CNN with random weights: images -> logits.

    From the paper: two convolutions of 32 filters of 3x3 (glorot_uniform, ReLU), pooling, dropout
    0.2, flatten, dense. The paper leaves open three things. The pooling takes the maximum of 2x2,
    after each convolution. There is no padding. There are two dense layers: ``embedding`` of 64
    units with ReLU, whose output is compared, and ``logits`` of one unit for each genre.
    """
    x = entry = layers.Input(shape)
    for index in (1, 2):
        x = layers.Conv2D(
            32, 3, activation="relu", kernel_initializer="glorot_uniform", name=f"conv{index}"
        )(x)
        x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="embedding", dtype="float32")(x)
    logits = layers.Dense(labels, name="logits", dtype="float32")(x)
    return keras.Model(entry, logits, name="cnn")


def _build_cnn(settings: TrainingSettings, labels: int) -> tuple[keras.Model, keras.Model]:
    """Return the CNN, which has no backbone of its own, twice.

    Raises
    ------
    DataError
        Layers are to be frozen, or weights of photographs to be loaded.
    """
    if settings.trainable != "all":
        raise DataError("--arch cnn trains all its layers: leave --trainable out.")
    if settings.weights != "none" and not Path(settings.weights).is_dir():
        raise DataError(
            "--arch cnn starts from random weights or a training run's: drop --weights."
        )
    model = cnn(settings.image.shape, labels, dropout=settings.dropout)
    return model, model


def classifier(body: keras.Model, labels: int, *, dropout: float) -> keras.Model:
    """Return a classifier: the backbone, global average pooling, dropout and a dense layer.

    The pooling layer is named ``embedding`` and the dense layer ``logits``.
    """
    x = layers.GlobalAveragePooling2D(name="embedding", dtype="float32")(body.output)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(labels, name="logits", dtype="float32")(x)
    return keras.Model(body.input, logits, name=body.name)


def load_run(model: keras.Model, run: Path) -> None:
    """Load a run's checkpoint into a network in place.

    Raises
    ------
    DataError
        The run has no checkpoint yet, or the weights do not fit the network.
    """
    try:
        model.load_weights(checkpoint_path(run))
    except ValueError as error:
        raise DataError(
            f"{run} has weights of another network: {error}. Train it again in a new --run folder."
        ) from error


def init_from(
    model: keras.Model, run: Path, settings: TrainingSettings, labels: Sequence[str]
) -> None:
    """Load a run's weights into a network in place; without the head if the labels differ.

    Parameters
    ----------
    model, settings, labels
        The new network, with the settings and labels of its run.
    run
        The run folder that gives the weights.

    Raises
    ------
    DataError
        As :func:`load_run`.
    """
    _, run_labels = read_settings(run)
    if run_labels == list(labels):
        load_run(model, run)
        return
    other, body = build(replace(settings, weights="none"), len(run_labels))
    load_run(other, run)
    copy_weights(body, model, without="logits")


def fold(model: keras.Model, shape: Shape) -> keras.Model:
    """Return VGG16's backbone with BatchNorm folded into the convolutions; same inference output.

    A BatchNormalization has gamma g, beta b, mean m and variance v. With s = g / sqrt(v + eps), the
    convolution becomes W' = W s, b' = b - m s.
    """
    plain = keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    for layer in plain.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        kernel = np.asarray(model.get_layer(layer.name).get_weights()[0])
        norm = model.get_layer(f"{layer.name}_bn")
        gamma, beta, mean, variance = (np.asarray(w) for w in norm.get_weights())
        gain = gamma / np.sqrt(variance + norm.epsilon)
        layer.set_weights([kernel * gain, beta - mean * gain])
    return plain


def _zero_last_gammas(body: keras.Model) -> keras.Model:
    """Set each residual block's last gamma to zero, and BatchNorm's momentum; return ``body``.

    Each block of ResNet50 then starts as the identity (Goyal et al. 2017, section 5.1). With Keras'
    default of one, the sum of sixteen blocks makes logits so large that three epochs brought no
    progress. With momentum 0.95, and not with Keras' 0.99, the moving statistics converge in an
    epoch of a few hundred steps.
    """
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.95
            if layer.name.endswith("_3_bn"):
                layer.gamma.assign(np.zeros(layer.gamma.shape, dtype=np.float32))
    return body


def _vgg16_batch_norm(shape: Shape) -> keras.Model:
    x = entry = layers.Input(shape)
    for block, (convolutions, filters) in enumerate(VGG16_BLOCKS, start=1):
        for index in range(1, convolutions + 1):
            name = f"block{block}_conv{index}"
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=name,
            )(x)
            x = layers.BatchNormalization(momentum=0.95, name=f"{name}_bn")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(entry, x, name="vgg16")
