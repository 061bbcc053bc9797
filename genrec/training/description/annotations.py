"""Annotated tempi and keys of a data set, and the excerpts that are kept for judging."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.music_filter import parse_key
from genrec.training.data.dataset import Dataset

ANNOTATIONS = "annotations.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Tempo and key of each excerpt of a data set.

    Attributes
    ----------
    bpm
        float64 (excerpts,), beats a minute; NaN if unknown.
    key
        int (excerpts,), 0..23 as in `genrec.musical_key`; -1 if unknown.
    """

    bpm: NDArray[np.float64]
    key: NDArray[np.int64]


def read_annotations(folder: Path, dataset: Dataset) -> Annotations:
    """Return the annotations in ``annotations.csv``: excerpt, tempo_bpm and key.

    Raises
    ------
    DataError
        The file is missing, or has a tempo or key that cannot be read.
    """
    path = folder / ANNOTATIONS
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = {row["excerpt"]: row for row in csv.DictReader(file, restval="")}
        bpm = [float(_cell(rows, name, "tempo_bpm") or "nan") for name in dataset.names]
        names = [_cell(rows, name, "key") for name in dataset.names]
        keys = [_key(name) if name else -1 for name in names]
    except (OSError, LookupError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as annotations ({error!r}): expected the columns excerpt,"
            " tempo_bpm and key, such as blues.00000,125.87,G minor."
        ) from error
    return Annotations(np.array(bpm), np.array(keys, dtype=np.int64))


def _cell(rows: dict[str, dict[str, str]], name: str, column: str) -> str:
    return rows[name][column].strip() if name in rows else ""


def _key(name: str) -> int:
    key = parse_key(name)
    if not isinstance(key, int):
        raise ValueError(f"key {name!r}")
    return key


def fitting_part(folder: Path, dataset: Dataset) -> NDArray[np.int64]:
    """Return the excerpts that a model may be fitted on: none that is judged, nor its artist.

    Excerpts with an audio file are for judging. Their artists' other excerpts and their duplicates
    (``duplicates.json``) are left out of both.
    """
    judged = set(dataset.audio)
    artists = {
        key
        for name, key in zip(dataset.names, dataset.artist_keys, strict=True)
        if key and name in judged
    }
    out = judged | duplicates_of(folder, judged)
    keep = [
        name not in out and key not in artists
        for name, key in zip(dataset.names, dataset.artist_keys, strict=True)
    ]
    return np.flatnonzero(keep)


def duplicates_of(folder: Path, names: set[str]) -> set[str]:
    """Return the excerpts that are the same audio as one of ``names``."""
    path = folder / "duplicates.json"
    if not path.is_file():
        return set()
    pairs = [_names(pair) for pair in json.loads(path.read_text(encoding="utf-8"))]
    return {name for pair in pairs if names & pair for name in pair}


def _names(pair: Sequence[str] | dict[str, str]) -> set[str]:
    """Return the excerpts of a pair: a list, or an object whose values they are."""
    return {str(each) for each in (pair.values() if isinstance(pair, dict) else pair)}


def artist_folds(dataset: Dataset, indices: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Return the fold of each excerpt; an artist is in one fold, an unknown one is its own."""
    keys = [dataset.artist_keys[i] or dataset.names[i] for i in indices]
    order = np.random.default_rng(0).permutation(sorted(set(keys)))
    fold = {key: number % folds for number, key in enumerate(order.tolist())}
    return np.array([fold[key] for key in keys], dtype=np.int64)
