"""Bottleneck features: run the frozen layers once and train only the head.

Twenty epochs of the paper's experiments then take about as long as one pass over the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.training.batches import TrainingBatches, WholeExcerpts
from genrec.training.callbacks import TrackValidation
from genrec.training.data.augment import NONE
from genrec.training.settings import TrainingSettings

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

MAX_BYTES = 4 << 30  # of features; 10,000 pictures in front of VGG16's fifth block take 4 GB


def can_cache_bottleneck(settings: TrainingSettings, model: keras.Model, excerpts: int) -> bool:
    """Return whether a run can train its head on bottleneck features.

    The frozen layers must get the same images in every epoch: there are frozen layers, the images
    are whole excerpts, and nothing is augmented. Teachers need the images themselves, so a run with
    teachers trains the whole network. So does a run whose features would take more than 4 GB.
    """
    same_images = settings.image.columns == 0 and settings.augment == NONE
    if not same_images or settings.trainable == "all" or settings.teachers:
        return False
    frozen, _ = split_at_frozen(model)
    shapes = [output.shape[1:] for output in frozen.outputs]
    return 4 * excerpts * sum(int(np.prod(shape)) for shape in shapes) <= MAX_BYTES


def with_bottleneck(
    model: keras.Model, batches: TrainingBatches, validation: TrackValidation
) -> tuple[keras.Model, keras.Model, BottleneckBatches]:
    """Return both parts of a network, and its training batches: bottleneck features of all tracks.

    The images of ``validation`` are replaced by their bottleneck features, in place.
    """
    frozen, head = split_at_frozen(model)
    images = WholeExcerpts(batches.data, batches.indices, batches.settings)
    features = bottleneck_features(frozen, images)
    if isinstance(validation.x, WholeExcerpts):
        validation.x = bottleneck_features(frozen, validation.x)
    return frozen, head, BottleneckBatches(features, batches.targets, batches.rows, len(batches))


def split_at_frozen(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a network before its first trainable or dropout layer; return both parts.

    The two parts in a row give the output of the whole network: frozen BatchNormalization runs in
    inference mode during training too, and dropout is in the head. Both parts share their layers
    with ``model``, so training the head trains ``model``.

    Parameters
    ----------
    model
        A functional network whose frozen layers are not trainable.

    Returns
    -------
    (frozen part, head), joined by a tuple of tensors: ResNet50's shortcut crosses the split beside
    the main path
    """
    start = next(
        i
        for i, layer in enumerate(model.layers)
        if layer.trainable_weights or isinstance(layer, keras.layers.Dropout)
    )
    frozen_tensors = {
        id(tensor) for layer in model.layers[:start] for tensor in keras.tree.flatten(layer.output)
    }
    crossing: dict[int, Any] = {}
    for layer in model.layers[start:]:
        for tensor in keras.tree.flatten(layer.input):
            if id(tensor) in frozen_tensors:
                crossing[id(tensor)] = tensor
    bottleneck = tuple(crossing.values())
    return keras.Model(model.input, bottleneck), keras.Model(bottleneck, model.output)


def bottleneck_features(frozen: keras.Model, batches: WholeExcerpts) -> tuple[Float, ...]:
    """Return the outputs of the frozen part, one array per tensor that crosses the split.

    Parameters
    ----------
    frozen
        First part of :func:`split_at_frozen`.
    batches
        Images of excerpts.

    Returns
    -------
    float32 (excerpts, ...) per tensor
    """
    outputs = [
        keras.tree.flatten(frozen.predict_on_batch(batches[i][0])) for i in range(len(batches))
    ]
    return tuple(
        np.concatenate([np.asarray(each, dtype=np.float32) for each in tensor])
        for tensor in zip(*outputs, strict=True)
    )


class BottleneckBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Training batches of cached bottleneck features.

    Parameters
    ----------
    features
        float32 (tracks, ...) per tensor that crosses the split.
    targets
        float32 (tracks, labels).
    rows
        Function from a batch's number to its rows in the current epoch.
    batches
        Number of batches per epoch.
    """

    def __init__(
        self,
        features: tuple[Float, ...],
        targets: Float,
        rows: Callable[[int], Ints],
        batches: int,
    ) -> None:
        super().__init__(workers=1)
        self.features, self.targets, self.rows, self.batches = features, targets, rows, batches

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> tuple[tuple[Float, ...], Float]:
        rows = self.rows(number)
        return tuple(each[rows] for each in self.features), self.targets[rows]
