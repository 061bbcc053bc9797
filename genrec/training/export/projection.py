"""Embedding projection: generalised eigenvectors of track variance against nuisance variance.

Nuisance variance is that of degradations of a clip (codecs, noise) and that within a genre. The
method combines nuisance attribute projection (NAP) and linear discriminant analysis (LDA).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from genrec.audio.decode import decode
from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import ExcerptTable
from genrec.training.evaluation.clip_changes import COMMON_CHANGES, UNCHANGED
from genrec.training.evaluation.robustness import changed_clips

Float = NDArray[np.float32]
Wide = NDArray[np.float64]

# Chosen on validation tracks and on held-out coded tracks; docs/experiments.md has the figures.
DIMENSION = 64
WITHIN = 10.0  # weight of within-genre variance against degradation variance
RIDGE = 0.3  # relative to the mean degradation variance; 76 tracks do not span all directions


def degraded_features(
    analyzer: PresetAnalyzer, data: ExcerptTable, indices: NDArray[np.int64]
) -> Float:
    """Return the features of excerpts that have audio, unchanged and after `COMMON_CHANGES`.

    Parameters
    ----------
    analyzer
        The network.
    data, indices
        The data set, and its training tracks.

    Returns
    -------
    float32 (excerpts with audio, 1 + changes, features), in the order of the indices; the first is
    unchanged
    """
    sr, size = analyzer.preset.spectrogram.sr, analyzer.embedder.dimension
    names = (data.names[int(i)] for i in indices)
    changes = (UNCHANGED, *COMMON_CHANGES)
    rows = [
        analyzer.predict(listen(decode(path, sr=sr, limits=analyzer.limits).y, sr).y).features
        for _, _, path in changed_clips(analyzer, data, names, changes)
    ]
    return np.array(rows, dtype=np.float32).reshape(-1, len(changes), size)


def degradation_shifts(
    analyzer: PresetAnalyzer, data: ExcerptTable, indices: NDArray[np.int64]
) -> Float:
    """Return the feature shifts that `COMMON_CHANGES` cause, for excerpts that have audio.

    Returns
    -------
    float32 (shifts, features); no rows if no excerpt has audio
    """
    return shifts_of(degraded_features(analyzer, data, indices))


def shifts_of(features: Float) -> Float:
    """Return differences to the first row of each excerpt: (n, 1 + c, d) -> (n * c, d)."""
    return (features[:, 1:] - features[:, :1]).reshape(-1, features.shape[2])


def projection(
    features: Float, genres: Sequence[str], shifts: Float, dimension: int = DIMENSION
) -> Float:
    """Return the leading generalised eigenvectors of track variance against nuisance variance.

    Nuisance variance is the sum of the degradation shifts' second moments, ten times the
    within-genre covariance, and a ridge of 0.3. Both matrices are scaled to a mean diagonal of 1
    before. This combines nuisance attribute projection (Solomonoff et al. 2005), linear
    discriminant analysis and whitening.

    Parameters
    ----------
    features
        float32 (tracks, features).
    genres
        One genre per track.
    shifts
        float32 (any, features), from :func:`degradation_shifts`. Without rows the identity takes
        the place of their second moments.
    dimension
        Largest number of axes.

    Returns
    -------
    float32 (features, d), best first; d is ``dimension``, or less with fewer features or tracks
    """
    size = features.shape[1]
    x = features.astype(np.float64)
    nuisance = _scaled_moments(shifts.astype(np.float64)) if len(shifts) else np.eye(size)
    nuisance += WITHIN * _scaled_moments(_within_genre(x, genres)) + RIDGE * np.eye(size)
    d = min(dimension, size, len(x) - 1)
    _, axes = eigh(np.cov(x.T), nuisance, subset_by_index=(size - d, size - 1))
    return np.asarray(axes[:, ::-1], dtype=np.float32)


def _within_genre(x: Wide, genres: Sequence[str]) -> Wide:
    """Return each track's deviation from the mean of its genre."""
    _, which = np.unique(np.asarray(genres), return_inverse=True)
    means = np.stack([x[which == genre].mean(axis=0) for genre in range(which.max() + 1)])
    return np.asarray(x - means[which])


def _scaled_moments(x: Wide) -> Wide:
    """Return the second moments (d, d) of rows (n, d), scaled to a mean diagonal of 1."""
    moments = x.T @ x / len(x)
    return np.asarray(moments / max(float(np.trace(moments)) / x.shape[1], 1e-12))
