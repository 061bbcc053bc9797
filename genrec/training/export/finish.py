"""Steps of every export: data check, projection, calibration and starter catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrec.errors import DataError
from genrec.music_description import DescriptionModel
from genrec.pipeline import PresetAnalyzer
from genrec.preset import CATALOGUE, Preset, save_starter
from genrec.spectrogram import SpectrogramConfig
from genrec.starter_descriptions import write_starter_descriptions
from genrec.training.data.dataset import (
    Dataset,
    ExcerptTable,
    Parts,
    check_front_end,
    require_parts,
)
from genrec.training.description.describe_starter import describe_excerpts
from genrec.training.evaluation.predict import Predictions, predict_all
from genrec.training.export.calibrate import UncalibratedPreset, calibrate
from genrec.training.export.catalogue import starter_catalogue
from genrec.training.export.projection import degradation_shifts
from genrec.training.export.teacher_reading import hear_sections
from genrec.training.settings import TrainingSettings

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Result of an export.

    Attributes
    ----------
    preset, precision
        The preset, and the precision of its network.
    accuracy
        Validation accuracy by precision that was tried.
    predictions
        Predictions for the training and validation tracks.
    """

    preset: Preset
    precision: str
    accuracy: dict[str, float]
    predictions: Predictions


def check_data(
    trained: Path, settings: TrainingSettings, labels: list[str], data: ExcerptTable, parts: Parts
) -> None:
    """Raise DataError unless a run's or preset's folder was trained on these data.

    Parameters
    ----------
    trained, settings, labels
        The folder, its training settings and its labels.
    data, parts
        The data set and its split.
    """
    require_parts(parts, "train", "valid")
    check_front_end(data, settings.spectrogram, settings.image)
    if data.labels != labels:
        raise DataError(
            f"{trained} was trained on {', '.join(labels)}, and these data have"
            f" {', '.join(data.labels)}. Pass the data that it was trained on."
        )


def finish(
    uncalibrated: UncalibratedPreset,
    out: Path,
    data: ExcerptTable,
    parts: Parts,
    valid: Predictions,
    log: Log,
    unlabelled: Sequence[Path] = (),
) -> tuple[Preset, Predictions]:
    """Calibrate the network in ``out``, write its starter catalogue, and return the preset.

    Parameters
    ----------
    uncalibrated, out
        The preset, and its folder with the network file.
    data, parts, valid
        The data set, its split, and the predictions for the validation part.
    log
        Called with a line per step.
    unlabelled
        Archives of music whose teacher's answers the embedding also reads.

    Returns
    -------
    The preset, and the predictions for the training part

    Raises
    ------
    DataError
        An archive does not fit, see
        :func:`genrec.training.export.teacher_reading.hear_sections`.
    """
    analyzer = PresetAnalyzer(uncalibrated.save(out))
    train = predict_all(analyzer, data, parts["train"])
    shifts = degradation_shifts(analyzer, data, parts["train"])
    if not len(shifts):
        log("No training track has audio: the projection is fitted without codecs and noise.")
    heard = hear_sections(analyzer, unlabelled) if unlabelled else None
    if heard is not None:
        log(f"The embedding also reads the tagger's layer, of {len(heard.features)} sections.")
    preset = calibrate(uncalibrated, out, data, train, valid, shifts, heard)
    catalogue = starter_catalogue(PresetAnalyzer(preset), data, train, valid)
    if catalogue is None:
        (out / CATALOGUE).unlink(missing_ok=True)
        log("No track has both artist and title, so there is no starter catalogue.")
    else:
        save_starter(preset, catalogue)
        if (
            isinstance(data, Dataset)
            and data.ref_db is not None
            and preset.spectrogram == SpectrogramConfig()
        ):
            names = set(catalogue.names)
            write_starter_descriptions(out, describe_excerpts(data, names, DescriptionModel.load()))
    return preset, train
