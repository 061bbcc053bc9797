"""Judge genres of a library's own on held-out artists, with genres made up from the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from genrec.own_genres import GenreExamples, fit_genres
from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.evaluation.evaluate import EmbeddedPredictions
from genrec.training.evaluation.metrics import BINS, calibration_error

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TAGS, ARTISTS, CHANCE = "tags", "artists", "chance"
KINDS = {TAGS: (5, 10, 20), ARTISTS: (3, 5, 10), CHANCE: (5, 20)}
OWN_TAGS, OWN_ARTISTS = 5, 8  # made-up genres at once
DRAWS = 20
SHOWN_FROM = 0.4
"""Smallest probability of a genre that an answer shows."""
_MIN_TESTED = 3  # tracks of an artist that remain to be tested
_HELD_OUT = 0.4  # share of artists
_PER_ARTIST = 2  # tracks of one artist that teach a tag
_KERNEL = 0.1  # cosines that weigh e times less


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One library of made-up genres.

    ``examples`` are its tracks. ``tested`` are indices of held-out tracks, int (n,), and ``truth``
    their genres, -1 for tracks of none of them.
    """

    examples: GenreExamples
    tested: Ints
    truth: Ints


def made_up_genres(data: ExcerptTable, parts: Parts, tracks: EmbeddedPredictions) -> dict[str, Any]:
    """Return accuracy, coverage and calibration of made-up genres, and a comparison of methods.

    ``tags``: five genres of the archive are the tags of a library, taught by few tracks, at most
    two of an artist, and tested on artists that are held out. ``artists``: eight artists are
    genres, taught by few of their clips and tested on their other tracks. The remaining genres or
    artists are music without any of the genres, half of it unknown to the library. ``chance``:
    tags that are given to random tracks, which should be refused.

    Parameters
    ----------
    data, parts
        The data set and the split that the preset was trained on. The network has seen the other
        parts, so the rows ``unseen`` only count tracks of the test part.
    tracks
        Predictions for all excerpts of the data set, in their order.

    Returns
    -------
    ``rows``, one for each kind, number of tracks and part: share of genres ``used``; ``coverage``,
    the share of tracks for which a genre is shown; ``accuracy`` among the genres; ``right``, the
    share of shown genres that are right; ``ece``, the expected calibration error of the highest
    probability. The last three are None for ``chance``. Tracks with none of the genres weigh as
    much as all others together, as in `fit_genres`. ``false_alarms`` is the share of them for which
    a genre is shown.
    ``methods``, for each kind and number: accuracy of the compared methods, and on unseen tracks.
    """
    unseen = np.zeros(len(data), dtype=bool)
    unseen[parts["test"]] = True
    rows: list[dict[str, Any]] = []
    methods: list[dict[str, Any]] = []
    for kind, sizes in KINDS.items():
        for size in sizes:
            draws = list(_draws(data, tracks.embeddings, kind, size))
            if not draws:  # the archive is too small
                continue
            results = [_result(draw, tracks.embeddings) for draw in draws]
            at = {"kind": kind, "tracks": size}
            everything = _summary(draws, results, np.ones(len(data), dtype=bool))
            if kind == CHANCE:  # there is no right genre
                nothing = dict.fromkeys(("accuracy", "right", "ece"))
                rows.append(at | {"part": "all"} | everything | nothing)
                continue
            rows.append(at | {"part": "all"} | everything)
            rows.append(at | {"part": "unseen"} | _summary(draws, results, unseen))
            methods.append(at | _compare(draws, tracks.embeddings, unseen))
    return {"rows": rows, "methods": methods}


def _draws(data: ExcerptTable, X: Float, kind: str, size: int) -> Iterator[Draw]:
    rng = np.random.default_rng(0)
    keys = np.array([key or f"?{i}" for i, key in enumerate(data.artist_keys)])
    names, artists, counts = np.unique(keys, return_inverse=True, return_counts=True)
    genres = np.unique(np.array(data.genres), return_inverse=True)[1]
    named = np.flatnonzero([not name.startswith("?") for name in names])
    large = named[counts[named] >= size + _MIN_TESTED]
    if kind == ARTISTS and len(large) < OWN_ARTISTS:
        return
    for _ in range(DRAWS):
        if kind == ARTISTS:
            draw = _artists(rng, X, artists, rng.permutation(large)[:OWN_ARTISTS], size)
        else:
            chosen = rng.permutation(int(genres.max()) + 1)[:OWN_TAGS]
            draw = _tags(rng, X, artists, genres, chosen, size, random=kind == CHANCE)
        if draw.examples.members.sum(axis=0).min() == size:
            yield draw


def _tags(
    rng: np.random.Generator, X: Float, artists: Ints, genres: Ints, chosen: Ints, size: int,
    *, random: bool,
) -> Draw:  # fmt: skip
    held = rng.random(int(artists.max()) + 1) < _HELD_OUT
    known = np.flatnonzero(~held[artists])
    taught: list[int] = []
    members = []
    for place, genre in enumerate(chosen):
        pool = rng.permutation(known if random else known[genres[known] == genre])
        few = _few_of_each(pool, artists)[:size]
        taught += few.tolist()
        members += [place] * len(few)
    examples = _examples(X, np.array(taught), np.array(members), artists, len(chosen))
    others = known[~np.isin(genres[known], chosen)]
    tested = np.flatnonzero(held[artists])
    return Draw(_with_others(examples, X[others]), tested, _place(genres[tested], chosen))


