"""What coding a clip changes in its features, and the directions of an embedding that stay."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from genrec.audio import decode
from genrec.pipeline import Analyzer
from genrec.training.dataset import Dataset
from genrec.training.robustness import CHANGES, CODINGS

Float = NDArray[np.float32]

DIMENSION = 128
RIDGE = 0.3  # of the mean change, in every direction: 76 tracks cannot show them all


def coding_changes(analyzer: Analyzer, data: Dataset, indices: NDArray[np.int64]) -> Float:
    """Code the excerpts that have audio in every lossy way, and see how their features move.

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
    sr, changes = analyzer.preset.spectrogram.sr, []
    with tempfile.TemporaryDirectory(prefix="genrec-coding-") as folder:
        path = Path(folder) / "clip"
        for name in (data.names[int(i)] for i in indices):
            if name not in data.audio:
                continue
            y = decode(data.audio[name], sr=sr, limits=analyzer.limits).y
            plain = analyzer.hear(y).features
            for coding in CODINGS:
                CHANGES[coding](path, y, sr)
                coded = decode(path, sr=sr, limits=analyzer.limits).y
                changes.append(analyzer.hear(coded).features - plain)
    return np.array(changes, dtype=np.float32).reshape(len(changes), analyzer.embedder.dimension)


def projection(features: Float, changes: Float) -> Float:
    """Return the directions in which tracks differ most for what coding changes.

    The leading generalised eigenvectors of the covariance of tracks against that of the changes:
    nuisance attribute projection (Solomonoff et al. 2005) and its whitening in one. Features are
    thereby measured in units of the change that coding makes in their direction.

    Parameters
    ----------
    features
        float32 (tracks, features).
    changes
        float32 (changes, features); where there are none, the principal axes are returned.

    Returns
    -------
    float32 (features, d), d = 128, or fewer where there are fewer features or tracks
    """
    size = features.shape[1]
    spread = np.cov(features.astype(np.float64).T)
    noise = changes.astype(np.float64).T @ changes / len(changes) if len(changes) else np.eye(size)
    noise += RIDGE * max(float(np.trace(noise)) / size, 1e-12) * np.eye(size)
    kept = min(DIMENSION, size, len(features) - 1)
    _, axes = eigh(spread, noise, subset_by_index=(size - kept, size - 1))
    return np.asarray(axes[:, ::-1], dtype=np.float32)
