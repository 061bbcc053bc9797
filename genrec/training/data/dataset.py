"""A data set: excerpts with genre, artist, title and log-mel levels, and its splits."""

from __future__ import annotations

import csv
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.names import artist_key
from genrec.spectrogram import SpectrogramConfig

Float = NDArray[np.float32]
Parts = dict[str, NDArray[np.int64]]
Progress = Callable[[int, int], object]
"""Told (done, of) as work goes on."""

ARCHIVE = "logmel.npz"
SPLITS = ("paper", "filtered", "filtered-wide", "all")
SPLIT_SEED = 1  # the dice of what is drawn by lot
HELD_BACK = 10  # one artist in so many picks the epoch where the validation part is trained on


def silent(done: int, of: int) -> None:
    """Tell nobody of progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Excerpts of music, each with one genre.

    Attributes
    ----------
    names, genres, artists, titles, artist_keys
        One string an excerpt; artist and title are empty where unknown.
    levels
        uint8 (excerpts, n_mels, columns): 0..255 spans each excerpt's own range up to its maximum.
    range_db
        float32 (excerpts,): dB that the 256 levels span.
    n_columns
        int (excerpts,): columns that hold sound; what follows is padding.
    audio
        The audio file of an excerpt, where there is one.
    """

    names: Sequence[str]
    genres: Sequence[str]
    artists: Sequence[str]
    titles: Sequence[str]
    artist_keys: Sequence[str]
    levels: NDArray[np.uint8]
    range_db: Float
    n_columns: NDArray[np.int64]
    audio: dict[str, Path]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> list[str]:
        """The genres that occur, sorted."""
        return sorted(set(self.genres))

    def spectrogram(self, index: int) -> Float:
        """Return one excerpt's log-mel spectrogram (n_mels, columns), in dB below its maximum."""
        levels = self.levels[index, :, : self.n_columns[index]]
        return decode_levels(levels, float(self.range_db[index]))


def decode_levels(levels: NDArray[np.uint8], range_db: float) -> Float:
    """Turn levels 0..255 into dB, -range_db..0; level 0 is the floor itself."""
    db = ((levels.astype(np.float32) + 0.5) / 256 - 1) * range_db
    db[levels == 0] = -range_db
    return np.asarray(db, dtype=np.float32)


def encode_levels(S_db: Float) -> tuple[NDArray[np.uint8], float]:
    """Turn dB below the maximum into levels 0..255 and the range that they span."""
    range_db = float(max(-S_db.min(), 1.0))
    levels = np.floor((S_db / range_db + 1) * 256)
    return np.clip(levels, 0, 255).astype(np.uint8), range_db


def load_archive(folder: Path) -> Dataset:
    """Read a folder with ``logmel.npz``, and ``tracks.csv`` and ``audio/`` where they are there.

    Raises
    ------
    DataError
        The archive is missing, damaged or lacks a key.
    """
    path = folder / ARCHIVE
    try:
        with path.open("rb") as file, np.load(file) as archive:
            names, genres = archive["excerpts"].tolist(), archive["genres"].tolist()
            levels, range_db = archive["levels"], archive["range_db"].astype(np.float32)
            width = np.full(len(names), levels.shape[2], dtype=np.int64)
            n_columns = archive["n_columns"].astype(np.int64) if "n_columns" in archive else width
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as a log-mel archive: {error}.") from error
    rows_each = {len(names), len(genres), len(levels), len(range_db), len(n_columns)}
    if levels.ndim != 3 or levels.dtype != np.uint8 or len(rows_each) != 1:
        raise DataError(
            f"{path} must hold levels as uint8 (excerpts, n_mels, columns) and one row of every"
            " other key for each excerpt; see docs/training.md for its form."
        )
    known = _read_tracks(folder / "tracks.csv")
    rows = [known.get(name, {}) for name in names]
    artists = [row.get("artist", "") for row in rows]
    return Dataset(
        names=names,
        genres=genres,
        artists=artists,
        titles=[row.get("title", "") for row in rows],
        artist_keys=[row.get("artist_key") or artist_key(row.get("artist", "")) for row in rows],
        levels=levels,
        range_db=range_db,
        n_columns=n_columns,
        audio={p.stem: p for p in sorted((folder / "audio").glob("*.*"))},
    )


