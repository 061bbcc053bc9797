"""What coding changes is heard, and the embedding is turned away from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.robustness import EVERYDAY
from genrec.training.export.projection import DIMENSION, degradations, projection
from tests.repository import ROOT
from tests.synth import music


def _tracks(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 1, (count, size)).astype(np.float32)


def test_a_direction_that_only_coding_moves_is_left_out() -> None:
    features = _tracks(400, 200)
    changes = np.zeros((50, 200), dtype=np.float32)
    changes[:, 7] = np.random.default_rng(4).normal(0, 5, 50)

    kept = projection(features, ["any"] * 400, changes)

    assert kept.shape == (200, DIMENSION)
    share = np.linalg.norm(kept, axis=1)
    assert share[7] < 0.1 * np.median(share)


def test_directions_come_with_the_best_first_and_measured_in_changes() -> None:
    features = _tracks(400, 6) * np.array([1, 1, 1, 1, 1, 9], dtype=np.float32)
    changes = _tracks(300, 6) * np.array([1, 1, 1, 1, 2, 1], dtype=np.float32)

    kept = projection(features, ["any"] * 400, changes)

    spread = np.var((features - features.mean(axis=0)) @ kept, axis=0)
    assert (np.diff(spread) < 0).all()
    assert np.abs(kept[:, 0]).argmax() == 5
    assert np.abs(kept[:, -1]).argmax() == 4


def test_without_audio_all_that_tracks_span_is_kept() -> None:
    features = _tracks(40, 300)

    kept = projection(features, ["any"] * 40, np.zeros((0, 300), dtype=np.float32))

    assert kept.shape == (300, 39)  # forty tracks span no more
    spread = np.linalg.svd(features - features.mean(axis=0))[2][:39]
    assert np.linalg.matrix_rank(np.vstack([kept.T, spread]), tol=1e-2) == 39


def test_what_tells_genres_apart_goes_before_what_tells_their_tracks_apart() -> None:
    genres = ["blues", "jazz"] * 200
    features = _tracks(400, 6)
    features[::2, 2] += 4
    features[:, 4] *= 3

    kept = projection(features, genres, _tracks(300, 6))

    assert np.abs(kept[:, 0]).argmax() == 2
    plain = projection(features, ["any"] * 400, _tracks(300, 6))
    assert np.abs(plain[:, 0]).argmax() == 4


@pytest.mark.slow
def test_only_tracks_with_audio_are_coded(tmp_path: Path) -> None:
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

    changes = degradations(analyzer, data, np.array([0, 1]))

    assert changes.shape == (len(EVERYDAY), analyzer.embedder.dimension)
    by_coding = np.linalg.norm(changes, axis=1)
    assert (by_coding > 0).all()
    assert not len(degradations(analyzer, data, np.array([1])))