def _artists(rng: np.random.Generator, X: Float, artists: Ints, chosen: Ints, size: int) -> Draw:
    picked = [rng.permutation(np.flatnonzero(artists == artist))[:size] for artist in chosen]
    taught = np.concatenate(picked)
    members = np.repeat(np.arange(len(chosen)), size)
    # A server's clips have no known artist, so each counts as one of its own.
    examples = _examples(X, taught, members, np.arange(len(X)), len(chosen), by_clips=True)
    rest = np.setdiff1d(np.arange(len(X)), taught)
    strangers = rest[~np.isin(artists[rest], chosen)]
    known = rng.permutation(np.unique(artists[strangers]))[::2]
    others = strangers[np.isin(artists[strangers], known)]
    tested = np.setdiff1d(rest, others)
    return Draw(_with_others(examples, X[others]), tested, _place(artists[tested], chosen))


def _examples(
    X: Float, taught: Ints, members: Ints, artists: Ints, count: int, *, by_clips: bool = False
) -> GenreExamples:
    return GenreExamples(
        names=[str(place) for place in range(count)],
        matrix=X[taught],
        members=np.eye(count, dtype=bool)[members],
        artists=artists[taught].astype(np.int64),
        taught=np.full(count, by_clips),
        others=X[:0],
    )


def _with_others(examples: GenreExamples, others: Float) -> GenreExamples:
    return GenreExamples(
        examples.names, examples.matrix, examples.members, examples.artists, examples.taught, others
    )


def _few_of_each(pool: Ints, artists: Ints) -> Ints:
    """Return the tracks of a pool without more than two of an artist, in their order."""
    seen: dict[int, int] = {}
    kept = []
    for index in pool:
        seen[artists[index]] = seen.get(artists[index], 0) + 1
        if seen[artists[index]] <= _PER_ARTIST:
            kept.append(index)
    return np.array(kept)


def _place(values: Ints, chosen: Ints) -> Ints:
    """Return the places of the values among those chosen, -1 for others."""
    same = values[:, None] == chosen[None, :]
    return np.asarray(np.where(same.any(axis=1), same.argmax(axis=1), -1))


def _result(draw: Draw, X: Float) -> tuple[float, Double]:
    """Return the share of genres that are used, and the probabilities of the tested tracks."""
    learned = fit_genres(draw.examples)
    count = len(draw.examples.names)
    found = np.zeros((len(draw.tested), count))
    found[:, [int(name) for name in learned.names]] = learned.probabilities(X[draw.tested])
    return len(learned.names) / count, found


def _summary(
    draws: list[Draw], results: list[tuple[float, Double]], mask: Bools
) -> dict[str, float]:
    top, confidence, truth, weight = [], [], [], []
    for draw, (_, found) in zip(draws, results, strict=True):
        chosen = mask[draw.tested]
        mine = draw.truth[chosen]
        none = (mine < 0).sum()
        share = (mine >= 0).sum() / max(none, 1)
        top.append(found[chosen].argmax(axis=1))
        confidence.append(found[chosen].max(axis=1))
        truth.append(mine)
        weight.append(np.where(mine < 0, share, 1.0))
    c, t, w = np.concatenate(confidence), np.concatenate(truth), np.concatenate(weight)
    right = np.concatenate(top) == t
    shown = c >= SHOWN_FROM
    return {
        "used": float(np.mean([used for used, _ in results])),
        "accuracy": float(right[t >= 0].mean()),
        "coverage": float((w * shown).sum() / w.sum()),
        "right": float((w * shown * right).sum() / max((w * shown).sum(), 1e-9)),
        "ece": _weighted_error(c, right, w),
        "false_alarms": float(shown[t < 0].mean()),
    }


def _weighted_error(confidence: Double, right: Bools, weight: Double) -> float:
    """Return the expected calibration error of weighted predictions (Guo et al. 2017)."""
    if np.allclose(weight, 1):
        return float(calibration_error(confidence, right))
    bin_of = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bin_of, weight * (right - confidence), minlength=BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def _compare(draws: list[Draw], X: Float, unseen: Bools) -> dict[str, list[float]]:
    """Return for each method its accuracy among the genres, on all tracks and on unseen ones."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for draw in draws:
        mine = draw.truth >= 0
        tested, truth = draw.tested[mine], draw.truth[mine]
        y = draw.examples.members.argmax(axis=1)
        for name, method in METHODS.items():
            right = method(draw.examples.matrix, y, X[tested]).argmax(axis=1) == truth
            new = unseen[tested]
            found[name].append((right.mean(), right[new].mean() if new.any() else np.nan))
    return {name: [float(x) for x in np.nanmean(pairs, axis=0)] for name, pairs in found.items()}


def _class_means(X: Float, y: Ints, tested: Float) -> Double:
    means = np.stack([X[y == g].mean(axis=0) for g in range(y.max() + 1)])
    return np.asarray(tested @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T)


def _neighbours(k: int) -> Callable[[Float, Ints, Float], Double]:
    def method(X: Float, y: Ints, tested: Float) -> Double:
        cosines = tested @ X.T
        nearest = -np.sort(-cosines, axis=1)[:, min(k, len(X)) - 1 :][:, :1]
        weights = np.where(cosines >= nearest, np.exp(cosines / _KERNEL), 0)
        return np.asarray(weights @ np.eye(y.max() + 1)[y])

    return method


def _regression(X: Float, y: Ints, tested: Float) -> Double:
    model = LogisticRegression(C=10.0, max_iter=1000)
    scores = model.fit(X, y).decision_function(tested)
    return np.asarray(scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1))


METHODS: dict[str, Callable[[Float, Ints, Float], Double]] = {
    "nearest class mean": _class_means,
    "5 neighbours": _neighbours(5),
    "20 neighbours": _neighbours(20),
    "logistic regression": _regression,
}
