"""Data set: excerpts with genre, artist, title and log-mel levels, and its splits."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError, InputRefused
from genrec.images import ImageConfig
from genrec.names import artist_key
from genrec.pictures import picture_image, read_picture
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.artist_folds import (
    FOLD_SPLITS,
    SPLIT_SEED,
    artist_groups,
    duplicate_pairs,
    fold_of,
    fold_parts,
    wide_parts,
)

Float = NDArray[np.float32]
Parts = dict[str, NDArray[np.int64]]
Progress = Callable[[int, int], object]
"""Progress callback, called with (done, total)."""

ARCHIVE = "logmel.npz"
SPLITS = ("paper", "filtered", "filtered-wide", *FOLD_SPLITS, "all")


def no_progress(done: int, total: int) -> None:
    """Progress callback that does nothing."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExcerptTable:
    """ExcerptTable of music with one genre each, without their spectrograms.

    Attributes
    ----------
    names, genres, artists, titles, artist_keys
        One string per excerpt; artist and title are empty if unknown. ``artist_keys`` are
        normalised artists.
    audio
        Audio files by excerpt name, for excerpts that have one.
    own_parts
        The part of each excerpt by the folders of the data set; empty if it has no such folders.
    duplicates
        Pairs of names of excerpts that are the same audio.
    """

    names: Sequence[str]
    genres: Sequence[str]
    artists: Sequence[str]
    titles: Sequence[str]
    artist_keys: Sequence[str]
    audio: Mapping[str, Path] = field(default_factory=dict)
    own_parts: Sequence[str] = ()
    duplicates: Sequence[tuple[str, str]] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> list[str]:
        """Distinct genres of the excerpts, sorted."""
        return sorted(set(self.genres))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dataset(ExcerptTable):
    """A data set of excerpts with log-mel levels.

    Attributes
    ----------
    levels
        uint8 (excerpts, n_mels, columns): 0..255 spans ``range_db`` below each excerpt's maximum.
    range_db
        float32 (excerpts,): range of the 256 levels in dB.
    n_columns
        int (excerpts,): number of columns before the padding.
    ref_db
        float32 (excerpts,): level of each maximum in dB re 1; None if the archive has no levels.
    """

    levels: NDArray[np.uint8]
    range_db: Float
    n_columns: NDArray[np.int64]
    ref_db: Float | None = None

    def spectrogram(self, index: int) -> Float:
        """Return an excerpt's log-mel spectrogram (n_mels, columns) in dB re maximum."""
        levels = self.levels[index, :, : self.n_columns[index]]
        return decode_levels(levels, float(self.range_db[index]))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PictureDataset(ExcerptTable):
    """A data set of plotted spectrograms: one PNG or JPEG file for each excerpt.

    Attributes
    ----------
    paths
        The file of each excerpt. Files are read when they are needed, never all at once.
    """

    paths: Sequence[Path]

    def image(self, index: int, config: ImageConfig) -> Float:
        """Return an excerpt's network image, float32 (1, height, width, 3), 0..1.

        Raises
        ------
        DataError
            The file cannot be read as a picture.
        """
        try:
            pixels = read_picture(self.paths[index])
        except InputRefused as error:
            raise DataError(f"{self.paths[index]}: {error}") from error
        return picture_image(pixels, config.height, config.width)


def decode_levels(levels: NDArray[np.uint8], range_db: float) -> Float:
    """Return levels 0..255 as dB, -range_db..0; level 0 is -range_db exactly."""
    db = ((levels.astype(np.float32) + 0.5) / 256 - 1) * range_db
    db[levels == 0] = -range_db
    return np.asarray(db, dtype=np.float32)


def encode_levels(S_db: Float) -> tuple[NDArray[np.uint8], float]:
    """Return dB relative to the maximum as levels 0..255, and the range of the levels in dB."""
    range_db = float(max(-S_db.min(), 1.0))
    levels = np.floor((S_db / range_db + 1) * 256)
    return np.clip(levels, 0, 255).astype(np.uint8), range_db


def load_archive(folder: Path) -> Dataset:
    """Return the data set of a folder with ``logmel.npz``.

    ``tracks.csv``, ``duplicates.json`` and ``audio/`` are optional.

    Raises
    ------
    DataError
        The archive is missing or damaged, or lacks a key.
    """
    path = folder / ARCHIVE
    try:
        with path.open("rb") as file, np.load(file) as archive:
            names, genres = archive["excerpts"].tolist(), archive["genres"].tolist()
            levels, range_db = archive["levels"], archive["range_db"].astype(np.float32)
            width = np.full(len(names), levels.shape[2], dtype=np.int64)
            n_columns = archive["n_columns"].astype(np.int64) if "n_columns" in archive else width
            ref_db = archive["ref_db"].astype(np.float32) if "ref_db" in archive else None
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as a log-mel archive: {error}. See docs/training.md for the"
            " format."
        ) from error
    rows_each = {
        "excerpts": len(names),
        "genres": len(genres),
        "levels": len(levels),
        "range_db": len(range_db),
        "n_columns": len(n_columns),
    }
    if levels.ndim != 3 or levels.dtype != np.uint8 or len(set(rows_each.values())) != 1:
        raise DataError(
            f"{path} must hold levels as uint8 (excerpts, n_mels, columns) and one row of every"
            f" other key per excerpt. It has levels as {levels.dtype} {levels.shape}, and these"
            f" rows: {', '.join(f'{key} {rows}' for key, rows in rows_each.items())}. See"
            " docs/training.md for the format."
        )
    tracks = read_tracks(folder / "tracks.csv")
    rows = [tracks.get(name, {}) for name in names]
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
        ref_db=ref_db,
        audio={p.stem: p for p in sorted((folder / "audio").glob("*.*"))},
        duplicates=duplicate_pairs(folder),
    )


