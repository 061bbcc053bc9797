"""Metrics of probability calibration and of similarities, with softmax and unit vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from genrec.preset import Calibration

Float = NDArray[np.float32]
Array = NDArray[Any]

BINS = 10


def similarity_distribution(
    nearest: Float, unrelated: Float, calibration: Calibration
) -> dict[str, list[float]]:
    """Return deciles and histograms of calibrated similarities.

    Parameters
    ----------
    nearest, unrelated
        float32 (any,): cosines of tracks to their five nearest, and of tracks of different genres.
    calibration
        Maps a cosine to a similarity, 0..1.

    Returns
    -------
    ``nearest`` and ``unrelated``: 11 numbers each, minimum, nine deciles and maximum; empty without
    pairs. ``*_histogram``: shares in twenty equal bins of 0..1.
    """
    result: dict[str, list[float]] = {}
    for name, cosines in (("nearest", nearest), ("unrelated", unrelated)):
        zero = calibration.cosine_zero
        values = np.clip((cosines.astype(np.float64) - zero) / (1 - zero), 0.0, 1.0)
        counts = np.histogram(values, bins=2 * BINS, range=(0, 1))[0]
        deciles = np.quantile(values, np.linspace(0, 1, 11)) if values.size else np.zeros(0)
        result[name] = [float(x) for x in deciles]
        result[f"{name}_histogram"] = [float(x) for x in counts / max(1, values.size)]
    return result


def raw_cosine(a: Float, b: Float, unrelated: NDArray[np.bool_]) -> float:
    """Return the mean cosine of unrelated tracks without centring; the paper reports 1.000.

    Parameters
    ----------
    a, b
        float32 (n, d) and (m, d), features before centring.
    unrelated
        bool (n, m), the pairs to average.

    Returns
    -------
    -1..1; 0 without pairs
    """
    cosines = unit(a) @ unit(b).T
    return float(cosines[unrelated].mean()) if unrelated.any() else 0.0


def reliability(truth: Array, p: Array, bins: int = BINS) -> list[dict[str, float]]:
    """Reliability table: accuracy per confidence bin.

    Parameters
    ----------
    truth
        int (n,), true labels.
    p
        float (n, labels), probabilities.
    bins
        Number of equal bins.

    Returns
    -------
    One row per non-empty bin: mean ``confidence``, accuracy ``right``, and number of ``tracks``
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    bin_of = _bins(confidence, bins)
    return [
        {
            "confidence": float(confidence[bin_of == b].mean()),
            "right": float(right[bin_of == b].mean()),
            "tracks": int((bin_of == b).sum()),
        }
        for b in range(bins)
        if (bin_of == b).any()
    ]


def calibration_error(confidence: Array, right: Array, bins: int = BINS) -> Array:
    """Return the expected calibration error over bins of confidence (Guo et al. 2017).

    Parameters
    ----------
    confidence
        float (n,), 0..1.
    right
        bool (..., n), whether each prediction is correct.
    bins
        Number of equal bins of confidence.

    Returns
    -------
    float (...,)
    """
    member = np.eye(bins)[_bins(confidence, bins)]  # (n, bins)
    return np.asarray(np.abs((right - confidence) @ member).sum(axis=-1) / len(confidence))


def chance_calibration_error(confidence: Array, draws: int = 2000) -> float:
    """Return the expected calibration error of a perfectly calibrated network on as many tracks.

    Each prediction is drawn as correct with its confidence as the probability. The result is the
    bias of the estimator alone (Roelofs et al. 2022).

    Parameters
    ----------
    confidence
        float (n,), 0..1.
    draws
        Number of random draws.

    Returns
    -------
    0..1; about 0.07 on 90 tracks
    """
    rng = np.random.default_rng(0)
    errors = [
        calibration_error(confidence, rng.random(len(confidence)) < confidence)
        for _ in range(draws)
    ]
    return float(np.mean(errors))


def softmax(logits: Float) -> NDArray[np.float64]:
    """Return the softmax over the last axis, in float64."""
    return np.asarray(special.softmax(logits.astype(np.float64), axis=-1))


def _bins(confidence: Array, bins: int) -> NDArray[np.int64]:
    """Return the index of each confidence's bin, among equal bins of 0..1."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def unit(x: Float) -> Float:
    """Return the rows of x (n, d) scaled to length 1."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))
