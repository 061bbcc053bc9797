"""Measure a preset on a data set, as it ships: the exported network, no keras.

genrec evaluate --preset models/vgg16 --data DIR --split paper
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from genrec.errors import DataError, InputRefused
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Dataset, Parts, Progress, check_front_end, need, silent
from genrec.training.evaluation.metrics import (
    calibration_error,
    honest_calibration_error,
    raw_cosine,
    reliability,
    similarity,
    softmax,
)
from genrec.training.evaluation.predict import Predictions, predict_all, truth_of

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPredictions(Predictions):
    """What a preset hears in some excerpts; ``embeddings``: float32 (n, d), of length 1."""

    embeddings: Float


def predict(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = silent
) -> EmbeddedPredictions:
    """Hear excerpts from their log-mel arrays."""
    return embedded(analyzer, predict_all(analyzer, data, indices, progress))


def embedded(analyzer: PresetAnalyzer, heard: Predictions) -> EmbeddedPredictions:
    """Add the embeddings to what was heard."""
    embeddings = [analyzer.embedding(each) for each in heard.features]
    shape = len(embeddings), analyzer.preset.dimension
    return EmbeddedPredictions(
        heard.indices,
        heard.features,
        heard.logits,
        np.array(embeddings, dtype=np.float32).reshape(shape),
    )


def evaluate(
    analyzer: PresetAnalyzer,
    data: Dataset,
    parts: Parts,
    *,
    progress: Progress = silent,
    part: str = "test",
    audio: bool = True,
    others: Predictions | None = None,
) -> dict[str, Any]:
    """Return every figure of a preset on one part of a data set.

    Parameters
    ----------
    analyzer
        The preset.
    data, parts
        The data and its parts. The part is judged; the neighbours of its tracks are looked for in
        the other parts, or in the part itself where there is no other.
    progress
        Told (done, of) after each excerpt.
    part
        The part to judge.
    audio
        Whether excerpts that have an audio file are judged end to end, too.
    others
        What the preset's network heard in the other parts, where that is known already.

    Returns
    -------
    A dictionary that JSON can hold; docs/training.md names its keys.

    Raises
    ------
    DataError
        The part is empty, or its genres are not the preset's.
    """
    started = time.perf_counter()
    preset = analyzer.preset
    check_front_end(data, preset.spectrogram)
    strange = sorted(set(data.genres) - set(preset.labels))
    if strange:
        raise DataError(
            f"The preset {preset.name} knows no {', '.join(strange)}; it was trained on"
            f" {', '.join(preset.labels)}."
        )
    need(parts, part)
    judged = parts[part]
    unheard = np.concatenate([indices for name, indices in parts.items() if name != part])
    total = len(judged) + (len(unheard) if others is None else 0)
    found = predict(analyzer, data, judged, lambda done, _: progress(done, total))
    if others is None:
        others = predict_all(
            analyzer, data, unheard, lambda done, _: progress(len(judged) + done, total)
        )
    truth = truth_of(data, judged, preset.labels)
    catalogue = embedded(analyzer, others) if len(others.indices) else found
    scaled = found.logits / preset.calibration.temperature
    itself, same_artist, same_genre = _masks(data, found, catalogue)
    cosines = found.embeddings @ catalogue.embeddings.T
    unrelated = ~same_genre & ~itself
    nearest = cosines[_nearest(np.where(itself | same_artist, -np.inf, cosines))]
    return {
        "preset": preset.name,
        "model_id": preset.model_id,
        "part": part,
        "tracks": len(judged),
        **accuracy(truth, found.logits.argmax(axis=1), preset.labels),
        "calibration": calibration(truth, scaled, preset),
        "reliability": reliability(truth, softmax(scaled)),
        "neighbours": neighbours(data, found, catalogue),
        "similarity": similarity(nearest, cosines[unrelated], preset.calibration),
        "raw_cosine_unrelated": raw_cosine(found.features, catalogue.features, unrelated),
        "audio": from_audio(analyzer, data, judged, found) if audio else None,
        "seconds": round(time.perf_counter() - started, 1),
    }


def accuracy(truth: Ints, answer: Ints, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return accuracy, macro F1, figures per genre and the confusion matrix (rows: the truth)."""
    every = list(range(len(labels)))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answer, labels=every, zero_division=0
    )
    return {
        "accuracy": float((truth == answer).mean()),
        "macro_f1": float(f1[support > 0].mean()),
        "labels": list(labels),
        "per_class": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
        "confusion_matrix": confusion_matrix(truth, answer, labels=every).tolist(),
    }


