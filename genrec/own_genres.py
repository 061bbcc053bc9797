"""Genres of a library's own: learned from a few tracks each, checked on other artists.

A genre is the mean direction of its tracks' embeddings (nearest class mean, Snell et al. 2017:
"Prototypical networks for few-shot learning"). The cosine of a clip with it is standardised by the
cosines of tracks without the genre (z-norm, Auckenthaler et al. 2000), because some means are near
to everything. A softmax over the genres and "none of them" makes probabilities; its two parameters
are fitted in a cross-validation that leaves out the artist (Flexer 2007: tracks of one artist in
training and test flatter a genre). `genrec evaluate-library` compares the means with nearest
neighbours and logistic regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.types import GenreScore

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MIN_TRACKS = 5
"""Fewest tracks of a genre in the tags of a library."""
MIN_TAUGHT = 3
"""Fewest clips of a genre that was taught."""
MIN_AUC = 0.8
"""Smallest area under the ROC curve in the cross-validation: a genre below it is refused."""
MIN_OTHERS = 20
"""Fewest tracks without a genre, whose cosines standardise those of tracks with it."""
MIN_COMPARED = 5
"""Fewest tracks to compare with; with fewer, only the others of the two groups count."""
_CHANCE_Z = 1.645  # one-sided 5 %: an area that chance reaches less often
# Slope and offset of the softmax where there are few tracks: their means over made-up genres of the
# archive (`genrec evaluate-library`), and how strongly they hold.
_START = np.array([2.1, 4.3])
_HOLD = np.array([2.0, 0.5])
_STEPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class GenreExamples:
    """Tracks with their genres, from which `fit_genres` learns.

    Attributes
    ----------
    names
        The G genres.
    matrix
        float32 (n, d), embeddings of length 1.
    members
        bool (n, G): whether a track has a genre. A track may have several, or none.
    artists
        int64 (n,), one number for each artist; a track of unknown artist has a number of its own.
    taught
        bool (G,): whether a genre was taught with clips, so that `MIN_TAUGHT` of them are enough.
    others
        float32 (m, d), embeddings of tracks that have none of the genres, such as the starter
        catalogue.
    """

    names: Sequence[str]
    matrix: Float
    members: Bools
    artists: Ints
    taught: Bools
    others: Float


@dataclass(frozen=True, slots=True)
class GenreCheck:
    """The cross-validation of one genre.

    Attributes
    ----------
    name
        The genre.
    tracks, artists
        Number of its tracks, and of their artists.
    auc
        Area under the ROC curve, 0..1: the probability that a track of the genre has a higher
        cosine with the genre's mean than a track without it. The mean lacks the tracks of the
        track's artist, and the area is averaged over artists. Of the areas against tracks of the
        library and against ``others``, the smaller one; 0.5 where it cannot be computed.
    refusal
        Empty for a genre that is used, else ``few_tracks``, ``one_artist``, ``few_others`` or
        ``not_told_apart``.
    taught
        Whether it was taught with clips.
    """

    name: str
    tracks: int
    artists: int
    auc: float
    refusal: str = ""
    taught: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OwnGenres:
    """Learned genres, from `fit_genres`.

    Attributes
    ----------
    names
        The G genres that are used.
    means
        float64 (G, d), rows of length 1.
    centre, spread
        float64 (G,), mean and standard deviation of the cosines of tracks without the genre.
    prior
        float64 (G + 1,), logarithms of the shares of the genres, and of none of them.
    slope, offset
        Parameters of the softmax: factor of the standardised cosines, logit of none of the genres.
    checks
        The cross-validation of every genre, also of refused ones.
    """

    names: tuple[str, ...]
    means: Double
    centre: Double
    spread: Double
    prior: Double
    slope: float
    offset: float
    checks: tuple[GenreCheck, ...]

    def probabilities(self, embeddings: Float) -> Double:
        """Return the probabilities of the genres, float64 (n, G), for embeddings (n, d)."""
        if not self.names:
            return np.zeros((len(embeddings), 0))
        z = (embeddings @ self.means.T - self.centre) / self.spread
        return _softmax(_logits(z, self.prior, np.array([self.slope, self.offset])))[:, :-1]

    def scores(self, embedding: Float) -> tuple[GenreScore, ...]:
        """Return the genres of an embedding (d,), most probable first.

        The probabilities sum to less than 1, because a clip may have none of the genres.
        """
        found = self.probabilities(embedding[None])[0]
        order = np.argsort(-found, kind="stable")
        return tuple(GenreScore(self.names[g], float(found[g])) for g in order)


def fit_genres(examples: GenreExamples) -> OwnGenres:
    """Learn genres from tracks, and refuse those that cannot be told apart.

    Each track is compared with means that lack all tracks of its artist, so a genre is judged on
    artists that it was not learned from. A genre is used if its area under the ROC curve is at
    least `MIN_AUC`, and larger than chance makes it with so few artists (Mann and Whitney 1947).
    The share of a genre is that of its tracks; music that has none of the genres is as likely as
    music that has one, because people ask about any music.

    Parameters
    ----------
    examples
        The tracks. A caller limits their number: time and memory grow with tracks times genres.

    Returns
    -------
    The genres, each with its check; none if all are refused
    """
    checks, used, columns = [], [], []
    X = examples.matrix.astype(np.float64)
    for g in range(len(examples.names)):
        check, cosines = _check(examples, X, g)
        checks.append(check)
        if not check.refusal:
            used.append(g)
            columns.append(cosines)
    n, d = len(examples.matrix), examples.matrix.shape[1]
    members = examples.members[:, used]
    without = np.concatenate([~members, np.ones((len(examples.others), len(used)), dtype=bool)])
    cosines = np.array(columns, dtype=np.float64).reshape(len(used), n + len(examples.others)).T
    centre = np.array([c[w].mean() for c, w in zip(cosines.T, without.T, strict=True)])
    spread = np.array([max(c[w].std(), 1e-6) for c, w in zip(cosines.T, without.T, strict=True)])
    counts = members.sum(axis=0).astype(np.float64)
    sizes = np.append(counts, counts.sum() if used else 1.0)
    prior = np.log(sizes / sizes.sum())
    z = (cosines - centre) / spread
    slope, offset = _fit_softmax(z, _targets(members, len(examples.others)), sizes[-1], prior)
    means = [_unit(examples.matrix[member].sum(axis=0)) for member in members.T]
    return OwnGenres(
        names=tuple(examples.names[g] for g in used),
        means=np.array(means).reshape(len(used), d),
        centre=centre,
        spread=spread,
        prior=prior,
        slope=slope,
        offset=offset,
        checks=tuple(checks),
    )


def _check(examples: GenreExamples, X: Double, g: int) -> tuple[GenreCheck, Double]:
    """Return the check of a genre and, unless it has too few tracks, the cosines of all tracks.

    ``X`` is the matrix in double precision.
    """
    member, taught = examples.members[:, g], bool(examples.taught[g])
    artists, tracks = np.unique(examples.artists[member]), int(member.sum())
    others = len(examples.others) + len(member) - tracks
    refusal, auc, cosines = "", 0.5, np.zeros(0)
    if tracks < (MIN_TAUGHT if taught else MIN_TRACKS):
        refusal = "few_tracks"
    elif len(artists) < 2:
        refusal = "one_artist"
    elif others < MIN_OTHERS:
        refusal = "few_others"
    else:
        cosines = _cosines(examples, X, member)
        auc = _area(cosines, member, examples.artists)
        by_chance = 0.5 + _CHANCE_Z * float(np.sqrt(1 / (12 * len(artists))))
        refusal = "" if auc >= max(MIN_AUC, by_chance) else "not_told_apart"
    name = examples.names[g]
    return GenreCheck(name, tracks, len(artists), auc, refusal, taught=taught), cosines


def _cosines(examples: GenreExamples, X: Double, member: Bools) -> Double:
    """Return the cosines of all tracks and others with a genre's mean, float64 (n + m,).

    The mean lacks the tracks of the compared track's own artist.
    """
    total = X[member].sum(axis=0)
    cosines = X @ _unit(total)
    artists, place = np.unique(examples.artists[member], return_inverse=True)
    sums = np.zeros((len(artists), X.shape[1]))
    np.add.at(sums, place, X[member])
    at = np.minimum(np.searchsorted(artists, examples.artists), len(artists) - 1)
    own = np.flatnonzero(artists[at] == examples.artists)
    rest = total - sums[at[own]]
    norms = np.maximum(np.linalg.norm(rest, axis=1), 1e-12)
    cosines[own] = (X[own] * rest).sum(axis=1) / norms
    return np.concatenate([cosines, examples.others @ _unit(total)])


def _area(cosines: Double, member: Bools, artist_of: Ints) -> float:
    """Return the smaller of the areas under the ROC curves against the library and the others.

    Random tags in a library of one style are easily told from all other music.
    """
    library, others = cosines[: len(member)], cosines[len(member) :]
    inside, parts = library[member], (library[~member], others)
    place, counts = np.unique(artist_of[member], return_inverse=True, return_counts=True)[1:]
    areas = []
    for outside in (np.sort(part) for part in parts if len(part) >= MIN_COMPARED):
        lower = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
        share = lower / (2 * len(outside))  # ties count half
        areas.append(np.mean(np.bincount(place, share) / counts))
    return float(min(areas))


def _targets(members: Bools, others: int) -> Double:
    """Return float64 (n + m, G + 1): each row's mass, shared by its genres, or on none of them."""
    own = np.concatenate([members, ~members.any(axis=1, keepdims=True)], axis=1).astype(np.float64)
    rest = np.zeros((others, members.shape[1] + 1))
    rest[:, -1] = 1
    return np.concatenate([own / own.sum(axis=1, keepdims=True), rest])


