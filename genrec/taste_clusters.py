"""A listener's taste: clusters of the tracks that the listener likes.

One mean of all likes may be like none of them: between metal and piano music lies neither. So the
likes are divided into clusters, and each cluster has a centre of its own (Pal et al. 2020,
PinnerSage). Clusters come from spherical k-means (Dhillon and Modha 2001), whose first centres are
farthest apart (Gonzalez 1985). Their number has the highest mean silhouette (Rousseeuw 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

MOST_CLUSTERS = 6
LIKES_OF_CLUSTER = 3  # on average; five likes may be two clusters
LEAST_SILHOUETTE = 0.25  # below it a division is no structure (Kaufman and Rousseeuw 1990)
_STEPS = 30


@dataclass(frozen=True, slots=True, eq=False)
class TasteCluster:
    """Likes that are near each other.

    Attributes
    ----------
    centre
        float32 (d,), the weighted mean of the members; length 1.
    members
        int (m,), rows of the members, the nearest to the centre first.
    weight
        Sum of the members' weights, above 0.
    """

    centre: Float
    members: NDArray[np.intp]
    weight: float


def taste_clusters(embeddings: Float, weights: Sequence[float] | Float) -> list[TasteCluster]:
    """Return the clusters of likes, the heaviest first; always the same for the same likes.

    Parameters
    ----------
    embeddings
        float32 (n, d), rows of length 1; n of 1 or more.
    weights
        (n,), how much each track is liked, above 0.

    Raises
    ------
    ValueError
        There is no like, the lengths differ, or a weight is not above 0.
    """
    strength = np.asarray(weights, dtype=np.float32)
    if not len(embeddings) or strength.shape != (len(embeddings),) or not (strength > 0).all():
        raise ValueError(
            f"embeddings {embeddings.shape}, weights {strength.shape}: expected n rows and n"
            " weights above 0, n of 1 or more"
        )
    cosines = embeddings @ embeddings.T
    best, labels = LEAST_SILHOUETTE, np.zeros(len(embeddings), dtype=np.intp)
    for count in range(2, min(MOST_CLUSTERS, (len(embeddings) + 1) // LIKES_OF_CLUSTER) + 1):
        divided = _divide(embeddings, strength, cosines, count)
        quality = silhouette(cosines, divided)
        if quality > best:
            best, labels = quality, divided
    clusters = [
        _cluster(embeddings, strength, np.flatnonzero(labels == label))
        for label in np.unique(labels)
    ]
    return sorted(clusters, key=lambda cluster: (-cluster.weight, int(cluster.members.min())))


def silhouette(cosines: Float, labels: NDArray[np.intp]) -> float:
    """Return the mean silhouette of a division, -1..1; 0 for one cluster.

    Parameters
    ----------
    cosines
        float32 (n, n), cosines of all pairs.
    labels
        (n,), the cluster of each row.
    """
    found, sizes = np.unique(labels, return_counts=True)
    if len(found) < 2:
        return 0.0
    distances = 1 - cosines
    sums = np.stack([distances[:, labels == label].sum(axis=1) for label in found], axis=1)
    own = np.searchsorted(found, labels)
    rows = np.arange(len(labels))
    alone = sizes[own] == 1
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(np.maximum(inside, outside), 1e-9)
    return float(np.where(alone, 0.0, (outside - inside) / larger).mean())


def seats(weights: Sequence[float], count: int) -> list[int]:
    """Return how many of ``count`` places each weight gets, in proportion (Sainte-Laguë 1910)."""
    given = [0] * len(weights)
    for _ in range(count if weights else 0):
        shares = [weight / (2 * taken + 1) for weight, taken in zip(weights, given, strict=True)]
        given[int(np.argmax(shares))] += 1
    return given


def _divide(embeddings: Float, strength: Float, cosines: Float, count: int) -> NDArray[np.intp]:
    """Return the cluster of each row by spherical k-means with ``count`` centres."""
    first = int(np.argmax(cosines @ strength))  # the row nearest to all likes
    chosen = [first]
    nearest = cosines[first].copy()
    while len(chosen) < count:
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, cosines[chosen[-1]])
    centres = embeddings[chosen]
    labels = np.argmax(embeddings @ centres.T, axis=1)
    for _ in range(_STEPS):
        for label in range(count):
            members = labels == label
            if members.any():
                centres[label] = _direction(embeddings[members], strength[members])
        moved = np.argmax(embeddings @ centres.T, axis=1)
        if (moved == labels).all():
            break
        labels = moved
    return np.asarray(labels, dtype=np.intp)


def _cluster(embeddings: Float, strength: Float, members: NDArray[np.intp]) -> TasteCluster:
    centre = _direction(embeddings[members], strength[members])
    order = np.argsort(-(embeddings[members] @ centre), kind="stable")
    return TasteCluster(centre, members[order], float(strength[members].sum()))


def _direction(rows: Float, strength: Float) -> Float:
    """Return the direction of the weighted mean; the heaviest row if the mean is 0."""
    mean = strength @ rows
    length = float(np.linalg.norm(mean))
    if length < 1e-6:
        return np.asarray(rows[int(np.argmax(strength))], dtype=np.float32)
    return np.asarray(mean / length, dtype=np.float32)
