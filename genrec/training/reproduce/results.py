"""Results of the paper's experiments: accuracy, loss, reports and recommendations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.evaluation.evaluate import accuracy
from genrec.training.evaluation.metrics import unit
from genrec.training.milestones import Outputs

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5


@dataclass(frozen=True, slots=True)
class PaperResult:
    """Figures of one network in the paper: accuracy and loss on its training and test part."""

    train_accuracy: float
    train_loss: float
    test_accuracy: float
    test_loss: float


# The paper's table of results. It gives no such figures for its own CNN.
PAPER_RESULTS = {
    "vgg16": PaperResult(0.8408, 0.4827, 0.6094, 1.2762),
    "resnet50": PaperResult(0.6286, 1.0383, 0.3438, 1.8529),
}


@dataclass(frozen=True, slots=True, eq=False)
class Recommended:
    """Five recommendations for one test excerpt.

    Attributes
    ----------
    query
        Index of the test excerpt.
    tracks
        int (5,), indices of the nearest training and validation excerpts, nearest first; fewer if
        there are fewer.
    similarities
        float32 (5,), their cosines, -1..1.
    """

    query: int
    tracks: Ints
    similarities: Float


def part_metrics(outputs: Outputs, data: ExcerptTable, parts: Parts) -> dict[str, dict[str, Any]]:
    """Return accuracy, loss and the classification report of each part.

    The networks run in inference mode: without dropout, and with the weights after the epoch. So
    the loss on the training part is lower than the mean during the epoch, which Keras prints.

    Returns
    -------
    By part, the keys of `genrec.training.evaluation.evaluate.accuracy`, and ``loss``: the mean
    cross-entropy in nats. A part without excerpts is left out
    """
    labels = tuple(data.labels)
    log_p = log_softmax(outputs.logits.astype(np.float64), axis=1)
    found: dict[str, dict[str, Any]] = {}
    for part, indices in parts.items():
        rows = rows_of(outputs, indices)
        if not len(rows):
            continue
        truth = truth_labels(data, outputs.indices[rows])
        report = accuracy(truth, log_p[rows].argmax(axis=1), labels)
        loss = -log_p[rows, truth].mean()
        found[part] = {"tracks": len(rows), "loss": float(loss), **report}
    return found


def raw_features(outputs: Outputs) -> Float:
    """Return the features as the paper compares them: as they are."""
    return outputs.features


def centred_features(outputs: Outputs, parts: Parts) -> Float:
    """Return the features minus their mean over training and validation excerpts."""
    known = np.concatenate([rows_of(outputs, parts[part]) for part in ("train", "valid")])
    return np.asarray(outputs.features - outputs.features[known].mean(axis=0))


def recommendations(
    outputs: Outputs, features: Float, queries: Ints, parts: Parts
) -> list[Recommended]:
    """Return the five most similar training and validation excerpts of each query.

    The similarity is the cosine, the paper's formula: a.b / (|a| |b|).

    Parameters
    ----------
    outputs, features
        The outputs, and the features to compare, float32 (n, d).
    queries
        Indices of test excerpts.
    parts
        The split.
    """
    known = np.concatenate([rows_of(outputs, parts[part]) for part in ("train", "valid")])
    x = unit(features)
    found = []
    for query in queries:
        cosines = x[known] @ x[rows_of(outputs, np.array([query]))[0]]
        nearest = np.argsort(-cosines, kind="stable")[:K]
        found.append(
            Recommended(int(query), outputs.indices[known[nearest]], cosines[nearest].astype("f4"))
        )
    return found


def similarity_spread(
    outputs: Outputs, features: Float, data: ExcerptTable, parts: Parts
) -> dict[str, float]:
    """Return how much the cosines of a test excerpt tell about its neighbours.

    Returns
    -------
    ``nearest`` and ``unrelated``: mean cosines of the five nearest, and of excerpts of different
    genres; ``precision_at_5``: share of the five that have the genre
    """
    known = np.concatenate([rows_of(outputs, parts[part]) for part in ("train", "valid")])
    queries = rows_of(outputs, parts["test"])
    genres = np.array(data.genres)[outputs.indices]
    x = unit(features)
    cosines = x[queries] @ x[known].T
    same = genres[queries][:, np.newaxis] == genres[known][np.newaxis]
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    each = np.arange(len(queries))[:, np.newaxis]
    return {
        "nearest": float(cosines[each, nearest].mean()),
        "unrelated": float(cosines[~same].mean()),
        "precision_at_5": float(same[each, nearest].mean()),
    }


def one_per_genre(data: ExcerptTable, indices: Ints) -> Ints:
    """Return the first of the excerpts of each genre, by name."""
    chosen = []
    for label in data.labels:
        members = [int(i) for i in indices if data.genres[int(i)] == label]
        chosen += sorted(members, key=lambda i: data.names[i])[:1]
    return np.array(chosen, dtype=np.int64)


def truth_labels(data: ExcerptTable, indices: Ints) -> Ints:
    """Return the numbers of the excerpts' genres in ``data.labels``, int (n,)."""
    number = {label: i for i, label in enumerate(data.labels)}
    return np.array([number[data.genres[int(i)]] for i in indices], dtype=np.int64)


def rows_of(outputs: Outputs, indices: Ints) -> Ints:
    """Return the rows of excerpts in the outputs, int (n,)."""
    place = {int(index): row for row, index in enumerate(outputs.indices)}
    return np.array([place[int(i)] for i in indices], dtype=np.int64)
