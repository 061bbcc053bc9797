"""Tags of a teacher that could be shown to users, and those that follow from several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

# Tags that follow from others: their log odds are the mean of those of their parts.
# There is no "danceable" of dance, party and the like: docs/training.md has its figures.
COMBINED: Mapping[str, Sequence[str]] = {
    "calm": ("ambient", "chill", "chillout", "mellow", "easy listening"),
}
# Tags that are never shown, whatever their figures.
NOT_SHOWN: Mapping[str, Sequence[str]] = {
    "another word for a genre that genrec predicts": ("hip-hop", "heavy metal"),
    "an opinion": ("beautiful", "catchy", "favorites", "sexy"),
    "a decade, which is a fact and no sound": (
        *("60s", "70s", "80s", "90s", "00s", "oldies", "classic rock"),
    ),
    "a way of publishing": (
        *("alternative", "alternative rock", "indie", "indie pop", "indie rock"),
    ),
    "what a teacher without a word for classical music gives to it": (
        *("experimental", "progressive rock"),
    ),
    "another word for a tag": ("chill", "chillout", "electronica", "female vocalist"),
}


def candidates(
    tags: Sequence[str], answers: Doubles, genres: Sequence[str] = ()
) -> tuple[list[str], Doubles]:
    """Return the tags that could be shown, with the combined ones, and the teacher's answers.

    Parameters
    ----------
    tags, genres
        Names of the teacher's tags, and labels of the preset.
    answers
        float64 (n, tags).

    Returns
    -------
    Names in lower case, and float64 (n, names)
    """
    lower = [tag.casefold() for tag in tags]
    never = {name for group in NOT_SHOWN.values() for name in group} | {*map(str.casefold, genres)}
    names = [name for name in lower if name not in never]
    columns = [answers[:, lower.index(name)] for name in names]
    for name, parts in COMBINED.items():
        if name not in lower and all(part in lower for part in parts):
            log_odds = _log_odds(answers[:, [lower.index(part) for part in parts]])
            names.append(name)
            columns.append(1 / (1 + np.exp(-log_odds.mean(axis=1))))
    return names, np.stack(columns, axis=1) if columns else answers[:, :0]


def _log_odds(p: Doubles) -> Doubles:
    clipped = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))
