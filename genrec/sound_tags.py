"""Sound tags: words such as *mellow* for how a clip sounds, read from its embedding.

A tag is a linear reading of the embedding that is stored for every track. So a catalogue has tags
as soon as its preset has them: nothing is stored or analysed again, and the tracks that have a tag
lie on one side of a plane. docs/training.md says how the reading is fitted and judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_array
from genrec.errors import TagUnknown

Float = NDArray[np.float32]

MOST_TAGS = 4
"""Largest number of tags that an answer shows."""
_ARRAYS = ("weights", "bias", "slopes", "offsets", "thresholds")
_MOST, _LONGEST = 200, 60  # tags, and letters of a name
_WITHOUT = "This preset has no sound tags, so tracks cannot be chosen by them. Leave the tag out."


@dataclass(frozen=True, slots=True, eq=False)
class TagLimits:
    """Half-spaces of embeddings, one for each wanted tag.

    Attributes
    ----------
    directions
        float32 (k, d): an embedding's products with them are the log odds less the bias.
    least
        float32 (k,): smallest product of an embedding that has the tag.
    """

    directions: Float
    least: Float

    def mask(self, embeddings: Float) -> NDArray[np.bool_]:
        """Return bool (n,), True for the rows of float32 (n, d) that have all tags."""
        mask = np.ones(len(embeddings), dtype=bool)
        for direction, least in zip(self.directions, self.least, strict=True):
            mask &= embeddings @ direction >= least
        return mask


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TagReading:
    """Linear reading of sound tags from embeddings, by logistic units.

    Attributes
    ----------
    shown
        Names of the tags, which are those that may be shown: their held-out agreement with the
        teacher is good.
    weights, bias
        float32 (d, tags) and (tags,): the log odds of what the teacher answers for each tag.
    slopes, offsets
        float32 (tags,): those log odds, times the slope and plus the offset, are the log odds that
        the tag is right (Platt 1999). Slopes are positive.
    thresholds
        float32 (tags,), 0..1: probability from which a clip has the tag.

    Raises
    ------
    ValueError
        Names repeat or are empty, or an array has a wrong shape or value.
    """

    shown: tuple[str, ...]
    weights: Float
    bias: Float
    slopes: Float
    offsets: Float
    thresholds: Float

    def __post_init__(self) -> None:
        count = len(self.shown)
        if not 1 <= count <= _MOST or len(set(self.shown)) != count:
            raise ValueError(f"shown: expected 1..{_MOST} different names")
        if not all(name.strip() and len(name) <= _LONGEST for name in self.shown):
            raise ValueError(f"shown: expected names of 1..{_LONGEST} letters")
        if self.weights.ndim != 2:
            raise ValueError(f"weights: {self.weights.ndim} axes, expected 2")
        check_array("weights", self.weights, (self.weights.shape[0], count))
        for name in ("bias", "slopes", "offsets", "thresholds"):
            check_array(name, getattr(self, name), (count,))
        if not (self.slopes > 0).all():
            raise ValueError("slopes: a value is not positive")
        if not ((self.thresholds > 0) & (self.thresholds < 1)).all():
            raise ValueError("thresholds: expected values between 0 and 1")

    @property
    def dimension(self) -> int:
        """Length of the embeddings that are read."""
        return int(self.weights.shape[0])

    def answers(self, embeddings: Float) -> Float:
        """Return an estimate of what the teacher answers for each tag, 0..1: float32 (n, tags).

        These are small for tags that the teacher rarely gives, and not comparable between tags.

        Parameters
        ----------
        embeddings
            float32 (n, d), rows of length 1.
        """
        return _logistic(embeddings @ self.weights + self.bias)

    def probabilities(self, embeddings: Float) -> Float:
        """Return the probability that each tag is right, 0..1: float32 (n, tags).

        Parameters
        ----------
        embeddings
            float32 (n, d), rows of length 1.
        """
        log_odds = embeddings @ self.weights + self.bias
        return _logistic(log_odds * self.slopes + self.offsets)

    def sure(self, embedding: Float) -> tuple[str, ...]:
        """Return the tags of an embedding, the most probable first and at most `MOST_TAGS`.

        Parameters
        ----------
        embedding
            float32 (d,), of length 1.
        """
        found = self.probabilities(embedding[np.newaxis])[0]
        order = np.argsort(-found, kind="stable").tolist()
        return tuple(self.shown[i] for i in order if found[i] >= self.thresholds[i])[:MOST_TAGS]

    def limits(self, names: Collection[str]) -> TagLimits:
        """Return what an embedding that has all of the named tags satisfies.

        Raises
        ------
        TagUnknown
            A name is not one of ``shown``.
        """
        if unknown := sorted(set(names) - set(self.shown)):
            raise TagUnknown(
                f"There is no tag {unknown[0]!r}. The tags are {', '.join(sorted(self.shown))}."
            )
        chosen = [self.shown.index(name) for name in names]
        thresholds = self.thresholds[chosen].astype(np.float64)
        wanted = (np.log(thresholds / (1 - thresholds)) - self.offsets[chosen]) / self.slopes[
            chosen
        ]
        return TagLimits(
            np.ascontiguousarray(self.weights[:, chosen].T),
            (wanted - self.bias[chosen]).astype(np.float32),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> TagReading:
        """Return the reading in arrays of an npz file, as from `arrays`.

        Raises
        ------
        KeyError
            An array is missing.
        ValueError
            An array has a wrong shape or a value that is not finite.
        """
        return cls(
            shown=tuple(map(str, arrays["shown"].tolist())),
            **{name: np.asarray(arrays[name], dtype=np.float32) for name in _ARRAYS},
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the attributes by name, for an npz file."""
        return {"shown": np.array(self.shown), **{name: getattr(self, name) for name in _ARRAYS}}


def tag_limits(reading: TagReading | None, names: Collection[str]) -> TagLimits | None:
    """Return the limits of tracks that have all of the named tags; None without names.

    Raises
    ------
    TagUnknown
        The preset has no tags (``reading`` is None), or a name is none of them.
    """
    if not names:
        return None
    if reading is None:
        raise TagUnknown(_WITHOUT)
    return reading.limits(names)


def _logistic(log_odds: Float) -> Float:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)
