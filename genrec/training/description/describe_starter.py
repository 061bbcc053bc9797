"""Describe the tracks of a starter catalogue from the spectrograms of their archive."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from genrec.errors import DataError
from genrec.music_description import DescriptionModel
from genrec.preset import Preset
from genrec.sound_measures import mel_edges, power_of_bands
from genrec.spectrogram import SpectrogramConfig
from genrec.starter_descriptions import StarterDescriptions, write_starter_descriptions
from genrec.training.data.dataset import Dataset

_HANN_POWER = 0.375  # mean square of a Hann window


def describe_starter(preset: Path, dataset: Dataset, model: DescriptionModel) -> int:
    """Write the descriptions of a preset's starter catalogue; return their number.

    Raises
    ------
    DataError
        The preset has no starter catalogue or another front end, or the archive has no levels.
    """
    loaded = Preset.load(preset)
    starter = loaded.starter()
    if starter is None or loaded.spectrogram != SpectrogramConfig():
        raise DataError(
            f"{preset} has no starter catalogue, or not the default front end that the music"
            " description needs."
        )
    found = describe_excerpts(dataset, set(starter.names), model)
    write_starter_descriptions(preset, found)
    return len(found)


def describe_excerpts(
    dataset: Dataset, names: Collection[str], model: DescriptionModel
) -> StarterDescriptions:
    """Return the descriptions of the named excerpts of a data set.

    Raises
    ------
    DataError
        The archive lacks ``ref_db``, the levels of its excerpts.
    """
    if dataset.ref_db is None:
        raise DataError(
            "The archive has no key ref_db, the level of each excerpt's maximum, so loudness cannot"
            " be measured. See docs/training.md for the format."
        )
    return {
        name: model.describe(
            dataset.spectrogram(index),
            mean_square(dataset.spectrogram(index), float(dataset.ref_db[index])),
        )
        for index, name in enumerate(dataset.names)
        if name in names
    }


def mean_square(S_db: np.ndarray, ref_db: float, n_fft: int = SpectrogramConfig().n_fft) -> float:
    """Return the mean square of the samples of a log-mel spectrogram (Parseval's theorem).

    Parameters
    ----------
    S_db
        float32 (128, columns) in dB relative to its maximum.
    ref_db
        Level of the maximum in dB re 1, as ``power_to_db(ref=1.0)``.
    n_fft
        Samples of a frame.
    """
    power = power_of_bands(S_db, mel_edges()).sum(axis=0).mean()
    return float(2 * 10 ** (ref_db / 10) * power / (_HANN_POWER * n_fft**2))
