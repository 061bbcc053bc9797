"""Presets as teachers and as the start of a training run: what they must match, their weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as litert
from keras import layers
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.preset import Preset
from genrec.training.data.dataset import SPLITS
from genrec.training.settings import (
    DataSpec,
    TrainingSettings,
    check_data_spec,
    check_start_spec,
)

Float = NDArray[np.float32]

# "functional_1/block1_conv1_1/convolution": Keras numbers a layer's name anew at the export.
KERNEL_NAME = re.compile(r"(?:.*/)?(?P<layer>\w+?)(?:_\d)?/(?:convolution|MatMul)\d*$")


def load_teacher_preset(folder: Path, settings: TrainingSettings, labels: list[str]) -> Preset:
    """Return a preset that has the front end, image, split and labels of a run.

    Parameters
    ----------
    folder
        The preset's folder.
    settings, labels
        Those of the run.

    Raises
    ------
    DataError
        The preset does not match, or was trained on a split file, of which it records only the
        name: it may have been trained on the run's validation or test tracks.
    PresetError
        The preset cannot be read.
    """
    preset = Preset.load(folder)
    check_data_spec(folder, _data_spec(preset), settings, labels)
    return preset


def load_start_preset(folder: Path, settings: TrainingSettings, labels: list[str]) -> Preset:
    """Return a preset that can give a run its initial weights.

    Parameters
    ----------
    folder, settings, labels
        As of :func:`load_teacher_preset`. If the preset shares no label with the run, its split may
        be another one.

    Raises
    ------
    DataError
        As of :func:`load_teacher_preset`, or the preset has another architecture.
    PresetError
        The preset cannot be read.
    """
    preset = Preset.load(folder)
    if preset.arch != settings.arch:
        raise DataError(
            f"{folder} has a {preset.arch}, and its weights do not fit a {settings.arch}. Pass"
            f" --arch {preset.arch}, or pass the preset as --teacher."
        )
    check_start_spec(folder, _data_spec(preset), settings, labels)
    return preset


def _data_spec(preset: Preset) -> DataSpec:
    """Return a preset's front end, image, split and labels; the split is None if not in SPLITS."""
    split = preset.metrics().get("split")
    known = split if split in SPLITS else None
    return preset.spectrogram, preset.image, known, list(preset.labels)


def init_from_preset(
    model: keras.Model, preset: Preset, labels: Sequence[str], images: Iterable[Float]
) -> None:
    """Load a preset's weights into a network in place; without the head if the labels differ.

    An exported network has no BatchNorm: each is folded into its convolution, whose kernel W and
    bias b are whole numbers times a scale. The convolution gets W. Its BatchNorm gets the mean m
    and the variance v of the convolution's output over the images, gamma = sqrt(v + eps) and
    beta = b + m. So the network computes W x + b in inference, and nearly that in training, where
    BatchNorm uses the moments of a batch.

    Parameters
    ----------
    model
        VGG16 or ResNet50, see :func:`genrec.training.architectures.build`.
    preset
        Its int8 network is of the same architecture.
    labels
        Of the new network.
    images
        Batches of training images, float32 (n, height, width, 3), for the moments.

    Raises
    ------
    DataError
        The network is not int8, or of another architecture.
    """
    weights = float_weights(preset.network)
    norms: list[tuple[str, layers.BatchNormalization, Float]] = []
    known = {layer.name: layer for layer in model.layers}
    trained = [each.name for each in model.layers if isinstance(each, layers.Conv2D)]
    head = ["logits"] if list(preset.labels) == list(labels) else []
    for name in (*trained, *head):
        layer = known[name]
        shapes = [tuple(each.shape) for each in layer.get_weights()]
        if name not in weights or weights[name][0].shape != shapes[0]:
            raise DataError(
                f"{preset.network} does not hold the weights of {model.name}: its layer {name} is"
                " missing or has another shape. Pass --weights a preset of the same architecture."
            )
        kernel, bias = weights[name]
        norm = known.get(_norm_name(name))
        if isinstance(norm, layers.BatchNormalization):
            layer.set_weights([kernel, np.zeros_like(bias)][: len(shapes)])
            norm.set_weights(_norm_weights(norm, bias, np.zeros_like(bias), np.ones_like(bias)))
            norms.append((name, norm, bias))
        else:
            layer.set_weights([kernel, bias])
    if norms:
        moments = _moments(model, [name for name, _, _ in norms], images)
        for (_, norm, bias), (mean, variance) in zip(norms, moments, strict=True):
            norm.set_weights(_norm_weights(norm, bias, mean, variance))


