"""Measure how large a library must be, with random libraries of several sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.evaluation.evaluate import EmbeddedPredictions

Ints = NDArray[np.int64]

SIZES = (25, 50, 100, 150, 200, 400)
GENRES = (10, 4)  # of a library: all of the archive, or a few
DRAWS = 12
COUNT = 5  # tracks of an answer


def library_size(
    data: ExcerptTable, parts: Parts, tracks: EmbeddedPredictions, *, floor: float
) -> list[dict[str, Any]]:
    """Return how often libraries of random tracks have five tracks for a clip, by size.

    Parameters
    ----------
    data, parts
        The data set and its split. The clips are the test part, the libraries random tracks of the
        other parts, of all genres or of four.
    tracks
        Predictions for all excerpts of the data set, in their order.
    floor
        Smallest cosine of a recommended track.

    Returns
    -------
    One row for each number of genres and size: mean number of ``artists``; ``five``, the share of
    clips with five tracks by different artists, none of them the clip's; ``none``, the share of
    clips without any; ``precision``, the share of tracks that have the clip's genre.
    """
    rng = np.random.default_rng(0)
    genres = np.array(data.genres)
    artists = np.array([key or f"?{i}" for i, key in enumerate(data.artist_keys)])
    rest = np.setdiff1d(np.concatenate(list(parts.values())), parts["test"])
    rows = []
    for kinds in GENRES:
        for size in SIZES:
            found: list[tuple[int, int]] = []
            by: list[int] = []
            for _ in range(DRAWS):
                chosen = rng.permutation(data.labels)[:kinds]
                pool = rest[np.isin(genres[rest], chosen)]
                if len(pool) < size:
                    continue
                library = rng.permutation(pool)[:size]
                by.append(len(np.unique(artists[library])))
                for clip in parts["test"][np.isin(genres[parts["test"]], chosen)]:
                    answer = _answer(tracks.embeddings, artists, clip, library, floor)
                    found.append((len(answer), int((genres[answer] == genres[clip]).sum())))
            if found:
                rows.append(_row(kinds, size, by, np.array(found)))
    return rows


def _answer(
    X: NDArray[np.float32], artists: NDArray[np.str_], clip: int, library: Ints, floor: float
) -> Ints:
    """Return the five nearest tracks of a library, one for each artist, without the clip's."""
    cosines = X[library] @ X[clip]
    order = np.argsort(-cosines, kind="stable")
    near = library[order[cosines[order] >= floor]]
    near = near[artists[near] != artists[clip]]
    _, first = np.unique(artists[near], return_index=True)
    return np.asarray(near[np.sort(first)][:COUNT])


def _row(kinds: int, size: int, by: list[int], found: Ints) -> dict[str, Any]:
    counts, right = found.T
    return {
        "genres": kinds,
        "tracks": size,
        "artists": round(float(np.mean(by))),
        "five": float((counts == COUNT).mean()),
        "none": float((counts == 0).mean()),
        "precision": float(right.sum() / max(int(counts.sum()), 1)),
    }
