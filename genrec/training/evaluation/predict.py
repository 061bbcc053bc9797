"""Predictions of a preset for the spectrograms or pictures of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.pipeline import Prediction, PresetAnalyzer
from genrec.training.data.dataset import (
    Dataset,
    ExcerptTable,
    PictureDataset,
    Progress,
    no_progress,
)

Float = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Uncalibrated predictions for excerpts.

    Attributes
    ----------
    indices
        int (n,), indices of the excerpts in the data set.
    features, logits
        float32 (n, d) and (n, labels), means over the windows as in `genrec.pipeline.Prediction`.
    """

    indices: Ints
    features: Float
    logits: Float


def predict_all(
    analyzer: PresetAnalyzer, data: ExcerptTable, indices: Ints, progress: Progress = no_progress
) -> Predictions:
    """Return predictions for excerpts; ``progress`` is called after each one."""
    features, logits = [], []
    for done, index in enumerate(indices, start=1):
        prediction = predict_excerpt(analyzer, data, int(index))
        features.append(prediction.features)
        logits.append(prediction.logits)
        progress(done, len(indices))
    preset = analyzer.preset
    return Predictions(
        np.asarray(indices, dtype=np.int64),
        np.array(features, dtype=np.float32).reshape(len(indices), len(preset.centre)),
        np.array(logits, dtype=np.float32).reshape(len(indices), len(preset.labels)),
    )


def predict_excerpt(analyzer: PresetAnalyzer, data: ExcerptTable, index: int) -> Prediction:
    """Return the prediction for an excerpt's spectrogram or picture.

    Raises
    ------
    TypeError
        The data set has neither; `check_front_end` has checked that.
    """
    if isinstance(data, PictureDataset):
        return analyzer.predict_images(data.image(index, analyzer.preset.image))
    if isinstance(data, Dataset):
        return analyzer.predict_spectrogram(data.spectrogram(index))
    raise TypeError(f"{type(data).__name__} has neither spectrograms nor pictures")


def concat(*predictions: Predictions) -> Predictions:
    """Return the predictions of several sets as one, in their order."""
    return Predictions(
        np.concatenate([each.indices for each in predictions]),
        np.concatenate([each.features for each in predictions]),
        np.concatenate([each.logits for each in predictions]),
    )


def truth_of(data: ExcerptTable, indices: Ints, labels: Sequence[str]) -> Ints:
    """Return the excerpts' true labels as indices in ``labels``, int (n,)."""
    return np.array([labels.index(data.genres[i]) for i in indices])
