"""Scores of tempi and keys, as in the literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genrec.tempo import TOLERANCE

CONFIDENCES = (0.5, 0.6, 0.65, 0.7, 0.8, 0.9)
_OCTAVES = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
# MIREX audio key detection: weights of keys that are nearly right.
_FIFTH, _RELATIVE, _PARALLEL = 0.5, 0.3, 0.2


def tempo_right(bpm: float, annotated: float) -> tuple[bool, bool]:
    """Return accuracy 1 and accuracy 2 (Gouyon et al. 2006): within 4 %; octaves allowed.

    Accuracy 2 also accepts a half, a third, the double and the triple of the tempo.
    """
    right = [abs(bpm - each * annotated) <= TOLERANCE * each * annotated for each in _OCTAVES]
    return right[0], any(right)


def mirex_key(key: int, annotated: int) -> float:
    """Return the MIREX score of a key: 1, 0.5 a fifth above, 0.3 relative, 0.2 parallel, or 0."""
    if key == annotated:
        return 1.0
    interval, same_mode = (key - annotated) % 12, key // 12 == annotated // 12
    if same_mode:
        return _FIFTH if interval == 7 else 0.0
    if interval == (9 if annotated < 12 else 3):
        return _RELATIVE
    return _PARALLEL if interval == 0 else 0.0


def tempo_figures(rows: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """Return accuracies of (tempo, confidence, annotated tempo), for each confidence too."""
    rows = [row for row in rows if np.isfinite(row[2])]
    right = np.array([tempo_right(bpm, annotated) for bpm, _, annotated in rows], dtype=float)
    confidence = np.array([row[1] for row in rows])
    names = ("accuracy_1", "accuracy_2")
    return {
        "clips": len(rows),
        **_means(names, right),
        "shown": _by_confidence(names, right, confidence),
    }


def key_figures(rows: Sequence[tuple[int, float, int]]) -> dict[str, Any]:
    """Return exact and MIREX scores of (key, confidence, annotated key), for each confidence."""
    rows = [row for row in rows if row[2] >= 0]
    scores = [(key == annotated, mirex_key(key, annotated)) for key, _, annotated in rows]
    confidence = np.array([row[1] for row in rows])
    right = np.array(scores, dtype=float)
    names = ("exact", "mirex")
    return {
        "clips": len(rows),
        **_means(names, right),
        "shown": _by_confidence(names, right, confidence),
    }


def _means(names: Sequence[str], right: np.ndarray) -> dict[str, float]:
    return {name: round(float(right[:, i].mean()), 3) for i, name in enumerate(names)}


def _by_confidence(
    names: Sequence[str], right: np.ndarray, confidence: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return share of clips and scores of those with at least each confidence."""
    table: dict[str, dict[str, float]] = {}
    for least in CONFIDENCES:
        shown = confidence >= least
        if shown.any():
            share = round(float(shown.mean()), 3)
            table[f"{least:g}"] = {"share": share, **_means(names, right[shown])}
    return table
