"""Keras callbacks of a training run: augmentation seed, validation, checkpoints and history."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from genrec.training.batches import Crops, all_windows, one_hot
from genrec.training.data.dataset import Dataset
from genrec.training.settings import KEPT, TrainingSettings

Float = NDArray[np.float32]


def stopped_early(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    """Say whether so many epochs have gone by since the one with the lowest validation loss."""
    losses = [row["val_loss"] for row in history]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def training_callbacks(
    model: keras.Model,
    settings: TrainingSettings,
    run: Path,
    history: Sequence[Mapping[str, float]],
) -> list[keras.callbacks.Callback]:
    """Return what writes a run down, epoch by epoch, and ends it where nothing gets better.

    The weights are written before the figures and the figures before the state to resume from: a
    kill between them repeats an epoch, and none stands in the history without its weights.
    """
    best = min((row["val_loss"] for row in history), default=None)
    loss = {"monitor": "val_loss", "mode": "min"}
    callbacks = [
        WholeCheckpoint(
            model,
            str(run / KEPT),
            save_best_only=settings.keep == "best",
            save_weights_only=True,
            initial_value_threshold=best,
            **loss,
        ),
        HistoryLogger(run / "history.csv", append=bool(history)),
        keras.callbacks.BackupAndRestore(
            str(run / "last"),
            double_checkpoint=True,  # a kill while it is written leaves the one before
            delete_checkpoint=False,
        ),
    ]
    if settings.keep == "best":
        stopping = keras.callbacks.EarlyStopping(patience=settings.patience, baseline=best, **loss)
        callbacks.insert(2, stopping)
    return callbacks


class EpochSeed(keras.callbacks.Callback):  # type: ignore[misc]
    """Throw the dice anew for each epoch, by its number: also after a resume."""

    def __init__(self, crops: Crops) -> None:
        super().__init__()
        self.crops = crops

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Tell the batches which epoch they are for."""
        self.crops.epoch = epoch


class TrackValidation(keras.callbacks.Callback):  # type: ignore[misc]
    """Judge each epoch by whole tracks: the logits of a track's windows are averaged."""

    def __init__(
        self, data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings
    ) -> None:
        super().__init__()
        self.targets = one_hot(data, indices, data.labels)
        self.x: Float | tuple[Float, ...]
        self.x, self.owner = all_windows(data, indices, settings)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Add ``val_accuracy`` and ``val_loss`` to the figures of the epoch."""
        logits = np.asarray(self.model.predict(self.x, batch_size=32, verbose=0))
        scores = np.stack([logits[self.owner == i].mean(axis=0) for i in range(len(self.targets))])
        log_p = log_softmax(scores, axis=1)
        if logs is not None:
            logs["val_accuracy"] = float((scores.argmax(1) == self.targets.argmax(1)).mean())
            logs["val_loss"] = float(-(log_p * self.targets).sum(axis=1).mean())


class WholeCheckpoint(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """Keep the whole network's weights, whichever part of it is being fitted."""

    def __init__(self, whole: keras.Model, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.whole = whole

    def set_model(self, model: keras.Model) -> None:  # noqa: ARG002
        """Watch the whole network in place of the fitted part."""
        super().set_model(self.whole)


class HistoryLogger(keras.callbacks.Callback):  # type: ignore[misc]
    """Append each epoch's metrics to a CSV file.

    The file is open only while a row is written. Keras' CSVLogger keeps it open until
    ``on_train_end``, which ``fit`` does not call when it raises.

    Parameters
    ----------
    path
        The CSV file, one column per metric and a row per epoch.
    append
        Keep the rows of a resumed run. Otherwise the file starts empty.
    """

    def __init__(self, path: Path, *, append: bool) -> None:
        super().__init__()
        self.path, self.append = path, append

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Remove the history of an earlier run."""
        if not self.append:
            self.path.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write one row."""
        row = {"epoch": epoch, **dict(sorted((logs or {}).items()))}
        with self.path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, fieldnames=list(row))
            if not file.tell():
                rows.writeheader()
            rows.writerow(row)
