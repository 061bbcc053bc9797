"""Fit the music description on annotated spectrograms, judge it held out, and write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.files import atomic_write
from genrec.music_description import BANDS, COLUMN_S, DescriptionModel
from genrec.musical_key import chroma, key_features
from genrec.sound_measures import mel_edges
from genrec.tempo import tempo_features
from genrec.training.data.dataset import Dataset, Progress, load_archive, no_progress
from genrec.training.description.annotations import (
    Annotations,
    artist_folds,
    fitting_part,
    read_annotations,
)
from genrec.training.description.describe_starter import describe_starter
from genrec.training.description.fit_description import fit_key, fit_tempo
from genrec.training.description.scores import key_figures, tempo_figures

Ints = NDArray[np.int64]

FOLDS = 5
LENGTHS_S = (30.0, 15.0, 8.0)  # of held-out clips
_SHORTEST_S = 5.0  # of the shorter copy of each excerpt


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """Features of the excerpts of the fitting part: whole, and cut to random lengths."""

    tempo: NDArray[np.float32]
    short_tempo: NDArray[np.float32]
    key: NDArray[np.float64]
    short_key: NDArray[np.float64]


def train_description(
    data: Path, out: Path, progress: Progress = no_progress, *, presets: Sequence[Path] = ()
) -> dict[str, Any]:
    """Fit tempo and key, write the weights, and return the figures of cross-validation.

    Parameters
    ----------
    data
        Folder with ``logmel.npz`` and ``annotations.csv``.
    out
        File for the weights, NAME.npz.
    progress
        Called with (done, total) folds.
    presets
        Preset folders whose starter catalogue is described with the weights.

    Raises
    ------
    DataError
        The folder has no archive or annotations, or too few excerpts to fit on.
    """
    dataset = load_archive(data)
    if dataset.levels.shape[1] != BANDS:
        raise DataError(
            f"The archive has {dataset.levels.shape[1]} mel bands; the music description needs"
            f" {BANDS}, those of the default front end."
        )
    annotations = read_annotations(data, dataset)
    part = fitting_part(data, dataset)
    known = np.isfinite(annotations.bpm[part]) & (annotations.key[part] >= 0)
    if known.sum() < 10 * FOLDS:
        raise DataError(
            f"{int(known.sum())} excerpts have tempo and key and may be fitted on; it takes"
            f" {10 * FOLDS}. Excerpts with an audio file are kept for judging."
        )
    features = _features(dataset, part)
    held_out = _cross_validate(dataset, annotations, part, features, progress)
    model = _fit(features, annotations, part, np.ones(len(part), dtype=bool))
    with atomic_write(out) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            tempo_weights=model.tempo_weights,
            tempo_prior=model.tempo_prior,
            key_weights=model.key_weights,
            key_bias=model.key_bias,
        )
    described = {str(preset): describe_starter(preset, dataset, model) for preset in presets}
    return {"excerpts": len(part), **held_out, "described": described}


def _features(dataset: Dataset, part: Ints) -> _Features:
    rng = np.random.default_rng(0)
    tempi: tuple[list[Any], list[Any]] = [], []
    keys: tuple[list[Any], list[Any]] = [], []
    centres = mel_edges()[1:-1].astype(np.float32)
    for index in part:
        S_db = dataset.spectrogram(int(index))
        columns = S_db.shape[1]
        length = int(rng.integers(min(round(_SHORTEST_S / COLUMN_S), columns), columns + 1))
        start = int(rng.integers(0, columns - length + 1))
        for copy, cut in enumerate((S_db, S_db[:, start : start + length])):
            tempi[copy].append(tempo_features(cut, COLUMN_S))
            keys[copy].append(key_features(chroma(cut, centres), cut.shape[1] * COLUMN_S))
    return _Features(*(np.stack(each) for each in (*tempi, *keys)))


def _fit(
    features: _Features, annotations: Annotations, part: Ints, chosen: NDArray[np.bool_]
) -> DescriptionModel:
    """Return the model fitted on the chosen excerpts of the part."""
    bpm, key = annotations.bpm[part], annotations.key[part]
    timed, tonal = chosen & np.isfinite(bpm), chosen & (key >= 0)
    both = np.concatenate([features.tempo[timed], features.short_tempo[timed]])
    weights, prior = fit_tempo(both, np.tile(bpm[timed], 2))
    tonalities = np.concatenate([features.key[tonal], features.short_key[tonal]])
    return DescriptionModel(weights, prior, *fit_key(tonalities, np.tile(key[tonal], 2)))


def _cross_validate(
    dataset: Dataset,
    annotations: Annotations,
    part: Ints,
    features: _Features,
    progress: Progress,
) -> dict[str, Any]:
    """Return figures for excerpts whose artist was not in the fit, by length of the clip."""
    folds = artist_folds(dataset, part, FOLDS)
    tempi: dict[float, list[tuple[float, float, float]]] = {length: [] for length in LENGTHS_S}
    keys: dict[float, list[tuple[int, float, int]]] = {length: [] for length in LENGTHS_S}
    for fold in range(FOLDS):
        progress(fold, FOLDS)
        model = _fit(features, annotations, part, folds != fold)
        for index in part[folds == fold].tolist():
            S_db = dataset.spectrogram(index)
            for length in LENGTHS_S:
                cut = middle(S_db, round(length / COLUMN_S))
                tempo, key = model.tempo(cut), model.key(cut)
                tempi[length].append((tempo.bpm, tempo.confidence, annotations.bpm[index]))
                keys[length].append((key.key, key.confidence, int(annotations.key[index])))
    progress(FOLDS, FOLDS)
    return {
        "tempo": {f"{length:g} s": tempo_figures(rows) for length, rows in tempi.items()},
        "key": {f"{length:g} s": key_figures(rows) for length, rows in keys.items()},
    }


def middle(S_db: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Return the middle columns of a spectrogram, all if it has no more."""
    start = max(0, (S_db.shape[1] - columns) // 2)
    return S_db[:, start : start + columns]