def calibration(truth: Ints, scaled: Float, preset: Any) -> dict[str, float]:
    """Return how far probabilities keep their word.

    ``ece`` is the expected calibration error over ten equal bins of confidence (Guo et al. 2017),
    ``ece_if_honest`` what it would be on average on as many tracks if each probability were true;
    ``unsure_share`` the share of tracks called unsure, ``accuracy_when_sure`` that of the rest.
    """
    p = softmax(scaled)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    sure = confidence >= preset.calibration.unsure_below
    return {
        "ece": float(calibration_error(confidence, right)),
        "ece_if_honest": honest_calibration_error(confidence),
        "nll": float(-np.log(np.maximum(p[np.arange(len(truth)), truth], 1e-12)).mean()),
        "temperature": preset.calibration.temperature,
        "unsure_share": float(1 - sure.mean()),
        "accuracy_when_sure": float(right[sure].mean()) if sure.any() else 0.0,
    }


def neighbours(
    data: Dataset, found: EmbeddedPredictions, pool: EmbeddedPredictions
) -> dict[str, float]:
    """Return whether the nearest tracks are of the genre, and whether all tracks get a chance.

    Each query looks among ``pool``, without itself; where fewer than five are left, among those.
    ``*_artist_filtered`` leaves out tracks of the query's own artist. ``hubness_skew`` is the
    skewness of how often a track is among the five nearest (Radovanovic et al. 2010),
    ``never_share`` the share of tracks that never is.
    """
    itself, same_artist, same_genre = _masks(data, found, pool)
    cosines = found.embeddings @ pool.embeddings.T
    nearest = _nearest(np.where(itself, -np.inf, cosines))
    filtered = _nearest(np.where(itself | same_artist, -np.inf, cosines))
    counts = np.bincount(filtered[1], minlength=len(pool.indices)).astype(float)
    spread = counts.std()
    unrelated = cosines[~same_genre & ~itself]
    return {
        "catalogue": len(pool.indices),
        "precision_at_5": _mean(same_genre[nearest]),
        "precision_at_5_artist_filtered": _mean(same_genre[filtered]),
        "same_artist_share": _mean(same_artist[nearest]),
        "mean_cosine_unrelated": _mean(unrelated),
        "mean_cosine_nearest": _mean(cosines[filtered]),
        "hubness_skew": float((((counts - counts.mean()) / spread) ** 3).mean()) if spread else 0.0,
        "never_share": float((counts == 0).mean()),
    }


def from_audio(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, found: EmbeddedPredictions
) -> dict[str, float] | None:
    """Judge, end to end from their files, those excerpts that have audio; none: nothing.

    ``accuracy_arrays`` is that of the same excerpts from their arrays, for comparison: the audio
    may be only part of the excerpt.
    """
    truth, answers, arrays = [], [], []
    for row, index in enumerate(indices):
        path = data.audio.get(data.names[index])
        if path is None:
            continue
        try:
            answers.append(analyzer.analyze(path).scores[0].label)
        except InputRefused as error:
            raise DataError(f"{path} of the test data cannot be heard: {error}") from error
        truth.append(data.genres[index])
        arrays.append(analyzer.preset.labels[int(found.logits[row].argmax())])
    if not truth:
        return None
    return {
        "tracks": len(truth),
        "accuracy": float(np.mean([a == t for a, t in zip(answers, truth, strict=True)])),
        "accuracy_arrays": float(np.mean([a == t for a, t in zip(arrays, truth, strict=True)])),
    }


def _masks(
    data: Dataset, found: EmbeddedPredictions, pool: EmbeddedPredictions
) -> tuple[NDArray[np.bool_], ...]:
    """Return which pairs are one track, of one artist, of one genre: bool (found, pool) each."""
    genres = np.array(data.genres)
    artists = np.array([key or f"?{i}" for i, key in enumerate(data.artist_keys)])
    itself = found.indices[:, None] == pool.indices[None, :]
    same_artist = artists[found.indices][:, None] == artists[pool.indices][None, :]
    same_genre = genres[found.indices][:, None] == genres[pool.indices][None, :]
    return itself, same_artist, same_genre


def _nearest(cosines: Float) -> tuple[Ints, Ints]:
    """Return rows and columns of the five largest finite numbers of each row."""
    columns = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    rows = np.broadcast_to(np.arange(len(cosines))[:, None], columns.shape)
    there = np.isfinite(cosines[rows, columns])
    return rows[there], columns[there]


def _mean(x: NDArray[Any]) -> float:
    return float(x.mean()) if x.size else 0.0
