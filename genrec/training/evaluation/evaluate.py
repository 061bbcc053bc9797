"""Evaluate a preset's exported network on a data set, without Keras.

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
from genrec.training.data.dataset import (
    ExcerptTable,
    Parts,
    Progress,
    check_front_end,
    no_progress,
    require_parts,
)
from genrec.training.evaluation.metrics import (
    calibration_error,
    chance_calibration_error,
    raw_cosine,
    reliability,
    similarity_distribution,
    softmax,
)
from genrec.training.evaluation.predict import Predictions, predict_all, truth_of

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPredictions(Predictions):
    """Predictions with ``embeddings``, float32 (n, d), rows of length 1."""

    embeddings: Float


def with_embeddings(analyzer: PresetAnalyzer, predictions: Predictions) -> EmbeddedPredictions:
    """Return predictions together with the embeddings of their features."""
    embeddings = [analyzer.embedding(each) for each in predictions.features]
    shape = len(embeddings), analyzer.preset.dimension
    return EmbeddedPredictions(
        predictions.indices,
        predictions.features,
        predictions.logits,
        np.array(embeddings, dtype=np.float32).reshape(shape),
    )


def evaluate(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    parts: Parts,
    *,
    progress: Progress = no_progress,
    part: str = "test",
    audio: bool = True,
    others: Predictions | None = None,
) -> dict[str, Any]:
    """Return the metrics of a preset on one part of a data set.

    Parameters
    ----------
    analyzer
        The preset.
    data, parts
        The data set and its split. Neighbours come from the other parts, or from the evaluated
        part if there is no other.
    progress
        Called with (done, total) after each excerpt.
    part
        The part to evaluate.
    audio
        Whether to analyse the excerpts' audio files too.
    others
        Predictions for the other parts; None computes them.

    Returns
    -------
    A JSON-serialisable dictionary; docs/training.md lists its keys

    Raises
    ------
    DataError
        The part is empty, the data have another front end or other genres than the preset, or an
        audio file cannot be decoded.
    """
    started = time.perf_counter()
    preset = analyzer.preset
    check_front_end(data, preset.spectrogram, preset.image)
    unknown = sorted(set(data.genres) - set(preset.labels))
    if unknown:
        raise DataError(
            f"The preset {preset.name} has no genre {', '.join(unknown)}; it was trained on"
            f" {', '.join(preset.labels)}."
        )
    require_parts(parts, part)
    indices = parts[part]
    rest = np.concatenate([each for name, each in parts.items() if name != part])
    total = len(indices) + (len(rest) if others is None else 0)
    queries = with_embeddings(
        analyzer, predict_all(analyzer, data, indices, lambda done, _: progress(done, total))
    )
    if others is None:
        others = predict_all(
            analyzer, data, rest, lambda done, _: progress(len(indices) + done, total)
        )
    truth = truth_of(data, indices, preset.labels)
    catalogue = with_embeddings(analyzer, others) if len(others.indices) else queries
    scaled = queries.logits / preset.calibration.temperature
    itself, same_artist, same_genre = _masks(data, queries, catalogue)
    cosines = queries.embeddings @ catalogue.embeddings.T
    unrelated = ~same_genre & ~itself
    nearest = cosines[_nearest(np.where(itself | same_artist, -np.inf, cosines))]
    return {
        "preset": preset.name,
        "model_id": preset.model_id,
        "part": part,
        "tracks": len(indices),
        **accuracy(truth, queries.logits.argmax(axis=1), preset.labels),
        "without_twins": without_twins(data, indices, rest, truth == queries.logits.argmax(axis=1)),
        "calibration": calibration(truth, scaled, preset),
        "reliability": reliability(truth, softmax(scaled)),
        "neighbours": neighbours(data, queries, catalogue),
        "similarity": similarity_distribution(nearest, cosines[unrelated], preset.calibration),
        "raw_cosine_unrelated": raw_cosine(queries.features, catalogue.features, unrelated),
        "audio": from_audio(analyzer, data, queries) if audio else None,
        "seconds": round(time.perf_counter() - started, 1),
    }


def accuracy(truth: Ints, predicted: Ints, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return accuracy, metrics per genre, their averages, and the confusion matrix.

    ``macro_avg`` is the mean over the genres that have tracks, ``weighted_avg`` that weighted by
    the number of tracks. The rows of the matrix are the true genres.
    """
    indices = list(range(len(labels)))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=indices, zero_division=0
    )
    rows = np.stack([precision, recall, f1], axis=1)
    present = support > 0
    return {
        "accuracy": float((truth == predicted).mean()),
        "macro_f1": float(f1[present].mean()),
        "labels": list(labels),
        "per_class": {
            label: _report_row(row, count)
            for label, row, count in zip(labels, rows, support, strict=True)
        },
        "macro_avg": _report_row(rows[present].mean(axis=0), support.sum()),
        "weighted_avg": _report_row(np.average(rows, axis=0, weights=support), support.sum()),
        "confusion_matrix": confusion_matrix(truth, predicted, labels=indices).tolist(),
    }


def without_twins(
    data: ExcerptTable, indices: Ints, rest: Ints, right: NDArray[np.bool_]
) -> dict[str, float] | None:
    """Return the accuracy on tracks without a duplicate in another part.

    A track whose duplicate is in another part may have been trained on, so its genre says little.

    Parameters
    ----------
    data, indices, rest
        The data set, its tracks of one part, and those of the other parts. A track in no part,
        such as an excluded one, was not trained on.
    right
        bool (n,), whether the genre of each track is correct.

    Returns
    -------
    ``tracks`` and ``accuracy``; None if no track has a duplicate in another part, or all have
    """
    outside = {data.names[i] for i in rest}
    pairs = [*data.duplicates, *((b, a) for a, b in data.duplicates)]
    twins = {one for one, other in pairs if other in outside}
    alone = np.array([data.names[i] not in twins for i in indices])
    if alone.all() or not alone.any():
        return None
    return {"tracks": int(alone.sum()), "accuracy": float(right[alone].mean())}


