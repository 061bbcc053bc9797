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

from genrec.training.batches import TrainingBatches, WholeExcerpts, all_windows, one_hot
from genrec.training.data.dataset import ExcerptTable
from genrec.training.settings import CHECKPOINT, HISTORY, TrainingSettings

Float = NDArray[np.float32]


def training_callbacks(
    model: keras.Model,
    settings: TrainingSettings,
    run: Path,
    history: Sequence[Mapping[str, float]],
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write the run folder and stop early.

    Each epoch writes its checkpoint, then its history row, then the resume state. If the process is
    killed between them, the epoch is repeated, and no row lacks its checkpoint.

    Parameters
    ----------
    model
        The whole network, also while only its head is fitted.
    settings, run
        The settings and the run folder.
    history
        Metrics of the epochs before a resume.
    """
    best = min((row["val_loss"] for row in history), default=None)
    loss = {"monitor": "val_loss", "mode": "min"}
    callbacks = [
        FullModelCheckpoint(
            model,
            str(run / CHECKPOINT),
            save_best_only=settings.keep == "best",
            save_weights_only=True,
            initial_value_threshold=best,
            **loss,
        ),
        HistoryLogger(run / HISTORY, append=bool(history)),
        keras.callbacks.BackupAndRestore(
            str(run / "last"),
            double_checkpoint=True,  # a kill during the write leaves the previous backup
            delete_checkpoint=False,
        ),
    ]
    if settings.keep == "best":
        stopping = keras.callbacks.EarlyStopping(patience=settings.patience, baseline=best, **loss)
        callbacks.insert(2, stopping)
    return callbacks


def out_of_patience(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    """Return whether early stopping applies: the best epoch is ``patience`` or more epochs old."""
    losses = [row["val_loss"] for row in history]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


class EpochSeed(keras.callbacks.Callback):  # type: ignore[misc]
    """Reseed augmentation per epoch so a resumed run draws the same batches."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set the batches' ``epoch``, which seeds their order and augmentation."""
        self.batches.epoch = epoch


class TrackValidation(keras.callbacks.Callback):  # type: ignore[misc]
    """Validation on whole tracks: a track's logits are the mean over its windows.

    Attributes
    ----------
    x
        Images of all windows, or their bottleneck features. Images of whole excerpts are made
        batch by batch.
    owner
        int (windows,), the track of each window.
    """

    def __init__(
        self, data: ExcerptTable, indices: NDArray[np.int64], settings: TrainingSettings
    ) -> None:
        super().__init__()
        self.targets = one_hot(data, indices, data.labels)
        self.x: Float | tuple[Float, ...] | WholeExcerpts
        if settings.image.columns:
            self.x, self.owner = all_windows(data, indices, settings)
        else:
            self.x, self.owner = WholeExcerpts(data, indices, settings), np.arange(len(indices))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Add ``val_accuracy`` and ``val_loss`` to the metrics of the epoch."""
        batch = None if isinstance(self.x, WholeExcerpts) else 32
        predicted = self.model.predict(self.x, batch_size=batch, verbose=0)
        # A network with further outputs has a dictionary of them.
        logits = np.asarray(predicted["logits"] if isinstance(predicted, dict) else predicted)
        scores = np.stack([logits[self.owner == i].mean(axis=0) for i in range(len(self.targets))])
        log_p = log_softmax(scores, axis=1)
        if logs is not None:
            if "logits_accuracy" in logs:
                logs["accuracy"] = logs.pop("logits_accuracy")
            logs["val_accuracy"] = float((scores.argmax(1) == self.targets.argmax(1)).mean())
            logs["val_loss"] = float(-(log_p * self.targets).sum(axis=1).mean())


class FullModelCheckpoint(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """ModelCheckpoint that saves the whole network while only its head is fitted."""

    def __init__(self, full_model: keras.Model, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.full_model = full_model

    def set_model(self, model: keras.Model) -> None:  # noqa: ARG002
        """Save the whole network; ``model``, the one that is fitted, is ignored."""
        super().set_model(self.full_model)


class HistoryLogger(keras.callbacks.Callback):  # type: ignore[misc]
    """Append each epoch's metrics to a CSV file.

    The file is open only while a row is written. Keras' CSVLogger keeps it open until
    ``on_train_end``, which ``fit`` does not call when it raises.

    Parameters
    ----------
    path
        The CSV file: one column per metric, one row per epoch.
    append
        True for a resumed run, whose rows stay. False starts an empty file.
    """

    def __init__(self, path: Path, *, append: bool) -> None:
        super().__init__()
        self.path, self.append = path, append

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Remove the file of an earlier run, unless ``append`` is set."""
        if not self.append:
            self.path.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Append a row with the epoch's metrics."""
        row = {"epoch": epoch, **dict(sorted((logs or {}).items()))}
        with self.path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, fieldnames=list(row))
            if not file.tell():
                rows.writeheader()
            rows.writerow(row)
