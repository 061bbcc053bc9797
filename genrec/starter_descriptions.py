"""Music descriptions beside a starter catalogue, by the name of the training excerpt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from genrec.bounds import load_arrays
from genrec.description_codec import FIELDS, description_of, description_row
from genrec.errors import PresetError
from genrec.files import atomic_write
from genrec.types import MusicDescription

STARTER_DESCRIPTIONS = "descriptions.npz"
_MAX_BYTES = 64 << 20

StarterDescriptions = Mapping[str, MusicDescription]


def read_starter_descriptions(folder: Path) -> StarterDescriptions:
    """Return the music descriptions of a preset's starter catalogue; empty without a file.

    Parameters
    ----------
    folder
        A models/NAME folder.

    Raises
    ------
    PresetError
        The file cannot be read, or holds a number that is out of its bounds.
    """
    path = folder / STARTER_DESCRIPTIONS
    if not path.exists():
        return {}
    try:
        arrays = load_arrays(path, max_bytes=_MAX_BYTES)
        names, rows = arrays["names"].tolist(), arrays["descriptions"].astype(np.float64)
        if rows.shape != (len(names), len(FIELDS)):
            raise ValueError(f"descriptions: shape {rows.shape}, expected one row for each name")
        return dict(zip(names, map(description_of, rows.tolist()), strict=True))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise PresetError(
            f"The descriptions {path} cannot be read: {error}. Remove the file, or run"
            " `genrec train-description --preset` again."
        ) from error


def write_starter_descriptions(folder: Path, descriptions: StarterDescriptions) -> None:
    """Write the music descriptions of a preset's starter catalogue."""
    rows = [description_row(each) for each in descriptions.values()]
    with atomic_write(folder / STARTER_DESCRIPTIONS) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            names=np.array(list(descriptions)),
            descriptions=np.array(rows, dtype=np.float32).reshape(-1, len(FIELDS)),
        )
