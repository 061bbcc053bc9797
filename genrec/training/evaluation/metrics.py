"""How the numbers that people see are spread: similarities, and probabilities against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from genrec.preset import Calibration

Float = NDArray[np.float32]
Array = NDArray[Any]

BINS = 10


def similarity(nearest: Float, unrelated: Float, shown: Calibration) -> dict[str, list[float]]:
    """Return the spread of the similarities that are shown.

    Parameters
    ----------
    nearest, unrelated
        float32 (any,): cosines of tracks to their five nearest, and of tracks of different genres.
    shown
        What turns a cosine into the similarity that is shown, 0..1.

    Returns
    -------
    ``nearest`` and ``unrelated``: 11 numbers each, the least, the nine deciles and the largest;
    empty where there is no pair. ``*_histogram``: the shares of twenty equal bins of 0..1.
    """
    result: dict[str, list[float]] = {}
    for name, cosines in (("nearest", nearest), ("unrelated", unrelated)):
        seen = (cosines.astype(np.float64) - shown.cosine_zero) / (1 - shown.cosine_zero)
        seen = np.clip(seen, 0.0, 1.0)
        counts = np.histogram(seen, bins=2 * BINS, range=(0, 1))[0]
        deciles = np.quantile(seen, np.linspace(0, 1, 11)) if seen.size else np.zeros(0)
        result[name] = [float(x) for x in deciles]
        result[f"{name}_histogram"] = [float(x) for x in counts / max(1, seen.size)]
    return result


def raw_cosine(a: Float, b: Float, unrelated: NDArray[np.bool_]) -> float:
    """Return the mean cosine of unrelated tracks without centring: the paper's "1.000".

    Parameters
    ----------
    a, b
        float32 (n, d) and (m, d), features before they are centred.
    unrelated
        bool (n, m): which pairs count. 0 where none does.
    """
    cosines = unit(a) @ unit(b).T
    return float(cosines[unrelated].mean()) if unrelated.any() else 0.0


def reliability(truth: Array, p: Array, bins: int = BINS) -> list[dict[str, float]]:
    """Return how often answers are right, by how sure they are.

    Parameters
    ----------
    truth
        int (n,), places of the true genres.
    p
        float (n, labels), probabilities.
    bins
        How many equal bins of confidence; empty ones are left out.

    Returns
    -------
    A row a bin: ``confidence`` and ``right``, both means of 0..1, and ``tracks``.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    place = _bins(confidence, bins)
    return [
        {
            "confidence": float(confidence[place == b].mean()),
            "right": float(right[place == b].mean()),
            "tracks": int((place == b).sum()),
        }
        for b in range(bins)
        if (place == b).any()
    ]


def calibration_error(confidence: Array, right: Array, bins: int = BINS) -> Array:
    """Return the expected calibration error (Guo et al. 2017): the mean gap, bin by bin.

    Parameters
    ----------
    confidence
        float (n,), 0..1.
    right
        bool (..., n): which answers were right; leading axes are judged one by one.
    bins
        How many equal bins of confidence.

    Returns
    -------
    float (...,)
    """
    member = np.eye(bins)[_bins(confidence, bins)]  # (n, bins)
    return np.asarray(np.abs((right - confidence) @ member).sum(axis=-1) / len(confidence))


def honest_calibration_error(confidence: Array, draws: int = 2000) -> float:
    """Return the calibration error that chance alone makes on so few tracks, on average.

    Answers are drawn right as often as their confidence says, so the probabilities are true and
    what is left is the estimate's own error (Roelofs et al. 2022).

    Parameters
    ----------
    confidence
        float (n,), 0..1.
    draws
        How often all answers are drawn.

    Returns
    -------
    0..1; on 90 tracks some 0.07
    """
    rng = np.random.default_rng(0)
    errors = [
        calibration_error(confidence, rng.random(len(confidence)) < confidence)
        for _ in range(draws)
    ]
    return float(np.mean(errors))


def softmax(logits: Float) -> NDArray[np.float64]:
    """Return probabilities (..., labels) of logits (..., labels)."""
    return np.asarray(special.softmax(logits.astype(np.float64), axis=-1))


def _bins(confidence: Array, bins: int) -> NDArray[np.int64]:
    """Return the bin of each confidence, 0..1, of so many equal ones."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def unit(x: Float) -> Float:
    """Return the rows of x (n, d) at length 1."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))
