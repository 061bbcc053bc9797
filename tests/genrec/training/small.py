"""Small data sets and settings for tests that train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.dataset import Dataset, encode_levels
from genrec.training.filterbank import mel_basis
from genrec.training.settings import TrainingSettings
from tests.synth import STYLES, music

CONFIG = SpectrogramConfig()
SHAPE = (32, 32, 3)
SMALL = ImageConfig(columns=32, height=32, width=32, hop_columns=32)
SETTINGS = TrainingSettings(image=SMALL, epochs=3, batch=4, crops=1, seed=3)
PNG = b"\x89PNG\r\n\x1a\n"


def blank_data(genres: Sequence[str], *, artists: Sequence[str] = ()) -> Dataset:
    """Return a data set of silent excerpts with these genres and artists."""
    count = len(genres)
    return Dataset(
        names=[f"{genre}.{i:05}" for i, genre in enumerate(genres)],
        genres=list(genres),
        artists=list(artists) or [""] * count,
        titles=[""] * count,
        artist_keys=list(artists) or [""] * count,
        levels=np.zeros((count, CONFIG.n_mels, 4), dtype=np.uint8),
        range_db=np.full(count, 80, dtype=np.float32),
        n_columns=np.full(count, 4),
        audio={},
    )


def played_data(seeds: Sequence[int], *, seconds: float = 6.0, named: bool = True) -> Dataset:
    """Return a data set of synthesised excerpts, one style per genre; every other one is longer."""
    basis = mel_basis(CONFIG)
    spectra = [
        log_mel(music(seed, seconds + 0.1 * (i % 2), CONFIG.sr), CONFIG, basis)
        for i, seed in enumerate(seeds)
    ]
    width = max(S_db.shape[1] for S_db in spectra)
    coded = [encode_levels(S_db) for S_db in spectra]
    levels = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each, _ in coded]
    genres = [STYLES[seed % len(STYLES)].name for seed in seeds]
    artists = [f"Artist {seed}" if named else "" for seed in seeds]
    return Dataset(
        names=[f"{genre}.{seed:05}" for genre, seed in zip(genres, seeds, strict=True)],
        genres=genres,
        artists=artists,
        titles=[f"Song {seed}" if named else "" for seed in seeds],
        artist_keys=[artist.lower() for artist in artists],
        levels=np.stack(levels),
        range_db=np.array([range_db for _, range_db in coded], dtype=np.float32),
        n_columns=np.array([S_db.shape[1] for S_db in spectra]),
        audio={},
    )


def write_archive(folder: Path, data: Dataset, **changed: np.ndarray) -> Path:
    """Write a data set as ``logmel.npz``, with the arrays in ``changed`` replaced or added."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "levels": data.levels,
        "excerpts": np.array(data.names),
        "genres": np.array(data.genres),
        "range_db": data.range_db,
        "n_columns": data.n_columns,
    }
    np.savez(folder / "logmel.npz", **{**arrays, **changed})
    return folder


def noise_images(count: int, seed: int = 0) -> np.ndarray:
    """Return noise as float32 (count, *SHAPE)."""
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)
