"""What frozen layers say of a picture never changes: ask them once, and train only the rest.

Twenty epochs of the paper's experiments then cost about as much as one pass over the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Ints = NDArray[np.int64]


def split_at_frozen(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Cut a network before its first layer that learns or drops out.

    The mathematics stays: frozen BatchNormalization runs in inference mode, also while the rest
    trains, and dropout lies behind the cut. Both halves share their layers with ``model``, so what
    the second one learns the whole network knows.

    Parameters
    ----------
    model
        A functional network, its frozen layers marked as not trainable.

    Returns
    -------
    (frozen half, learning half); a tuple of tensors leads from the first to the second, since
    ResNet50's shortcut crosses the cut beside the main path.
    """
    start = next(
        i
        for i, layer in enumerate(model.layers)
        if layer.trainable_weights or isinstance(layer, keras.layers.Dropout)
    )
    made = {id(t) for layer in model.layers[:start] for t in keras.tree.flatten(layer.output)}
    crossing: dict[int, Any] = {}
    for layer in model.layers[start:]:
        for tensor in keras.tree.flatten(layer.input):
            if id(tensor) in made:
                crossing[id(tensor)] = tensor
    cut = tuple(crossing.values())
    return keras.Model(model.input, cut), keras.Model(cut, model.output)


def outputs(frozen: keras.Model, batches: Iterable[Float]) -> tuple[Float, ...]:
    """Return what the frozen half says, one array for each tensor across the cut.

    Parameters
    ----------
    frozen
        The first of :func:`split_at_frozen`.
    batches
        float32 (n, height, width, 3) each; a few at a time, since pictures are large.

    Returns
    -------
    float32 (all n, ...) for each tensor
    """
    said = [keras.tree.flatten(frozen.predict_on_batch(x)) for x in batches]
    return tuple(
        np.concatenate([np.asarray(each, dtype=np.float32) for each in tensor])
        for tensor in zip(*said, strict=True)
    )


class BottleneckBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of remembered outputs.

    Parameters
    ----------
    said
        float32 (tracks, ...) for each tensor across the cut.
    targets
        float32 (tracks, labels).
    chosen
        Which tracks batch ``number`` of the epoch at hand holds.
    batches
        How many batches an epoch has.
    """

    def __init__(
        self,
        said: tuple[Float, ...],
        targets: Float,
        chosen: Callable[[int], Ints],
        batches: int,
    ) -> None:
        super().__init__(workers=1)
        self.said, self.targets, self.chosen, self.batches = said, targets, chosen, batches

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> tuple[tuple[Float, ...], Float]:
        chosen = self.chosen(number)
        return tuple(each[chosen] for each in self.said), self.targets[chosen]