def _report_row(row: NDArray[Any], support: Any) -> dict[str, float]:
    """Return precision, recall, F1 and the number of tracks as a dictionary."""
    figures = dict(zip(("precision", "recall", "f1"), map(float, row), strict=True))
    return {**figures, "support": int(support)}


def calibration(truth: Ints, scaled: Float, preset: Any) -> dict[str, float]:
    """Return metrics of the calibrated probabilities.

    ``ece`` is the expected calibration error over ten equal bins (Guo et al. 2017), and
    ``ece_if_honest`` its expectation for a perfectly calibrated network on as many tracks. ``nll``
    is the mean negative log-likelihood. ``unsure_share`` is the share of unsure tracks, and
    ``accuracy_when_sure`` the accuracy on the other tracks.
    """
    p = softmax(scaled)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    sure = confidence >= preset.calibration.unsure_below
    return {
        "ece": float(calibration_error(confidence, right)),
        "ece_if_honest": chance_calibration_error(confidence),
        "nll": float(-np.log(np.maximum(p[np.arange(len(truth)), truth], 1e-12)).mean()),
        "temperature": preset.calibration.temperature,
        "unsure_share": float(1 - sure.mean()),
        "accuracy_when_sure": float(right[sure].mean()) if sure.any() else 0.0,
    }


def neighbours(
    data: ExcerptTable, queries: EmbeddedPredictions, catalogue: EmbeddedPredictions
) -> dict[str, float]:
    """Return precision at 5, mean cosines and hubness of the five nearest neighbours.

    A query is never its own neighbour, and ``*_artist_filtered`` excludes its artist's tracks. With
    fewer than five candidates, all of them count. ``hubness_skew`` is the skewness of k-occurrence,
    the number of queries with a track among their five nearest (Radovanovic et al. 2010).
    ``never_share`` is the share of tracks whose k-occurrence is 0.
    """
    itself, same_artist, same_genre = _masks(data, queries, catalogue)
    cosines = queries.embeddings @ catalogue.embeddings.T
    nearest = _nearest(np.where(itself, -np.inf, cosines))
    filtered = _nearest(np.where(itself | same_artist, -np.inf, cosines))
    counts = np.bincount(filtered[1], minlength=len(catalogue.indices)).astype(float)
    spread = counts.std()
    unrelated = cosines[~same_genre & ~itself]
    return {
        "catalogue": len(catalogue.indices),
        "precision_at_5": _mean(same_genre[nearest]),
        "precision_at_5_artist_filtered": _mean(same_genre[filtered]),
        "same_artist_share": _mean(same_artist[nearest]),
        "mean_cosine_unrelated": _mean(unrelated),
        "mean_cosine_nearest": _mean(cosines[filtered]),
        "hubness_skew": float((((counts - counts.mean()) / spread) ** 3).mean()) if spread else 0.0,
        "never_share": float((counts == 0).mean()),
    }


def from_audio(
    analyzer: PresetAnalyzer, data: ExcerptTable, predictions: Predictions
) -> dict[str, float] | None:
    """Return the accuracy on excerpts' audio files; None if no excerpt has one.

    ``accuracy_arrays`` is the accuracy on the spectrograms of the same excerpts, for comparison: an
    audio file may be only a part of its excerpt.

    Raises
    ------
    DataError
        An audio file cannot be analysed.
    """
    truth, from_files, from_arrays = [], [], []
    for index, logits in zip(predictions.indices, predictions.logits, strict=True):
        path = data.audio.get(data.names[index])
        if path is None:
            continue
        try:
            from_files.append(analyzer.analyze(path).scores[0].label)
        except InputRefused as error:
            raise DataError(f"{path} cannot be analysed: {error}") from error
        truth.append(data.genres[index])
        from_arrays.append(analyzer.preset.labels[int(logits.argmax())])
    if not truth:
        return None
    return {
        "tracks": len(truth),
        "accuracy": float(np.mean([a == t for a, t in zip(from_files, truth, strict=True)])),
        "accuracy_arrays": float(
            np.mean([a == t for a, t in zip(from_arrays, truth, strict=True)])
        ),
    }


def _masks(
    data: ExcerptTable, queries: EmbeddedPredictions, catalogue: EmbeddedPredictions
) -> tuple[NDArray[np.bool_], ...]:
    """Return masks of the pairs with equal track, artist and genre: bool (queries, catalogue).

    A track of unknown artist counts as an artist of its own.
    """
    genres = np.array(data.genres)
    artists = np.array([key or f"?{i}" for i, key in enumerate(data.artist_keys)])
    itself = queries.indices[:, None] == catalogue.indices[None, :]
    same_artist = artists[queries.indices][:, None] == artists[catalogue.indices][None, :]
    same_genre = genres[queries.indices][:, None] == genres[catalogue.indices][None, :]
    return itself, same_artist, same_genre


def _nearest(cosines: Float) -> tuple[Ints, Ints]:
    """Return row and column indices of the five largest finite cosines of each row."""
    columns = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    rows = np.broadcast_to(np.arange(len(cosines))[:, None], columns.shape)
    finite = np.isfinite(cosines[rows, columns])
    return rows[finite], columns[finite]


def _mean(x: NDArray[Any]) -> float:
    return float(x.mean()) if x.size else 0.0