def check_front_end(data: ExcerptTable, config: SpectrogramConfig, image: ImageConfig) -> None:
    """Raise DataError unless a data set has what a run or preset hears.

    Parameters
    ----------
    data
        Spectrograms or pictures.
    config, image
        The front end and the images of the run or preset.

    Raises
    ------
    DataError
        One has pictures and the other sound, or the spectrograms have another number of mel bands.
    """
    if isinstance(data, PictureDataset) != (image.source == "picture"):
        theirs, ours = ("pictures", "sound")[:: 1 if isinstance(data, PictureDataset) else -1]
        raise DataError(
            f"These data are {theirs}, and the training run or preset is of {ours}. Pass a preset"
            f" that was trained on {theirs}, or data of {ours}."
        )
    if isinstance(data, Dataset) and data.levels.shape[1] != config.n_mels:
        raise DataError(
            f"The archive has {data.levels.shape[1]} mel bands and the front end has"
            f" {config.n_mels}. Make the archive from audio again, or use another preset."
        )


def require_parts(parts: Parts, *names: str) -> None:
    """Raise DataError if one of the named parts is empty."""
    missing = [name for name in names if not len(parts[name])]
    if missing:
        raise DataError(
            f"This split has no {' and no '.join(missing)} part; this command needs"
            f" {' and '.join(names)}. See docs/training.md for split files."
        )


def split(dataset: ExcerptTable, folder: Path, name: str) -> Parts:
    """Return the excerpts' indices in each part of a split: ``train``, ``valid`` and ``test``.

    Random splits do not depend on a run's seed. So a run is never tested on tracks that its teacher
    or its initial weights were trained on, if their split is the same.

    Parameters
    ----------
    dataset, folder
        The data set and its folder.
    name
        ``paper``: ``split_paper.csv``, else the folders train, validation and test of the data
        set, else 80/10/10 by track, stratified by genre.
        ``filtered``: the fault-filtered, artist-aware split in ``tracks.csv``.
        ``filtered-wide``: the same test part; the validation part is one in ten of the other
        artists.
        ``filtered-fold-K``, K 1 to 5: train and valid of the filtered split in five folds with
        artists apart; fold K is the test part, and one in ten of the other artists is for
        validation.
        ``all``: every excerpt is in the test part.
        Otherwise the path of a CSV file with the columns ``excerpt`` and ``part``.

    Raises
    ------
    DataError
        The split does not exist, or assigns no excerpt of this data set.
    """
    if name == "all":
        return _parts(["test"] * len(dataset))
    fold = fold_of(name)
    if fold is not None or name in ("filtered", "filtered-wide"):
        tracks = read_tracks(folder / "tracks.csv")
        chosen = {key: row.get("split_filtered", "") for key, row in tracks.items()}
        where = str(folder / "tracks.csv")
    elif name == "paper" and not (folder / "split_paper.csv").exists():
        return _parts(dataset.own_parts or random_split(dataset))
    else:
        path = folder / "split_paper.csv" if name == "paper" else Path(name)
        if not path.is_file():
            raise DataError(
                f"There is no split file {path}; pass one, or one of {', '.join(SPLITS)}."
            )
        chosen = {key: row.get("part", "") for key, row in read_tracks(path).items()}
        where = str(path)
    merged = [n for n in dataset.names if chosen.get(n) in ("train", "valid")]
    if fold is not None and merged:
        groups = artist_groups(dataset.names, dataset.artist_keys, dataset.duplicates)
        genre_of = dict(zip(dataset.names, dataset.genres, strict=True))
        chosen = fold_parts(genre_of, groups, merged, fold)
    elif name == "filtered-wide":
        artist = {n: k or n for n, k in zip(dataset.names, dataset.artist_keys, strict=True)}
        chosen = chosen | wide_parts(artist, merged)
    parts = _parts([chosen.get(excerpt, "") for excerpt in dataset.names])
    if not any(len(indices) for indices in parts.values()):
        raise DataError(
            f"{where} assigns no excerpt of this data set to a part; use one of"
            f" {', '.join(SPLITS)}, or a CSV file with the columns excerpt and part (train, valid"
            " or test)."
        )
    return parts


def _parts(part_of_each: Sequence[str]) -> Parts:
    array = np.array(part_of_each)
    return {part: np.flatnonzero(array == part) for part in ("train", "valid", "test")}


def random_split(dataset: ExcerptTable) -> list[str]:
    """Return a random part for each excerpt: 80/10/10 by track, stratified by genre."""
    rng = np.random.default_rng(SPLIT_SEED)
    genres = np.array(dataset.genres)
    part = np.full(len(dataset), "train", dtype="<U5")
    for label in dataset.labels:
        members = rng.permutation(np.flatnonzero(genres == label))
        tenth = round(len(members) / 10)
        part[members[:tenth]] = "test"
        part[members[tenth : 2 * tenth]] = "valid"
    return [str(p) for p in part]


def read_tracks(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a CSV file by their column ``excerpt``; nothing if there is no file."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a BOM
        reader = csv.DictReader(file, restval="")
        if "excerpt" not in (reader.fieldnames or ()):
            raise DataError(f"{path} has no column 'excerpt'; see docs/training.md for the format.")
        return {row["excerpt"]: row for row in reader}
