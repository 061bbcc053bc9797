"""The comparison of methods that lay out a map."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.training.evaluation.map_methods import compare_methods, many_tracks
from tests.genrec.test_track_map import groups


def test_comparison_ranks_t_sne_above_pca_on_many_directions() -> None:
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(12), 20)
    vectors = 3 * np.eye(12)[labels] + rng.normal(size=(240, 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    figures = {each.method: each for each in compare_methods(vectors.astype(np.float32), labels)}
    assert figures["embedding"].trustworthiness == 1
    assert figures["t-SNE"].trustworthiness > figures["PCA"].trustworthiness + 0.02
    assert figures["t-SNE"].genres > figures["PCA"].genres + 0.2
    assert figures["t-SNE of half, others placed"].genres > figures["PCA"].genres + 0.1


def test_many_tracks_are_unit_vectors_near_the_given_ones() -> None:
    vectors, _ = groups()
    many = many_tracks(vectors, 500)
    assert many.shape == (500, 16)
    assert np.linalg.norm(many, axis=1) == pytest.approx(1, abs=1e-5)
    assert (many @ vectors.T).max(axis=1).min() > 0.8
