"""Features and logits of all excerpts after chosen epochs, for tables and figures.

Each milestone is an npz file in the run folder. The test part is among the excerpts: nothing in
training depends on it, so a file only reports.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.files import atomic_write
from genrec.training.batches import WholeExcerpts
from genrec.training.bottleneck import bottleneck_features
from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.settings import TrainingSettings

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Outputs of a network for excerpts.

    Attributes
    ----------
    indices
        int (n,), indices of the excerpts in the data set.
    features, logits
        float32 (n, d) and (n, labels): the input and the output of the classification layer.
    """

    indices: NDArray[np.int64]
    features: Float
    logits: Float


def outputs_path(run: Path, epochs: int) -> Path:
    """Return the path of a run's outputs after so many epochs."""
    return run / f"outputs-{epochs}.npz"


def read_outputs(run: Path, epochs: int) -> Outputs:
    """Return a run's outputs after so many epochs.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    path = outputs_path(run, epochs)
    try:
        with np.load(path) as arrays:
            return Outputs(arrays["indices"], arrays["features"], arrays["logits"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read: {error}. Delete {run} and train the network again."
        ) from error


class Milestones(keras.callbacks.Callback):  # type: ignore[misc]
    """Write the outputs for all excerpts after some epochs.

    Parameters
    ----------
    data, parts, settings, run
        The data set, its split, and the settings and folder of the run. The images are whole
        excerpts.
    epochs
        The numbers of epochs, from 1.
    whole, frozen
        The whole network, and its frozen part if only its head is fitted.
    """

    def __init__(
        self,
        data: ExcerptTable,
        parts: Parts,
        settings: TrainingSettings,
        run: Path,
        epochs: Collection[int],
        *,
        whole: keras.Model,
        frozen: keras.Model | None,
    ) -> None:
        super().__init__()
        if settings.image.columns:
            raise ValueError("milestones need whole excerpts as images")
        self.indices = np.concatenate(list(parts.values()))
        self.run, self.epochs = run, frozenset(epochs)
        self.whole, self.frozen = whole, frozen
        self.images = WholeExcerpts(data, self.indices, settings)
        self.x: tuple[Float, ...] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Write the outputs if this epoch is one of the milestones."""
        if epoch + 1 not in self.epochs:
            return
        features, logits = self._outputs()
        with atomic_write(outputs_path(self.run, epoch + 1)) as part:
            np.savez_compressed(part, indices=self.indices, features=features, logits=logits)

    def _outputs(self) -> tuple[Float, Float]:
        """Return the features and logits of all excerpts."""
        whole, frozen = self.whole, self.frozen
        if frozen is None:
            network = keras.Model(whole.inputs, [whole.get_layer("embedding").output, whole.output])
            features, logits = network.predict(self.images, verbose=0)
            return np.asarray(features, dtype=np.float32), np.asarray(logits, dtype=np.float32)
        if self.x is None:
            self.x = bottleneck_features(frozen, self.images)
        logits = self.model.predict(self.x, batch_size=32, verbose=0)
        if any(layer.name == "embedding" for layer in frozen.layers):
            features = self.x[0]  # only the dense layer is trained
        else:
            network = keras.Model(tuple(frozen.outputs), whole.get_layer("embedding").output)
            features = network.predict(self.x, batch_size=32, verbose=0)
        return np.asarray(features, dtype=np.float32), np.asarray(logits, dtype=np.float32)
