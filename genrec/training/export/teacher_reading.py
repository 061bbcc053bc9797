"""Join a reading of a music tagger to the projection of an embedding.

The projection of `genrec.training.export.projection` is fitted on tracks of few genres. A ridge
regression from the features to the tagger's hidden layer, fitted on unlabelled music, adds
directions that set albums apart. Both are joined, and reduced to the size of an embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Progress, check_front_end, load_archive, no_progress
from genrec.training.data.songs import joined_packages, read_sources
from genrec.training.teachers.answers import load_answers
from genrec.training.unlabelled import standardiser

Float = NDArray[np.float32]
Wide = NDArray[np.float64]

SECTION_S = 30.0
# Chosen on seven packages of music that no network was trained on, and on validation tracks;
# docs/experiments.md has the figures.
AXES = 64
RIDGE = 1.0  # of standardised features
STEADY = 3.0  # weight of the degradation shifts, which the reading must not follow
WEIGHT = 0.7  # of the reading beside the projection, whose mean length is 1


@dataclass(frozen=True, slots=True, eq=False)
class HeardSections:
    """Sections of unlabelled music.

    Attributes
    ----------
    features
        float32 (sections, features).
    layers
        float32 (sections, units), the tagger's standardised hidden layer.
    """

    features: Float
    layers: Float


def hear_sections(
    analyzer: PresetAnalyzer, folders: Sequence[Path], progress: Progress = no_progress
) -> HeardSections:
    """Return the features of all 30 s sections of archives, and the tagger's layer of each.

    Parameters
    ----------
    analyzer
        The network.
    folders
        Archives with the answers of ``genrec teacher-answers``.
    progress
        Called with (done, total) after each song.

    Raises
    ------
    DataError
        An archive has another front end, or answers without a hidden layer of the same size.
    """
    preset = analyzer.preset
    columns = round(SECTION_S * preset.spectrogram.sr / preset.spectrogram.hop_length)
    column_s = preset.spectrogram.hop_length / preset.spectrogram.sr
    archives = [(load_archive(folder), load_answers(folder)) for folder in folders]
    scale = standardiser([answers.layer for _, answers in archives])
    features, layers = [], []
    songs = [(data, answers, i) for data, answers in archives for i in range(len(data))]
    for data, answers in archives:
        check_front_end(data, preset.spectrogram, preset.image)
        if not answers.layer.shape[1]:
            raise DataError(
                f"The answers of {answers.teacher} have no hidden layer; write them with"
                " `genrec teacher-answers`."
            )
    for done, (data, answers, i) in enumerate(songs, start=1):
        S_db = data.spectrogram(i)
        for first in range(0, max(1, S_db.shape[1] - columns + 1), columns):
            start_s = first * column_s
            found = answers.window(data.names[i], start_s, start_s + SECTION_S)
            if found is not None:
                section = S_db[:, first : first + columns]
                features.append(analyzer.predict_spectrogram(section).features)
                layers.append(scale(found[1]))
        progress(done, len(songs))
    if not features:
        raise DataError("The archives have no song with answers: run `genrec teacher-answers`.")
    return HeardSections(np.array(features, np.float32), np.array(layers, np.float32))


def with_archives(sources: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """Return a run's sources with the taggers and packages of archives, for the model card."""
    teachers = {*sources.get("teachers", ()), *(load_answers(each).teacher for each in folders)}
    packages = joined_packages(sources.get("packages", ()), *map(read_sources, folders))
    return {**sources, "teachers": sorted(teachers), "packages": packages}


def join_reading(
    axes: Float, centre: Float, train: Float, shifts: Float, heard: HeardSections
) -> Float:
    """Return axes that project like the given ones, and also onto a reading of the tagger's layer.

    The reading is a ridge regression (Hoerl and Kennard 1970) that is penalised for following the
    degradation shifts. Its principal axes are weighted by the fourth root of their variance, and
    joined to ``axes``; principal components of the training tracks reduce both to as many axes as
    before.

    Parameters
    ----------
    axes
        float32 (features, d), from :func:`genrec.training.export.projection.projection`.
    centre, train
        float32 (features,) and (tracks, features), the training tracks and their mean.
    shifts
        float32 (any, features), of degradations.
    heard
        Sections of unlabelled music.

    Returns
    -------
    float32 (features, d)
    """
    x = train.astype(np.float64) - centre
    reading = _reading(heard, centre, shifts.astype(np.float64))
    joined = np.concatenate(
        [axes / _mean_length(x @ axes), WEIGHT * reading / _mean_length(x @ reading)], axis=1
    )
    y = x @ joined
    _, components = np.linalg.eigh(y.T @ y / len(y))
    return np.asarray(joined @ components[:, ::-1][:, : axes.shape[1]], dtype=np.float32)


def _reading(heard: HeardSections, centre: Float, shifts: Wide) -> Wide:
    """Return the principal axes of the predicted layer in feature space, (features, axes)."""
    spread = heard.features.std(axis=0, dtype=np.float64) + 1e-3
    x = (heard.features - centre) / spread
    moments = x.T @ x / len(x) + RIDGE * np.eye(x.shape[1])
    if len(shifts):
        shifted = shifts / spread
        moments += STEADY * shifted.T @ shifted / len(shifted)
    weights = np.linalg.solve(moments, x.T @ heard.layers / len(x))
    variances, directions = np.linalg.eigh(np.cov((x @ weights).T))
    first = slice(None, -min(AXES, len(variances)) - 1, -1)
    gains = (variances[first].clip(0) + 1e-6) ** -0.25
    return np.asarray(weights @ (directions[:, first] * gains) / spread[:, None])


def _mean_length(x: Wide) -> float:
    return float(np.sqrt((x**2).sum(axis=1).mean()))
