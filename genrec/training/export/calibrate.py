"""Fit a preset's temperature, centring, projection and cosine thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from genrec.embedder import Embedder
from genrec.music_detector import MUSIC_BELOW, MusicDetector
from genrec.preset import NETWORK, Calibration, Preset, save_preset
from genrec.training.data.dataset import ExcerptTable
from genrec.training.evaluation.metrics import unit
from genrec.training.evaluation.predict import Predictions, truth_of
from genrec.training.export.projection import projection
from genrec.training.export.teacher_reading import HeardSections, join_reading
from genrec.training.filterbank import mel_basis
from genrec.training.settings import TrainingSettings

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class UncalibratedPreset:
    """Name, training settings and labels of a preset whose calibration is not fitted yet.

    ``music_detector`` becomes part of the preset; with None, every clip holds music.
    ``temperature`` is that of the logits, for example from folds; with None, it is fitted on the
    validation tracks.
    """

    name: str
    settings: TrainingSettings
    labels: list[str]
    music_detector: MusicDetector | None = None
    temperature: float | None = None

    def save(
        self,
        folder: Path,
        calibration: Calibration | None = None,
        centring: tuple[Float, Float] | None = None,
    ) -> Preset:
        """Write the preset's files beside the network in ``folder``, and return the preset.

        ``centring`` is (centre, projection) of the embedding. By default the centre is zero and the
        projection the identity.
        """
        if centring is None:
            size = Embedder(folder / NETWORK).dimension
            centring = np.zeros(size, dtype=np.float32), np.eye(size, dtype=np.float32)
        return save_preset(
            folder,
            name=self.name,
            arch=self.settings.arch,
            spectrogram=self.settings.spectrogram,
            image=self.settings.image,
            labels=self.labels,
            calibration=calibration or Calibration(),
            mel_basis=mel_basis(self.settings.spectrogram),
            centring=centring,
            music_detector=self.music_detector,
        )


def accuracy(predictions: Predictions, data: ExcerptTable, labels: list[str]) -> float:
    """Return the accuracy of predictions, 0..1."""
    truth = truth_of(data, predictions.indices, labels)
    return float((predictions.logits.argmax(axis=1) == truth).mean())


def calibrate(
    uncalibrated: UncalibratedPreset,
    folder: Path,
    data: ExcerptTable,
    train: Predictions,
    valid: Predictions,
    shifts: Float,
    heard: HeardSections | None = None,
) -> Preset:
    """Fit the calibration, write the preset and return it.

    Centre and projection are fitted on training tracks. Temperature and cosine thresholds are
    fitted on validation tracks, which the network was not trained on.

    Parameters
    ----------
    uncalibrated, folder
        The preset, and its folder with the network file.
    data, train, valid
        The data set, and predictions for its training and validation part.
    shifts
        float32 (any, features), from :func:`projection.degradation_shifts`.
    heard
        Sections of unlabelled music, whose teacher's answers the embedding also reads.
    """
    centre = train.features.mean(axis=0)
    genres = np.array(data.genres)
    axes = projection(train.features, genres[train.indices].tolist(), shifts)
    if heard is not None:
        axes = join_reading(axes, centre, train.features, shifts, heard)
    cosines = unit((valid.features - centre) @ axes) @ unit((train.features - centre) @ axes).T
    unrelated = cosines[genres[valid.indices][:, None] != genres[train.indices][None, :]]
    calibration = Calibration(
        temperature=uncalibrated.temperature
        or temperature(valid.logits, truth_of(data, valid.indices, uncalibrated.labels)),
        cosine_zero=float(unrelated.mean()),
        cosine_floor=float(np.quantile(unrelated, 0.95)),
        music_below=MUSIC_BELOW if uncalibrated.music_detector else 0.0,
    )
    return uncalibrated.save(folder, calibration, (centre, axes))


def temperature(logits: Float, truth: NDArray[np.int64]) -> float:
    """Return the temperature with the least cross-entropy on these logits (Guo et al. 2017)."""
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_t)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, truth]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
