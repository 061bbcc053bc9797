"""Compare methods that lay out a map: PCA, t-SNE, UMAP and PaCMAP, on a preset's starter catalogue.

Trustworthiness (Venna and Kaski 2001, "Neighborhood preservation in nonlinear projection methods")
is low where tracks are near on the map that are not near in the embedding. The agreement of genres
is the share of the ten nearest tracks with a track's own genre.

UMAP (McInnes et al. 2018) and PaCMAP (Wang et al. 2021) are peers: one that is not installed is
left out.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from genrec.map_process import lay_out_landmarks
from genrec.track_map import neighbour_agreement, place

Float = NDArray[np.float32]
NEIGHBOURS = 10
_NO_START = np.zeros((0, 2), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class MapFigure:
    """Figures of one method: whether it keeps neighbours together.

    Attributes
    ----------
    method
        Name of the method.
    trustworthiness
        0..1; 1 if all neighbours on the map are neighbours in the embedding.
    genres
        Mean share of the ten nearest tracks with a track's own genre, 0..1.
    seconds
        Time of the layout, with the import of its library.
    """

    method: str
    trustworthiness: float
    genres: float
    seconds: float


def compare_methods(matrix: Float, genres: NDArray[np.int64]) -> list[MapFigure]:
    """Return the figures of the embedding itself and of each method that is installed.

    Parameters
    ----------
    matrix
        float32 (n, d), rows of length 1; n is above 20.
    genres
        int64 (n,), the genre of each row.
    """
    figures = [MapFigure("embedding", 1.0, neighbour_agreement(matrix, genres, NEIGHBOURS), 0.0)]
    for name, method in _methods().items():
        start = time.perf_counter()
        positions = np.asarray(method(matrix), dtype=np.float32)
        seconds = time.perf_counter() - start
        trust = float(trustworthiness(matrix, positions, n_neighbors=NEIGHBOURS))
        agreement = neighbour_agreement(positions, genres, NEIGHBOURS)
        figures.append(MapFigure(name, trust, agreement, seconds))
    return figures


def _methods() -> dict[str, Callable[[Float], Float]]:
    methods: dict[str, Callable[[Float], Float]] = {
        "PCA": _pca,
        "t-SNE": lambda matrix: lay_out_landmarks(matrix, _NO_START),
        "t-SNE, 1,000 steps": lambda matrix: lay_out_landmarks(matrix, _NO_START, 1_000),
        "t-SNE of half, others placed": _half,
    }
    if importlib.util.find_spec("umap") is not None:
        methods["UMAP"] = _umap
    if importlib.util.find_spec("pacmap") is not None:
        methods["PaCMAP"] = _pacmap
    return methods


def _pca(matrix: Float) -> Float:
    return np.asarray(PCA(2, random_state=0).fit_transform(matrix), dtype=np.float32)


def _half(matrix: Float) -> Float:
    """Lay out every second track and place the others, as in a library with many tracks."""
    laid_out = lay_out_landmarks(matrix[::2], _NO_START)
    positions = np.empty((len(matrix), 2), dtype=np.float32)
    positions[::2] = laid_out
    positions[1::2] = place(matrix[1::2], matrix[::2], laid_out)
    return positions


def _umap(matrix: Float) -> Float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP  # noqa: PLC0415 - a peer, which need not be installed

        return np.asarray(UMAP(metric="cosine", random_state=0).fit_transform(matrix))


def _pacmap(matrix: Float) -> Float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pacmap import PaCMAP  # noqa: PLC0415 - a peer, which need not be installed

        return np.asarray(PaCMAP(random_state=0).fit_transform(matrix, init="pca"))


def many_tracks(matrix: Float, count: int) -> Float:
    """Return ``count`` embeddings like those of a catalogue, to time a layout of many tracks.

    Parameters
    ----------
    matrix
        float32 (n, d), rows of length 1.
    count
        Number of rows to make: random rows of ``matrix`` with noise, of length 1.
    """
    rng = np.random.default_rng(0)
    rows = matrix[rng.integers(0, len(matrix), count)]
    rows = rows + rng.normal(scale=0.06, size=rows.shape).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