def _fit_softmax(z: Double, targets: Double, none: float, prior: Double) -> tuple[float, float]:
    """Return slope and offset: the maximum a posteriori estimate, by Newton's method.

    Parameters
    ----------
    z
        float64 (rows, G), standardised cosines.
    targets
        float64 (rows, G + 1), each row sums to 1. The last column is "none of the genres".
    none
        Weight of all rows together that have none of the genres; every other row has 1.
    prior
        float64 (G + 1,), logarithms of the shares.
    """
    beta = _START
    if not z.size:
        return float(beta[0]), float(beta[1])
    empty = targets[:, -1] == 1
    weight = np.where(empty, none / max(int(empty.sum()), 1), 1.0)
    for _ in range(_STEPS):
        p = _softmax(_logits(z, prior, beta))
        inside, outside = p[:, :-1], p[:, -1]
        mean = (inside * z).sum(axis=1)
        slip = p - targets
        gradient = np.array([weight @ (slip[:, :-1] * z).sum(axis=1), weight @ slip[:, -1]])
        across = -(weight @ (mean * outside))
        hessian = np.array(
            [
                [weight @ ((inside * z**2).sum(axis=1) - mean**2), across],
                [across, weight @ (outside - outside**2)],
            ]
        )
        step = np.linalg.solve(hessian + np.diag(_HOLD), gradient + _HOLD * (beta - _START))
        beta = beta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    return float(max(beta[0], 0.0)), float(beta[1])


def _logits(z: Double, prior: Double, beta: Double) -> Double:
    none = np.full((len(z), 1), beta[1])
    return np.concatenate([beta[0] * z, none], axis=1) + prior


def _softmax(logits: Double) -> Double:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))


def _unit(x: NDArray[np.floating]) -> Double:
    return np.asarray(x, dtype=np.float64) / max(float(np.linalg.norm(x)), 1e-12)
