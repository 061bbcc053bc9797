"""Hear excerpts of a data set from their arrays, with a network as it was exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Dataset, Progress, silent

Float = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a network says of excerpts, before anything is calibrated.

    Attributes
    ----------
    indices
        int (n,), the excerpts' places in the data set.
    features, logits
        float32 (n, d) and (n, labels), means over the windows as in `genrec.pipeline.Prediction`.
    """

    indices: Ints
    features: Float
    logits: Float


def predict_all(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = silent
) -> Predictions:
    """Hear excerpts, of which there may be none; ``progress`` is told (done, of) after each."""
    features, logits = [], []
    for done, index in enumerate(indices, start=1):
        heard = analyzer.predict_spectrogram(data.spectrogram(int(index)))
        features.append(heard.features)
        logits.append(heard.logits)
        progress(done, len(indices))
    preset = analyzer.preset
    return Predictions(
        np.asarray(indices, dtype=np.int64),
        np.array(features, dtype=np.float32).reshape(len(indices), len(preset.centre)),
        np.array(logits, dtype=np.float32).reshape(len(indices), len(preset.labels)),
    )


def concat(*heard: Predictions) -> Predictions:
    """Return what was heard in several sets of excerpts as one."""
    return Predictions(
        np.concatenate([each.indices for each in heard]),
        np.concatenate([each.features for each in heard]),
        np.concatenate([each.logits for each in heard]),
    )


def truth_of(data: Dataset, indices: Ints, labels: Sequence[str]) -> Ints:
    """Return the excerpts' genres as places in ``labels``."""
    return np.array([labels.index(data.genres[i]) for i in indices])
