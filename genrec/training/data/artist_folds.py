"""Splits that keep artists apart: folds for cross-validation, and a wide training part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from genrec.errors import DataError

DUPLICATES = "duplicates.json"
FOLDS = 5
FOLD_SPLIT = "filtered-fold-"
FOLD_SPLITS = tuple(f"{FOLD_SPLIT}{fold}" for fold in range(1, FOLDS + 1))
SPLIT_SEED = 1  # of random splits; independent of a run's seed
WIDE_VALID_EVERY = 10  # one artist in 10 is for validation


def fold_of(split: str) -> int | None:
    """Return the number of a split `filtered-fold-K`, 1 to 5; None for another split.

    Raises
    ------
    DataError
        There is no fold of this number.
    """
    if not split.startswith(FOLD_SPLIT):
        return None
    if split not in FOLD_SPLITS:
        raise DataError(
            f"--split {split}: there are {FOLDS} folds, {FOLD_SPLITS[0]} to {FOLD_SPLITS[-1]}."
        )
    return 1 + FOLD_SPLITS.index(split)


def duplicate_pairs(folder: Path) -> list[tuple[str, str]]:
    """Return the pairs of excerpts that are the same audio; none without ``duplicates.json``.

    Raises
    ------
    DataError
        The file is no list of pairs of names.
    """
    path = folder / DUPLICATES
    if not path.is_file():
        return []
    try:
        pairs = [(str(a), str(b)) for a, b in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} is no list of pairs of excerpts: {error}. Correct it, or remove it."
        ) from error
    return pairs


def artist_groups(
    names: Sequence[str], artist_keys: Sequence[str], pairs: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return a group for each excerpt: equal for one artist and for the same audio.

    Parameters
    ----------
    names, artist_keys
        One per excerpt; an excerpt of unknown artist ("") is a group of its own.
    pairs
        Excerpts that are the same audio, see :func:`duplicate_pairs`.
    """
    group = {
        name: f"artist {key}" if key else name for name, key in zip(names, artist_keys, strict=True)
    }
    for a, b in pairs:
        if a in group and b in group:
            old, new = group[a], group[b]
            group = {name: new if each == old else each for name, each in group.items()}
    return group


def fold_parts(
    genre_of: Mapping[str, str], group_of: Mapping[str, str], names: Iterable[str], fold: int
) -> dict[str, str]:
    """Return the parts of one of five folds, with groups apart and genres in equal shares.

    The fold is the part ``test``. One group in ten of the others is ``valid`` and the rest is
    ``train``, so neither the epoch nor the temperature is chosen on the fold.

    Parameters
    ----------
    genre_of, group_of
        Genre and group of each excerpt.
    names
        Excerpts of all folds.
    fold
        1 to 5.
    """
    ordered = sorted(names)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SPLIT_SEED)
    folds = splitter.split(
        np.zeros(len(ordered)), [genre_of[n] for n in ordered], [group_of[n] for n in ordered]
    )
    held = {ordered[i] for i in list(folds)[fold - 1][1]}
    parts = wide_parts(group_of, [name for name in ordered if name not in held])
    return parts | dict.fromkeys(held, "test")


def wide_parts(group_of: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return ``valid`` for excerpts of a random tenth of the groups, ``train`` for the others."""
    chosen = list(names)
    groups = sorted({group_of[name] for name in chosen})
    order = np.random.default_rng(SPLIT_SEED).permutation(groups)
    valid = set(order[::WIDE_VALID_EVERY].tolist())
    return {name: "valid" if group_of[name] in valid else "train" for name in chosen}
