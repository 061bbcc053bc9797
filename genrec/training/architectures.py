"""VGG16 and ResNet50 as Keras ships them, and the VGG16 with BatchNorm that trains from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from genrec.errors import DataError
from genrec.training.settings import TrainingSettings, best_weights, read_settings

VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
ARCHITECTURES = ("vgg16", "resnet50")

Shape = tuple[int, int, int]


def build(settings: TrainingSettings, labels: int) -> tuple[keras.Model, keras.Model]:
    """Return (network, its backbone), the start weights loaded and layers frozen as asked."""
    keras.mixed_precision.set_global_policy(settings.precision)
    if settings.arch == "vgg16" and settings.batch_norm and settings.trainable != "all":
        raise DataError(
            "BatchNorm that is not trained cannot be frozen: give --recipe paper with --trainable"
            f" {settings.trainable}, or leave --trainable out."
        )
    body = backbone(settings.arch, settings.image.shape, batch_norm=settings.batch_norm)
    load_weights(body, settings.arch, settings.weights)
    frozen = {"all": 0, "head": len(body.layers), "last4": len(body.layers) - 4}
    if settings.trainable not in frozen:
        raise DataError(f"--trainable is all, head or last4, not {settings.trainable!r}.")
    for layer in body.layers[: frozen[settings.trainable]]:
        layer.trainable = False
    return classifier(body, labels, dropout=settings.dropout), body


def backbone(arch: str, shape: Shape, *, batch_norm: bool) -> keras.Model:
    """Return the convolutional part without weights: images -> feature maps.

    ``batch_norm`` puts a BatchNormalization after each convolution of VGG16; :func:`fold` takes it
    away again. ResNet50 has its own, which it then prepares for random weights.
    """
    if arch == "vgg16":
        if batch_norm:
            return _vgg16_batch_norm(shape)
        return keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    if arch == "resnet50":
        body = keras.applications.ResNet50(include_top=False, weights=None, input_shape=shape)
        return _from_scratch(body) if batch_norm else body
    raise DataError(f"There is no architecture {arch!r}; choose one of {', '.join(ARCHITECTURES)}.")


def classifier(body: keras.Model, labels: int, *, dropout: float) -> keras.Model:
    """Put the head on: global average pooling (the embedding), dropout, dense layer (logits)."""
    x = layers.GlobalAveragePooling2D(name="embedding", dtype="float32")(body.output)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(labels, name="logits", dtype="float32")(x)
    return keras.Model(body.input, logits, name=body.name)


def load_weights(body: keras.Model, arch: str, weights: str) -> None:
    """Fill a backbone: ``none`` leaves it random, ``imagenet`` fetches Keras' file, else a path.

    The folder of a run fills the head as well, which is the trainer's part.
    """
    if weights == "none" or Path(weights).is_dir():
        return
    path = weights
    if weights == "imagenet":
        application = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}
        try:
            published = application[arch](include_top=False, weights="imagenet")
        except Exception as error:
            raise DataError(
                "Keras' ImageNet weights could not be downloaded from here. On a machine with"
                f" access fetch Keras' 'notop' weights file for {arch} and pass its path:"
                " --weights FILE.h5, or train from random weights with --weights none."
            ) from error
        _copy(published, body)
        return
    if not Path(path).is_file():
        raise DataError(f"The weights file {path} does not exist; pass a Keras weights file.")
    plain = backbone(arch, body.input_shape[1:], batch_norm=False)
    try:
        plain.load_weights(path)
    except Exception as error:
        raise DataError(
            f"{path} does not hold weights of {arch} without its top: {error}"
        ) from error
    _copy(plain, body)


def load_run(model: keras.Model, run: Path) -> None:
    """Fill a network with the epoch that a run of the same architecture keeps.

    Raises
    ------
    DataError
        The run has no weights yet, keeps its last epoch and has not come to it, or is of another
        architecture.
    """
    try:
        model.load_weights(best_weights(run))
    except ValueError as error:
        raise DataError(f"{run} holds weights of another network: {error}") from error


def init_from(
    model: keras.Model, run: Path, settings: TrainingSettings, labels: Sequence[str]
) -> None:
    """Fill a new network with what a run has learned; of other labels, all but the head.

    Raises
    ------
    DataError
        As :func:`load_run`.
    """
    _, known = read_settings(run)
    if known == list(labels):
        load_run(model, run)
        return
    other, body = build(replace(settings, weights="none"), len(known))
    load_run(other, run)
    _copy(body, model)


def fold(model: keras.Model, shape: Shape) -> keras.Model:
    """Return a plain VGG16 that computes what one with BatchNorm does at inference.

    With gain g, shift b, mean m and variance v of the normalisation and s = g / sqrt(v + eps):
    W' = W s, b' = b - m s.
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


def _from_scratch(body: keras.Model) -> keras.Model:
    """Let ResNet50 learn from random weights: each block begins as the identity.

    The last gain of each block is zero (Goyal et al. 2017, section 5.1); otherwise sixteen blocks
    add up to logits so large that it learned nothing in three epochs. The statistics follow within
    an epoch of some hundred steps, where Keras' 0.99 lags behind.
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


def _copy(source: keras.Model, target: keras.Model) -> None:
    """Copy weights layer by layer; a layer without bias takes the kernel alone."""
    mine = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        weights = layer.get_weights()
        if weights and layer.name in mine:
            mine[layer.name].set_weights(weights[: len(mine[layer.name].get_weights())])
