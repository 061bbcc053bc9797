"""Fit the music detector, and judge it on groups that it was not fitted on."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from genrec.music_detector import MUSIC_BELOW, MusicDetector
from genrec.training.detector.detector_data import ClipFeatures

Float = NDArray[np.float32]
Bools = NDArray[np.bool_]

NETWORKS, UNITS = 6, 32
FOLDS = 5
MISSED = 0.012  # share of recorded music that may be called "no music", held out
_EPOCHS, _WEIGHT_DECAY, _JITTER = 60, 2.0, 0.3
_BAG = 0.9  # share of the clips that each network is fitted on
_WORST = 15  # groups in the report


def fit_detector(X: Float, music: Bools, *, bias: float = 0.0) -> MusicDetector:
    """Return a detector: networks that are each fitted on a random share of the clips.

    Parameters
    ----------
    X
        float32 (clips, d), as from `music_features`.
    music
        bool (clips,).
    bias
        Added to the log odds of music.
    """
    mean, scale = X.mean(axis=0), X.std(axis=0) + np.float32(1e-3)
    scaled = np.clip((X - mean) / scale, -4, 4)
    networks = [_network(scaled, music, seed) for seed in range(NETWORKS)]
    hidden, hidden_bias, output, output_bias = (
        np.stack(each).astype(np.float32) for each in zip(*networks, strict=True)
    )
    hidden = hidden.astype(np.float16).astype(np.float32)
    return MusicDetector(mean, scale, hidden, hidden_bias, output, output_bias + np.float32(bias))


def _network(X: Float, music: Bools, seed: int) -> tuple[Float, Float, Float, Float]:
    """Return weights and biases of one network, fitted on clips and noisy copies of them."""
    rng = np.random.default_rng(seed)
    at = rng.permutation(len(X))[: round(_BAG * len(X))]
    noisy = X[at] + rng.normal(0, _JITTER, (len(at), X.shape[1]))
    model = MLPClassifier((UNITS,), alpha=_WEIGHT_DECAY, max_iter=_EPOCHS, tol=0, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are fixed
        model.fit(np.concatenate([X[at], noisy]), np.concatenate([music[at]] * 2))
    (hidden, output), (hidden_bias, output_bias) = model.coefs_, model.intercepts_
    return hidden, hidden_bias, output[:, 0], output_bias[0]


def folds(data: ClipFeatures) -> Iterator[Bools]:
    """Yield masks (clips,) of the held-out part: by key of the group, synthetic clips by number."""
    keys = [name.partition("+")[0] for name in data.groups.tolist()]
    synthetic = np.char.startswith(data.groups, ("synthetic-")) | np.char.startswith(
        data.groups, "played-"
    )
    of_key = np.array([zlib.crc32(key.encode()) for key in keys])
    fold = np.where(synthetic, data.numbers, of_key) % FOLDS
    for each in range(FOLDS):
        yield fold == each


def held_out_log_odds(data: ClipFeatures) -> Float:
    """Return the log odds of music (clips,), from detectors that were not fitted on their keys."""
    log_odds = np.zeros(len(data.X), dtype=np.float32)
    for held_out in folds(data):
        detector = fit_detector(data.X[~held_out], data.music[~held_out])
        p = np.array([detector.probability_of(x) for x in data.X[held_out]])
        log_odds[held_out] = np.log(p / (1 - p))
    return log_odds


def recorded_music(data: ClipFeatures) -> Bools:
    """Return a mask (clips,) of music from files."""
    return data.music & ~np.char.startswith(data.groups, "played-")


def choose_bias(data: ClipFeatures, log_odds: Float) -> float:
    """Return the bias with which a share `MISSED` of recorded music is called "no music"."""
    return -float(np.quantile(log_odds[recorded_music(data)], MISSED))


def report(data: ClipFeatures, log_odds: Float, bias: float) -> dict[str, Any]:
    """Return held-out figures: the share called "no music" for each kind, group and length."""
    called = log_odds + bias < np.log(MUSIC_BELOW / (1 - MUSIC_BELOW))
    kinds = np.array([name.partition("-")[0] for name in data.groups.tolist()])
    recorded, other = recorded_music(data), ~data.music
    lengths = ((0, 2), (2, 5), (5, 10), (10, 40))

    def row(mask: Bools) -> dict[str, Any]:
        return {"clips": int(mask.sum()), "no_music": round(float(called[mask].mean()), 4)}

    groups = {str(name): row(data.groups == name) for name in np.unique(data.groups)}
    music = {str(name): bool(m) for name, m in zip(data.groups, data.music, strict=True)}
    wrong = {name: abs((not music[name]) - each["no_music"]) for name, each in groups.items()}
    worst = sorted(wrong, key=lambda name: -wrong[name])[:_WORST]
    return {
        "clips": len(data.X),
        "features": data.X.shape[1],
        "music_below": MUSIC_BELOW,
        "bias": round(bias, 4),
        "auc": round(float(roc_auc_score(data.music, log_odds)), 4),
        "recorded_music": row(recorded),
        "other": row(other),
        "kinds": {str(kind): row(kinds == kind) for kind in np.unique(kinds)},
        "lengths_s": {
            f"{low}-{high}": {
                "recorded_music": row(recorded & _between(data, low, high)),
                "other": row(other & _between(data, low, high)),
            }
            for low, high in lengths
            if (recorded & _between(data, low, high)).any()
            and (other & _between(data, low, high)).any()
        },
        "worst_groups": {name: groups[name] for name in worst},
        "groups": groups,
    }


def _between(data: ClipFeatures, low: float, high: float) -> Bools:
    return np.asarray((data.seconds >= low) & (data.seconds < high))
