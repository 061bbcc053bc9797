"""Data set of plotted spectrograms: folders of pictures by genre, as the image copy of GTZAN."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from genrec.names import artist_key
from genrec.pictures import PICTURE_SUFFIXES
from genrec.training.data.dataset import PictureDataset, read_tracks

# Names of the folders of a part, as Keras' examples and the widely used copies have them.
PART_FOLDERS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
    "testing": "test",
}
_GTZAN_NAME = re.compile(r"([a-z]+)\.?(\d{5})")


def load_pictures(folder: Path) -> PictureDataset | None:
    """Return the data set of a folder of pictures; None if it holds no picture.

    Parameters
    ----------
    folder
        ``GENRE/x.png``, or ``PART/GENRE/x.png`` with the folders train, validation and test. A
        ``tracks.csv`` beside them gives artists and titles.

    Returns
    -------
    The pictures sorted by path. ``blues00000.png`` and ``blues.00000.png`` get the name
    ``blues.00000``, so that the split files of an archive apply.
    """
    parts = {
        path: PART_FOLDERS[path.name.lower()]
        for path in sorted(folder.glob("*"))
        if path.is_dir() and path.name.lower() in PART_FOLDERS
    }
    found = (
        [(path, part) for root, part in parts.items() for path in _pictures(root)]
        if parts
        else [(path, "") for path in _pictures(folder)]
    )
    if not found:
        return None
    tracks = read_tracks(folder / "tracks.csv")
    names = _unique_names([path for path, _ in found])
    rows = [tracks.get(name, {}) for name in names]
    artists = [row.get("artist", "") for row in rows]
    return PictureDataset(
        names=names,
        genres=[path.parent.name for path, _ in found],
        artists=artists,
        titles=[row.get("title", "") for row in rows],
        artist_keys=[
            row.get("artist_key") or artist_key(artist)
            for row, artist in zip(rows, artists, strict=True)
        ],
        own_parts=[part for _, part in found] if parts else (),
        paths=[path for path, _ in found],
    )


def _pictures(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.endswith(".part")  # an unfinished atomic_write
    ]


def _unique_names(paths: list[Path]) -> list[str]:
    """Return the excerpts' names: the stems, with the genre and suffix where two are equal."""
    stems = []
    for path in paths:
        match = _GTZAN_NAME.fullmatch(path.stem)
        stems.append(f"{match[1]}.{match[2]}" if match else path.stem)
    return [
        stem if stems.count(stem) == 1 else f"{path.parent.name}.{path.name}"
        for stem, path in zip(stems, paths, strict=True)
    ]
