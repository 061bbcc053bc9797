"""Fit what a preset knows of its own answers: centre, projection, temperature and cosines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from genrec.embedder import Embedder
from genrec.preset import NETWORK, Calibration, Preset, save_preset
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.metrics import unit
from genrec.training.evaluation.predict import Predictions, truth_of
from genrec.training.export.projection import projection
from genrec.training.front_end import mel_basis
from genrec.training.settings import TrainingSettings

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """What a preset is before calibration: its front end and labels round a network."""

    name: str
    settings: TrainingSettings
    labels: list[str]

    def save(
        self,
        folder: Path,
        calibration: Calibration | None = None,
        space: tuple[Float, Float] | None = None,
    ) -> Preset:
        """Write the preset round the network file in ``folder``; ``space``: centre, projection."""
        if space is None:
            features = Embedder(folder / NETWORK).dimension
            space = np.zeros(features, dtype=np.float32), np.eye(features, dtype=np.float32)
        return save_preset(
            folder,
            name=self.name,
            arch=self.settings.arch,
            spectrogram=self.settings.spectrogram,
            image=self.settings.image,
            labels=self.labels,
            calibration=calibration or Calibration(),
            mel_basis=mel_basis(self.settings.spectrogram),
            centre=space[0],
            projection=space[1],
        )


def accuracy(found: Predictions, data: Dataset, labels: list[str]) -> float:
    """Return the share of excerpts whose genre was heard."""
    return float((found.logits.argmax(axis=1) == truth_of(data, found.indices, labels)).mean())


def calibrate(
    blank: Blank,
    folder: Path,
    data: Dataset,
    train: Predictions,
    valid: Predictions,
    changes: Float,
) -> Preset:
    """Write the preset with its space, its temperature and its cosine scale.

    Centre and projection are the training tracks' and their coded selves'; temperature and cosines
    are fitted on validation tracks, which the network has not learned by heart.
    """
    centre = train.features.mean(axis=0)
    genres = np.array(data.genres)
    kept = projection(train.features, genres[train.indices].tolist(), changes)
    cosines = unit((valid.features - centre) @ kept) @ unit((train.features - centre) @ kept).T
    unrelated = cosines[genres[valid.indices][:, None] != genres[train.indices][None, :]]
    calibration = Calibration(
        temperature=temperature(valid.logits, truth_of(data, valid.indices, blank.labels)),
        cosine_zero=float(unrelated.mean()),
        cosine_floor=float(np.quantile(unrelated, 0.95)),
    )
    return blank.save(folder, calibration, (centre, kept))


def temperature(logits: Float, truth: NDArray[np.int64]) -> float:
    """Return the temperature with the least cross-entropy (Guo et al. 2017)."""
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_t)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, truth]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
