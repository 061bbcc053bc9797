"""Fit the sound tags of a preset: a linear reading of its embeddings for a teacher's answers.

The targets are the means of a tagger's probabilities over each training excerpt, as in
distillation (Hinton et al. 2015). The reading is a logistic regression with these probabilities as
targets, so serving needs neither the tagger nor its hidden layers. Five folds with artists apart
tell how well a tag is read from music of unknown artists: they choose the tags and calibrate them
(Platt 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.sound_tags import TagReading
from genrec.training.data.artist_folds import artist_groups
from genrec.training.data.dataset import ExcerptTable, Parts, Progress, no_progress
from genrec.training.evaluation.predict import predict_all
from genrec.training.teachers.answers import TeacherAnswers
from genrec.training.teachers.shown_tags import candidates

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]

FOLDS = 5
RIDGE = 2e-3  # weight of the squared weights, where each tag's loss has one scale
TOP = 0.25  # share of the excerpts to which the teacher gives a tag, by the height of its answer
SURE = 0.75  # least probability of a tag that is shown
LEAST_CORRELATION, LEAST_PRECISION, LEAST_RECALL = 0.6, 0.8, 0.1  # of a tag, over the folds
MIN_EXCERPTS = 50


@dataclass(frozen=True, slots=True, eq=False)
class FittedTags:
    """A reading of sound tags, and the figures of all tags that could be shown.

    Attributes
    ----------
    reading
        The reading of the shown tags.
    figures
        A row for each tag, the best correlation first: ``tag``; ``correlation`` with the teacher's
        answers, ``auc``, ``precision`` and ``recall`` over the folds; ``least_answer``, from which
        an answer of the teacher counts as giving the tag; ``shown``.
    excerpts
        Number of excerpts.
    """

    reading: TagReading
    figures: list[dict[str, Any]]
    excerpts: int


def fit_preset_tags(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    parts: Parts,
    answers: TeacherAnswers,
    progress: Progress = no_progress,
) -> FittedTags:
    """Fit the sound tags of a preset on the training excerpts that a teacher answered to.

    Parameters
    ----------
    analyzer
        The preset.
    data, parts
        The data set and split that its network was trained on.
    answers
        Answers to training excerpts; those to other parts are not used.
    progress
        Called with (done, total) after each excerpt.

    Raises
    ------
    DataError
        As `fit_tags`.
    """
    means = answers.excerpt_means([data.names[i] for i in parts["train"]])
    answered = ~np.isnan(means).any(axis=1)
    indices = parts["train"][answered]
    features = predict_all(analyzer, data, indices, progress).features
    group_of = artist_groups(data.names, data.artist_keys, data.duplicates)
    return fit_tags(
        np.array([analyzer.embedding(each) for each in features]),
        means[answered],
        answers.tags,
        [group_of[data.names[i]] for i in indices],
        analyzer.preset.labels,
    )


def fit_tags(
    embeddings: Float,
    answers: Float,
    tags: Sequence[str],
    groups: Sequence[str],
    genres: Sequence[str] = (),
) -> FittedTags:
    """Fit the reading of a teacher's tags, choose the tags that are shown, and calibrate them.

    A tag is right for an excerpt if the teacher's answer is among the highest quarter of its
    answers for this tag. Answers have no common scale: the highest for *mellow* may be 0.08 and
    that for *jazz* 0.98, so no single number could be the limit.

    Parameters
    ----------
    embeddings
        float32 (n, d), rows of length 1, of training excerpts.
    answers
        float32 (n, tags), the teacher's mean probability of each tag for each excerpt.
    tags
        Names of the teacher's tags.
    groups
        A group for each excerpt; equal for one artist.
    genres
        Labels of the preset, which are no tags.

    Raises
    ------
    DataError
        There are fewer than 50 excerpts, or no tag agrees well enough with the teacher.
    """
    if len(embeddings) < MIN_EXCERPTS:
        raise DataError(
            f"The teacher answered for {len(embeddings)} training excerpts, and tags need"
            f" {MIN_EXCERPTS}: write more answers, or use the split of the preset."
        )
    names, targets = candidates(tags, answers.astype(np.float64), genres)
    read = np.empty_like(targets)
    for inside, outside in GroupKFold(FOLDS).split(embeddings, groups=groups):
        weights, bias = _fit(embeddings[inside], targets[inside])
        read[outside] = embeddings[outside] @ weights + bias
    weights, bias = _fit(embeddings, targets)
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    calibrations: list[tuple[float, float, float]] = []
    for i, name in enumerate(names):
        row, calibration = _judge(read[:, i], targets[:, i])
        rows.append({"tag": name, **row})
        if row["shown"]:
            places.append(i)
            calibrations.append(calibration)
    if not places:
        raise DataError(
            "No tag is read well enough to be shown: over the folds each has a correlation below"
            f" {LEAST_CORRELATION} or a precision below {LEAST_PRECISION}. Answers for more"
            " excerpts, or a better network, may help."
        )
    slopes, offsets, thresholds = np.array(calibrations, dtype=np.float32).T
    return FittedTags(
        TagReading(
            shown=tuple(names[i] for i in places),
            weights=weights[:, places].astype(np.float32),
            bias=bias[places].astype(np.float32),
            slopes=slopes,
            offsets=offsets,
            thresholds=thresholds,
        ),
        sorted(rows, key=lambda row: -row["correlation"]),
        len(embeddings),
    )


def _fit(X: Float, targets: Doubles) -> tuple[Doubles, Doubles]:
    """Return weights (d, tags) and bias (tags,) of logistic regressions on probabilities."""
    weights, bias = np.empty((X.shape[1], targets.shape[1])), np.empty(targets.shape[1])
    twice = np.concatenate([X, X]).astype(np.float64)
    truth = np.repeat([1, 0], len(X))
    for i, p in enumerate(targets.T):
        mean = float(np.clip(p.mean(), 1e-6, 1 - 1e-6))
        # A rare tag has small losses: with their scale, each tag has the same amount of ridge.
        scale = 1 / (mean * (1 - mean) * len(X))
        model = LogisticRegression(C=scale / (2 * RIDGE), solver="newton-cholesky")
        model.fit(twice, truth, sample_weight=np.concatenate([p, 1 - p]))
        weights[:, i], bias[i] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _judge(
    log_odds: Doubles, targets: Doubles
) -> tuple[dict[str, Any], tuple[float, float, float]]:
    """Return the figures of a tag over the folds, and its slope, offset and threshold."""
    right = targets >= _least_answer(targets)
    platt = LogisticRegression(C=1e6).fit(log_odds[:, np.newaxis], right)
    slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    p = 1 / (1 + np.exp(-(slope * log_odds + offset)))
    threshold = _threshold(p, right)
    chosen = p >= threshold
    precision = float(right[chosen].mean()) if chosen.any() else 0.0
    recall = float((right & chosen).sum() / right.sum())
    correlation = float(np.corrcoef(1 / (1 + np.exp(-log_odds)), targets)[0, 1])
    shown = (
        slope > 0
        and correlation >= LEAST_CORRELATION
        and precision >= LEAST_PRECISION
        and recall >= LEAST_RECALL
    )
    row = {
        "correlation": correlation,
        "auc": float(roc_auc_score(right, log_odds)),
        "precision": precision,
        "recall": recall,
        "least_answer": _least_answer(targets),
        "shown": shown,
    }
    return row, (slope, offset, threshold)


def _threshold(p: Doubles, right: NDArray[np.bool_]) -> float:
    """Return the least probability from `SURE` on whose excerpts have the least precision."""
    for threshold in np.arange(SURE, 0.99, 0.01):
        chosen = p >= threshold
        if chosen.any() and right[chosen].mean() >= LEAST_PRECISION:
            return float(threshold)
    return 0.99


def _least_answer(targets: Doubles) -> float:
    """Return the least answer that counts as giving a tag: one in the highest quarter."""
    return float(np.quantile(targets, 1 - TOP))
