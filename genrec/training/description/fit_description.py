"""Fit the models of tempo and key: logistic regression over candidates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from genrec.musical_key import KEYS
from genrec.tempo import CANDIDATES, TOLERANCE

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

TEMPO_L2, PRIOR_L2, KEY_L2 = 10.0, 0.05, 0.1
PRIOR_KNOTS = 14
_ITERATIONS = 300
_EPSILON = 1e-12


def fit_tempo(features: Float, bpm: Doubles) -> tuple[Float, Float]:
    """Return weights and prior of `genrec.tempo.estimate_tempo`.

    The likelihood of an excerpt is that of all candidates within the tolerance of its tempo. The
    prior is linear between 14 knots on a logarithmic scale.

    Parameters
    ----------
    features
        float32 (excerpts, candidates, d), from `genrec.tempo.tempo_features`.
    bpm
        float64 (excerpts,), annotated.

    Returns
    -------
    float32 (d,) and float32 (candidates,)
    """
    mean, scale = features.mean(axis=(0, 1)), features.std(axis=(0, 1)) + 1e-6
    X = (features - mean) / scale
    right = np.abs(CANDIDATES - bpm[:, np.newaxis]) <= TOLERANCE * bpm[:, np.newaxis]
    log_tempo = np.log(CANDIDATES)
    knots = np.linspace(log_tempo[0], log_tempo[-1], PRIOR_KNOTS)
    hats = np.maximum(1 - np.abs(log_tempo[:, np.newaxis] - knots) / (knots[1] - knots[0]), 0)
    d = X.shape[2]

    def loss(w: Doubles) -> tuple[float, Doubles]:
        p = _softmax(X @ w[:d].astype(np.float32) + hats @ w[d:])
        share = p * right
        total = share.sum(axis=1, keepdims=True) + _EPSILON
        rest = p - share / total
        steps = np.diff(w[d:])
        value = -np.log(total).sum() + TEMPO_L2 * (w[:d] ** 2).sum() + PRIOR_L2 * (steps**2).sum()
        slope_prior = hats.T @ rest.sum(axis=0)
        slope_prior[:-1] -= 2 * PRIOR_L2 * steps
        slope_prior[1:] += 2 * PRIOR_L2 * steps
        slope = np.tensordot(rest.astype(np.float32), X, ([0, 1], [0, 1])) + 2 * TEMPO_L2 * w[:d]
        return float(value), np.concatenate([slope, slope_prior])

    w = _minimise(loss, d + PRIOR_KNOTS)
    weights = w[:d] / scale
    prior = hats @ w[d:] - mean @ weights
    return weights.astype(np.float32), prior.astype(np.float32)


def fit_key(features: Doubles, keys: Ints) -> tuple[Float, Float]:
    """Return weights and bias of `genrec.musical_key.estimate_key`.

    Parameters
    ----------
    features
        float64 (excerpts, 12, d), from `genrec.musical_key.key_features`.
    keys
        int (excerpts,), annotated, 0..23.

    Returns
    -------
    float32 (2, d) and float32 (2,)
    """
    count, _, d = features.shape
    rows = np.arange(count)

    def loss(w: Doubles) -> tuple[float, Doubles]:
        profiles, minor = w[: 2 * d].reshape(2, d), w[-1]
        scores = (features @ profiles.T + np.array([0.0, minor])).transpose(0, 2, 1)
        p = _softmax(scores.reshape(count, KEYS))
        value = -np.log(p[rows, keys] + _EPSILON).sum() + KEY_L2 * (w[:-1] ** 2).sum()
        p[rows, keys] -= 1
        rest = p.reshape(count, 2, 12)
        slope = np.einsum("nmt,ntd->md", rest, features, optimize=True) + 2 * KEY_L2 * profiles
        return float(value), np.append(slope.ravel(), rest[:, 1].sum())

    w = _minimise(loss, 2 * d + 1)
    return w[: 2 * d].reshape(2, d).astype(np.float32), np.array([0, w[-1]], dtype=np.float32)


def _softmax(scores: Doubles) -> Doubles:
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _minimise(loss: Callable[[Doubles], tuple[float, Doubles]], size: int) -> Doubles:
    found = minimize(
        loss, np.zeros(size), jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
    )
    return np.asarray(found.x)
