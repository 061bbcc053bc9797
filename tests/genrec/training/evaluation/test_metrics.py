"""Metrics of similarity and calibration against values computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.preset import Calibration
from genrec.training.evaluation.metrics import (
    calibration_error,
    chance_calibration_error,
    raw_cosine,
    reliability,
    similarity_distribution,
)
from genrec.training.evaluation.plots import plot_reliability, plot_similarity


def test_similarity_distribution_is_of_calibrated_values() -> None:
    nearest = np.linspace(0.5, 1, 11, dtype=np.float32)
    found = similarity_distribution(
        nearest, np.array([0.0, 0.5], np.float32), Calibration(cosine_zero=0.5)
    )
    assert found["nearest"] == pytest.approx(np.linspace(0, 1, 11), abs=1e-6)
    assert found["unrelated"] == [0.0] * 11  # clipped at zero
    assert found["unrelated_histogram"] == [1.0] + [0.0] * 19
    assert sum(found["nearest_histogram"]) == pytest.approx(1)
    empty = similarity_distribution(nearest[:0], nearest[:0], Calibration())
    assert (empty["nearest"], sum(empty["nearest_histogram"])) == ([], 0.0)


def test_raw_cosine_of_almost_parallel_features_is_one() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(0, 0.01, (6, 8)) + 1).astype(np.float32)
    unrelated = ~np.eye(6, dtype=bool)
    assert raw_cosine(features, features, unrelated) == pytest.approx(1, abs=1e-3)
    centred = features - features.mean(axis=0)
    assert raw_cosine(centred, centred, unrelated) < 0.1
    assert raw_cosine(features, features, ~unrelated & unrelated) == 0.0


def test_reliability_bins_by_confidence() -> None:
    p = np.array([[0.85, 0.15], [0.85, 0.15], [0.35, 0.65], [0.0, 1.0]])
    rows = reliability(np.array([0, 1, 1, 1]), p)
    assert [row["tracks"] for row in rows] == [1, 2, 1]
    assert rows[1] == pytest.approx({"confidence": 0.85, "right": 0.5, "tracks": 2})
    assert rows[2]["confidence"] == 1.0


def test_plots_are_written_as_png(tmp_path: Path) -> None:
    report = {
        "preset": "known",
        "calibration": {"ece": 0.1},
        "reliability": [{"confidence": 0.8, "right": 0.5, "tracks": 2}],
        "similarity": similarity_distribution(
            np.ones(3, np.float32), np.zeros(3, np.float32), Calibration()
        ),
    }
    plot_reliability(report, tmp_path / "deep" / "reliability.png")
    plot_similarity(report, tmp_path / "deep" / "similarity.png")
    for path in (tmp_path / "deep").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_chance_calibration_error_shrinks_with_more_tracks() -> None:
    confidence = np.random.default_rng(1).uniform(0.3, 1, 40_000)
    few, many = (chance_calibration_error(confidence[:n], draws=200) for n in (90, 40_000))
    assert 0.04 < few < 0.12
    assert many < 0.006
    right = np.random.default_rng(2).random(len(confidence)) < confidence
    assert calibration_error(confidence, right) < 0.02
    assert calibration_error(confidence, right[::-1]) > 0.1
    assert calibration_error(confidence, np.stack([right, ~right])).shape == (2,)
