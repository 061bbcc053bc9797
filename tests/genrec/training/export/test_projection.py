"""Degradation shifts and the projection that suppresses them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.clip_changes import COMMON_CHANGES
from genrec.training.export.projection import DIMENSION, degradation_shifts, projection
from tests.repository import ROOT
from tests.synth import music


def _tracks(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 1, (count, size)).astype(np.float32)


def test_projection_suppresses_the_direction_of_coding() -> None:
    features = _tracks(400, 200)
    shifts = np.zeros((50, 200), dtype=np.float32)
    shifts[:, 7] = np.random.default_rng(4).normal(0, 5, 50)

    axes = projection(features, ["any"] * 400, shifts)

    assert axes.shape == (200, DIMENSION)
    share = np.linalg.norm(axes, axis=1)
    assert share[7] < 0.1 * np.median(share)


def test_projection_orders_axes_by_variance_over_nuisance() -> None:
    features = _tracks(400, 6) * np.array([1, 1, 1, 1, 1, 9], dtype=np.float32)
    shifts = _tracks(300, 6) * np.array([1, 1, 1, 1, 2, 1], dtype=np.float32)

    axes = projection(features, ["any"] * 400, shifts)

    spread = np.var((features - features.mean(axis=0)) @ axes, axis=0)
    assert (np.diff(spread) < 0).all()
    assert np.abs(axes[:, 0]).argmax() == 5
    assert np.abs(axes[:, -1]).argmax() == 4


def test_projection_without_shifts_spans_all_tracks() -> None:
    features = _tracks(40, 300)

    axes = projection(features, ["any"] * 40, np.zeros((0, 300), dtype=np.float32))

    assert axes.shape == (300, 39)  # forty tracks span 39 directions
    spread = np.linalg.svd(features - features.mean(axis=0))[2][:39]
    assert np.linalg.matrix_rank(np.vstack([axes.T, spread]), tol=1e-2) == 39


def test_projection_prefers_between_genre_variance() -> None:
    genres = ["blues", "jazz"] * 200
    features = _tracks(400, 6)
    features[::2, 2] += 4
    features[:, 4] *= 3

    axes = projection(features, genres, _tracks(300, 6))

    assert np.abs(axes[:, 0]).argmax() == 2
    plain = projection(features, ["any"] * 400, _tracks(300, 6))
    assert np.abs(plain[:, 0]).argmax() == 4


@pytest.mark.slow
def test_degradation_shifts_use_tracks_with_audio_only(tmp_path: Path) -> None:
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "vgg16"))
    y = music(1, 12.0, 22050)
    soundfile.write(tmp_path / "a.flac", y, 22050)
    levels = np.zeros((2, 128, 140), dtype=np.uint8)
    data = Dataset(
        names=["a", "b"],
        genres=["pop", "rock"],
        artists=["", ""],
        titles=["", ""],
        artist_keys=["", ""],
        levels=levels,
        range_db=np.full(2, 80, dtype=np.float32),
        n_columns=np.full(2, 140),
        audio={"a": tmp_path / "a.flac"},
    )

    shifts = degradation_shifts(analyzer, data, np.array([0, 1]))

    assert shifts.shape == (len(COMMON_CHANGES), analyzer.embedder.dimension)
    norms = np.linalg.norm(shifts, axis=1)
    assert (norms > 0).all()
    assert not len(degradation_shifts(analyzer, data, np.array([1])))
