"""The directions of an embedding: where tracks differ, more than codings and genres make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from genrec.audio.decode import decode
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.robustness import EVERYDAY, UNCHANGED, changed_clips

Float = NDArray[np.float32]
Wide = NDArray[np.float64]

# Chosen on validation tracks and on coded tracks held out: docs/experiments.md has the figures.
DIMENSION = 64
WITHIN = 10.0  # weight of what tracks of a genre differ in, against everyday changes
RIDGE = 0.3  # of the mean change, in every direction: 76 tracks cannot show them all


def degradations(analyzer: PresetAnalyzer, data: Dataset, indices: NDArray[np.int64]) -> Float:
    """Change the excerpts that have audio in every everyday way, and see how their features move.

    Parameters
    ----------
    analyzer
        The network to hear with.
    data, indices
        The data set, and which excerpts: training tracks, so that tests stay tests.

    Returns
    -------
    float32 (changes, features); none where no excerpt has audio
    """
    sr, size = analyzer.preset.spectrogram.sr, analyzer.embedder.dimension
    names = (data.names[int(i)] for i in indices)
    ways = (UNCHANGED, *EVERYDAY)
    heard = [
        analyzer.predict(decode(path, sr=sr, limits=analyzer.limits).y).features
        for _, _, path in changed_clips(analyzer, data, names, ways)
    ]
    features = np.array(heard, dtype=np.float32).reshape(-1, len(ways), size)
    return (features[:, 1:] - features[:, :1]).reshape(-1, size)


def projection(features: Float, genres: Sequence[str], changes: Float) -> Float:
    """Return the directions in which tracks differ most for what should not count.

    The leading generalised eigenvectors of the covariance of tracks against a sum of two: that of
    everyday changes, and that of tracks around the mean of their genre. So it is nuisance
    attribute projection (Solomonoff et al. 2005), linear discriminant analysis and the whitening of
    both in one.

    Parameters
    ----------
    features
        float32 (tracks, features).
    genres
        The genre of each track.
    changes
        float32 (changes, features); where there are none, every direction counts as changed alike.

    Returns
    -------
    float32 (features, d), d = 64, or fewer where there are fewer features or tracks
    """
    size = features.shape[1]
    x = features.astype(np.float64)
    noise = _scaled(changes.astype(np.float64)) if len(changes) else np.eye(size)
    noise += WITHIN * _scaled(_around_their_genre(x, genres)) + RIDGE * np.eye(size)
    kept = min(DIMENSION, size, len(x) - 1)
    _, axes = eigh(np.cov(x.T), noise, subset_by_index=(size - kept, size - 1))
    return np.asarray(axes[:, ::-1], dtype=np.float32)


def _around_their_genre(x: Wide, genres: Sequence[str]) -> Wide:
    """Return each track without the mean of its genre."""
    _, which = np.unique(np.asarray(genres), return_inverse=True)
    means = np.stack([x[which == genre].mean(axis=0) for genre in range(which.max() + 1)])
    return np.asarray(x - means[which])


def _scaled(x: Wide) -> Wide:
    """Return the second moments of rows (n, d), their mean over the directions 1."""
    moments = x.T @ x / len(x)
    return np.asarray(moments / max(float(np.trace(moments)) / x.shape[1], 1e-12))
