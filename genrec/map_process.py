"""Program that lays out a map with scikit-learn, at low priority: python -m genrec.map_process.

`genrec.map_layout` starts it and never imports it, so that serving loads no scikit-learn. It reads
an .npz from stdin: ``matrix``, float32 (n, d), ``landmarks``, rows of it, and ``start``, float32
(m, 2), the places to start from, or (0, 2). It writes the places of all tracks, float32 (n, 2), as
.npy to stdout.
"""

from __future__ import annotations

import io
import os
import resource
import sys

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from genrec.track_map import place

PERPLEXITY = 30.0  # about the number of neighbours that count (van der Maaten and Hinton 2008)
ITERATIONS = 500
SEED = 0
_START_SPREAD = 1e-4  # standard deviation of a start (Kobak and Berens 2019)
_NICENESS = 10
_MAX_CPU_S = 600  # after the bot itself was killed


def lay_out_landmarks(
    matrix: NDArray[np.float32], start: NDArray[np.float32], iterations: int = ITERATIONS
) -> NDArray[np.float32]:
    """Return places of the rows by t-SNE, the same at each call.

    Parameters
    ----------
    matrix
        float32 (n, d), rows of length 1; n is at least 4.
    start
        float32 (n, 2), older places; (0, 2) for the first two principal components, which keep the
        large-scale arrangement (Kobak and Berens 2019, "The art of using t-SNE for single-cell
        transcriptomics").
    iterations
        Steps of the gradient descent.

    Returns
    -------
    float32 (n, 2).
    """
    if not len(start):
        centred = matrix - matrix.mean(axis=0)
        start = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    spread = float(start[:, 0].std()) or 1.0
    method = TSNE(
        perplexity=min(PERPLEXITY, (len(matrix) - 1) / 3),
        init=(start * (_START_SPREAD / spread)).astype(np.float32),
        max_iter=iterations,
        random_state=SEED,
        n_jobs=1,
    )
    return np.asarray(method.fit_transform(matrix), dtype=np.float32)


def main() -> None:
    """Read the embeddings from stdin and write the places to stdout."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_CPU_S, _MAX_CPU_S))
    given = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    matrix, rows = given["matrix"], given["landmarks"]
    laid_out = lay_out_landmarks(matrix[rows], given["start"])
    places = place(matrix, matrix[rows], laid_out) if len(rows) < len(matrix) else laid_out
    places[rows] = laid_out
    written = io.BytesIO()
    np.save(written, places)
    sys.stdout.buffer.write(written.getvalue())


if __name__ == "__main__":
    main()