def check_front_end(dataset: Dataset, config: SpectrogramConfig) -> None:
    """Refuse an archive whose spectrograms have another number of mel bands than the front end."""
    if dataset.levels.shape[1] != config.n_mels:
        raise DataError(
            f"The archive has {dataset.levels.shape[1]} mel bands and the front end"
            f" {config.n_mels}; make the archive anew from audio, or choose another preset."
        )


def need(parts: Parts, *names: str) -> None:
    """Refuse a split that lacks one of the parts a step needs."""
    missing = [name for name in names if not len(parts[name])]
    if missing:
        raise DataError(
            f"This split has no {' and no '.join(missing)} part, and this step needs"
            f" {' and '.join(names)}; docs/training.md says how a split file gives them."
        )


def split(dataset: Dataset, folder: Path, name: str) -> Parts:
    """Return the indices of each part: ``train``, ``valid`` and ``test``.

    What is drawn by lot is drawn alike for every run, whatever its seed: a run that goes on from
    another of the same split, or learns from it, is not judged by tracks the other trained on.

    Parameters
    ----------
    dataset, folder
        The data and where it lies.
    name
        ``paper`` (``split_paper.csv``, else 80/10/10 by track, a genre at a time), ``filtered``
        (the fault-filtered, artist-aware split in ``tracks.csv``), ``filtered-wide`` (the same test
        part; of train and valid together every tenth artist is valid), ``all`` (every excerpt is
        test), or a CSV file with the columns ``excerpt`` and ``part``.

    Raises
    ------
    DataError
        The split is not there, or names no excerpt of this data.
    """
    if name == "all":
        return _parts(["test"] * len(dataset))
    if name in ("filtered", "filtered-wide"):
        tracks = _read_tracks(folder / "tracks.csv")
        chosen = {key: row.get("split_filtered", "") for key, row in tracks.items()}
        where = str(folder / "tracks.csv")
    elif name == "paper" and not (folder / "split_paper.csv").exists():
        return _parts(_random_split(dataset))
    else:
        path = folder / "split_paper.csv" if name == "paper" else Path(name)
        if not path.is_file():
            raise DataError(
                f"There is no split file {path}; name one, or one of {', '.join(SPLITS)}."
            )
        chosen = {key: row.get("part", "") for key, row in _read_tracks(path).items()}
        where = str(path)
    if name == "filtered-wide":
        chosen = _widened(dataset, chosen)
    parts = _parts([chosen.get(excerpt, "") for excerpt in dataset.names])
    if not any(len(indices) for indices in parts.values()):
        raise DataError(
            f"{where} gives no excerpt of this data a part; use paper, filtered, all or a CSV file"
            " with the columns excerpt and part (train, valid or test)."
        )
    return parts


def _parts(named: Sequence[str]) -> Parts:
    array = np.array(named)
    return {part: np.flatnonzero(array == part) for part in ("train", "valid", "test")}


def _widened(dataset: Dataset, chosen: dict[str, str]) -> dict[str, str]:
    """Give train and valid to train, but for every tenth artist; tracks without one stand alone."""
    artist = {n: key or n for n, key in zip(dataset.names, dataset.artist_keys, strict=True)}
    seen = [n for n in dataset.names if chosen.get(n) in ("train", "valid")]
    artists = sorted({artist[n] for n in seen})
    kept = set(np.random.default_rng(SPLIT_SEED).permutation(artists)[::HELD_BACK].tolist())
    return chosen | {n: "valid" if artist[n] in kept else "train" for n in seen}


def _random_split(dataset: Dataset) -> list[str]:
    rng = np.random.default_rng(SPLIT_SEED)
    genres = np.array(dataset.genres)
    part = np.full(len(dataset), "train", dtype="<U5")
    for label in dataset.labels:
        members = rng.permutation(np.flatnonzero(genres == label))
        tenth = round(len(members) / 10)
        part[members[:tenth]] = "test"
        part[members[tenth : 2 * tenth]] = "valid"
    return [str(p) for p in part]


def _read_tracks(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets put a mark first
        reader = csv.DictReader(file, restval="")
        if "excerpt" not in (reader.fieldnames or ()):
            raise DataError(f"{path} has no column 'excerpt'; see docs/training.md for its form.")
        return {row["excerpt"]: row for row in reader}


def duplicate_pairs(folder: Path) -> list[tuple[str, str]]:
    """Return the pairs of excerpts known to be the same audio (``duplicates.json``)."""
    path = folder / "duplicates.json"
    if not path.is_file():
        return []
    return [(a, b) for a, b in json.loads(path.read_text(encoding="utf-8"))]