def float_weights(network: Path) -> dict[str, tuple[Float, Float]]:
    """Return the kernel and bias of each convolution and dense layer of an int8 LiteRT file.

    Returns
    -------
    By the name of the Keras layer: kernel, float32 (height, width, channels, filters) or
    (inputs, units), and bias, float32 (filters,) or (units,)

    Raises
    ------
    DataError
        A kernel is not int8.
    """
    root = litert.Model.GetRootAsModel(network.read_bytes(), 0)
    exported: Any = litert.ModelT.InitFromObj(root)
    graph = exported.subgraphs[0]
    found: dict[str, tuple[Float, Float]] = {}
    for operator in graph.operators:
        if len(operator.inputs) != 3:
            continue
        source, kernel = (graph.tensors[int(index)] for index in operator.inputs[:2])
        name = KERNEL_NAME.match(kernel.name.decode())
        if name is None:
            continue
        if kernel.type != litert.TensorType.INT8:
            raise DataError(
                f"{network} is not an int8 network, and only those can be --weights. Pass the run"
                " that it was exported from."
            )
        scale = np.asarray(kernel.quantization.scale, dtype=np.float32)
        values = _values(exported, kernel, np.int8).astype(np.float32)
        values *= scale.reshape(-1, *[1] * (values.ndim - 1))
        bias = np.zeros(len(values), dtype=np.float32)
        if (index := int(operator.inputs[2])) >= 0:  # the converter leaves out a bias of zeros
            steps = _values(exported, graph.tensors[index], np.int32)
            bias = (steps * scale * source.quantization.scale[0]).astype(np.float32)
        order = (1, 2, 3, 0) if values.ndim == 4 else (1, 0)
        found[name["layer"]] = values.transpose(order), bias
    return found


def _norm_name(name: str) -> str:
    """Return the name of a convolution's BatchNorm: VGG16's of ours, or Keras' ResNet50's."""
    return f"{name.removesuffix('_conv')}_bn"


def _norm_weights(
    norm: layers.BatchNormalization, bias: Float, mean: Float, variance: Float
) -> list[Float]:
    """Return gamma, beta, mean and variance with which BatchNorm adds the bias alone."""
    return [np.sqrt(variance + norm.epsilon), bias + mean, mean, variance]


def _moments(
    model: keras.Model, names: Sequence[str], images: Iterable[Float]
) -> list[tuple[Float, Float]]:
    """Return mean and variance of each channel of the named layers over batches of images."""
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names])
    found: list[list[NDArray[np.float64]]] = [[] for _ in names]
    for x in images:
        for rows, maps in zip(found, outputs(x, training=False), strict=True):
            y = np.asarray(keras.ops.cast(maps, "float32"), dtype=np.float64)
            rows.append(np.stack([y.mean(axis=(0, 1, 2)), (y**2).mean(axis=(0, 1, 2))]))
    pairs = [np.mean(rows, axis=0).astype(np.float32) for rows in found]
    return [(mean, np.maximum(square - mean**2, 0)) for mean, square in pairs]


def _values(exported: Any, tensor: Any, dtype: Any) -> NDArray[Any]:
    data = exported.buffers[tensor.buffer].data
    return np.frombuffer(data.tobytes(), dtype).reshape(tensor.shape)
