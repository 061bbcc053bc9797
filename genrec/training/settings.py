"""Settings and recipes of training, and the settings.json and history.csv of a run folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from genrec.errors import DataError
from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.augment import NONE, Augmentation
from genrec.training.data.dataset import SPLITS

CHECKPOINT = "kept.weights.h5"
HISTORY = "history.csv"
# A whole excerpt as a picture of 224x224x3, 0..255 as 0..1.
PAPER_IMAGE = ImageConfig(
    columns=0, height=224, width=224, channels="copies", scaling="picture", noise_db=0.0
)
DataSpec = tuple[SpectrogramConfig, ImageConfig, str | None, list[str]]
"""Front end, image, split and labels: equal for a run and its teachers. A preset of a split file
records only the file's name, and its split is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings of one training run; the defaults are the recipe ``genrec``.

    Attributes
    ----------
    arch, weights
        Architecture, and initial weights: ``none``, ``imagenet``, a weights file, or the folder of
        a run or a preset.
    trainable
        ``all`` layers; ``head``: the dense layer; ``last4``: the last four layers that have
        parameters, the dense layer among them.
    batch_norm
        Train VGG16 with BatchNorm, which is folded into the convolutions at export. From random
        weights VGG16 does not converge without it.
    crops
        Random windows per track and epoch.
    learning_rate, weight_decay, warmup, schedule
        ``cosine``: AdamW with linear warm-up over the share ``warmup`` of all steps, then cosine
        decay to zero. ``constant``: the paper's Adam.
    label_smoothing
        About 10 % of GTZAN's labels are wrong, so targets are smoothed.
    keep
        Checkpoint selection: ``best`` by validation loss, or ``last`` of the schedule, for
        validation parts too small to select by.
    patience
        Early stopping after so many epochs without a lower validation loss; only for ``best``.
        Loss, not accuracy: on 90 tracks the accuracy changes in steps of 1.1 points.
    teachers, distill_weight
        Run and preset folders to distil from, and the weight of their soft targets; the labels have
        the weight ``1 - distill_weight``.
    noisy_student
        The teachers get each window without its noise, codec losses, band limits and masks.
    answers, unlabelled
        File of a tagger's answers to the data set, and folders of archives of unlabelled music.
    changed
        Folders of archives with the same songs as telephones, rooms and codecs change them. The
        second of two windows of a song is from them.
    answer_weight, contrast_weight
        Weights of the tagger's answers, and of the contrast of songs; that of the genre is 1.
    unlabelled_batch
        Windows of unlabelled music that each batch has beside ``batch``.
    """

    arch: str = "vgg16"
    recipe: str = "genrec"
    weights: str = "none"
    trainable: str = "all"
    batch_norm: bool = True
    epochs: int = 18
    batch: int = 16
    crops: int = 2
    learning_rate: float = 5e-4
    weight_decay: float = 0.02
    warmup: float = 0.05
    schedule: str = "cosine"
    label_smoothing: float = 0.05
    dropout: float = 0.2
    keep: Literal["best", "last"] = "best"
    patience: int = 12
    seed: int = 1
    precision: str = "float32"
    split: str = "paper"
    teachers: tuple[str, ...] = ()
    distill_weight: float = 0.8
    noisy_student: bool = False
    answers: str = ""
    unlabelled: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    answer_weight: float = 1.0
    contrast_weight: float = 0.0
    unlabelled_batch: int = 16
    spectrogram: SpectrogramConfig = field(default_factory=SpectrogramConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    augment: Augmentation = field(default_factory=Augmentation)

    @property
    def data_spec(self) -> tuple[SpectrogramConfig, ImageConfig, str]:
        """Front end, image and split; with the labels, a :data:`DataSpec`."""
        return self.spectrogram, self.image, self.split


def paper(settings: TrainingSettings) -> TrainingSettings:
    """Return the settings of the paper: 224x224x3 images, 1/255, Adam, batch 64, dropout 0.2.

    The paper trained VGG16 for 20 epochs and ResNet50 for 30, without early stopping; its own CNN
    gets 30 here. ``trainable`` selects its experiment: ``head`` or ``last4``; the CNN trains all.
    The learning rate is Keras' default for Adam.
    """
    epochs = 20 if settings.arch == "vgg16" else 30
    trainable = settings.trainable if settings.trainable in ("head", "last4") else "last4"
    return replace(
        settings,
        recipe="paper",
        trainable="all" if settings.arch == "cnn" else trainable,
        batch_norm=False,
        epochs=epochs,
        patience=epochs,
        batch=64,
        crops=1,
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        label_smoothing=0.0,
        dropout=0.2,
        image=PAPER_IMAGE,
        augment=NONE,
    )


def for_noisy_student(settings: TrainingSettings) -> TrainingSettings:
    """Return the settings of a student whose windows are damaged more than those of its teachers.

    Xie et al. (2020, "Self-training with noisy student improves ImageNet classification"). Teachers
    that get the damaged window themselves answer wrongly, and the student learns that.

    Raises
    ------
    DataError
        The settings have no augmentation.
    """
    if settings.augment == NONE:
        raise DataError("--noisy-student needs random windows; use --recipe genrec.")
    louder = replace(settings.augment, floor=0.5, floor_db=-15.0, low_cut=0.3)
    return replace(settings, noisy_student=True, augment=louder)


RECIPES: dict[str, Callable[[TrainingSettings], TrainingSettings]] = {
    "genrec": lambda s: s,
    "paper": paper,
}


def for_pictures(settings: TrainingSettings) -> TrainingSettings:
    """Return the settings for a data set of pictures: 224x224x3, without augmentation."""
    image = replace(PAPER_IMAGE, source="picture")
    return replace(settings, image=image, augment=NONE, crops=1)


def write_or_check_settings(
    run: Path, settings: TrainingSettings, labels: list[str], *, resume: bool
) -> None:
    """Write settings.json of a new run; raise DataError if a run in the folder has other settings.

    Raises
    ------
    DataError
        The folder has a run with other settings or labels, or has a run and ``resume`` is false.
    """
    path = run / "settings.json"
    if path.exists():
        old_settings, old_labels = read_settings(run)
        old = {**asdict(old_settings), "labels": old_labels}
        if difference := _first_difference(old, {**asdict(settings), "labels": labels}):
            raise DataError(
                f"{run} has a run with other settings: {difference}. Pass the same ones, or another"
                " --run folder."
            )
    if path.exists() and not resume:
        raise DataError(f"{run} has a run already; drop --fresh to resume, or pass another --run.")
    run.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"labels": labels, **asdict(settings)}, indent=2)
    path.write_text(text, encoding="utf-8")


def _first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the first setting that differs, with both values, or "" if all are equal.

    For example: "image.width is 224 there and 64 here".
    """
    for name, value in old.items():
        if value == new[name]:
            continue
        if isinstance(value, Mapping):
            return f"{name}.{_first_difference(value, new[name])}"
        return f"{name} is {_shown(value)} there and {_shown(new[name])} here"
    return ""


def _shown(value: object) -> str:
    """Return a setting's value for an error message."""
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def read_settings(run: Path) -> tuple[TrainingSettings, list[str]]:
    """Return the settings and labels in a run's settings.json.

    Raises
    ------
    DataError
        There is no settings.json, or it is not JSON.
    """
    try:
        values: dict[str, Any] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{run} is not a training run: {error}. Pass a folder that `genrec train` wrote."
        ) from error
    labels = values.pop("labels")
    return settings_from(values), labels


def settings_from(values: Mapping[str, Any]) -> TrainingSettings:
    """Return training settings from the fields of a settings.json or a preset's metrics.json."""
    values = dict(values)
    if "teaching" in values:  # the name in older runs
        values["distill_weight"] = values.pop("teaching")
    parts: dict[str, Any] = {
        "spectrogram": SpectrogramConfig(**values.pop("spectrogram")),
        "image": ImageConfig(**values.pop("image")),
        "augment": Augmentation(**values.pop("augment")),
        "teachers": tuple(values.pop("teachers", ())),
        "unlabelled": tuple(values.pop("unlabelled", ())),
        "changed": tuple(values.pop("changed", ())),
    }
    return TrainingSettings(**values, **parts)


def check_init_run(run: Path, settings: TrainingSettings, labels: list[str]) -> None:
    """Raise DataError unless a run's weights can initialise a new run.

    The architecture, the front end and the image must match. If the two runs share a label, the
    labels and the split must match as well; otherwise the run may have been trained on the new
    run's validation or test tracks.

    Parameters
    ----------
    run
        Folder of the run that gives the weights.
    settings, labels
        Of the new run.

    Raises
    ------
    DataError
        The runs do not match, or the run has no checkpoint.
    """
    theirs, run_labels = read_settings(run)
    if theirs.arch != settings.arch:
        raise DataError(
            f"{run} trained a {theirs.arch}, and its weights do not fit a {settings.arch}. Pass"
            f" --arch {theirs.arch}, or pass the run as --teacher."
        )
    check_start_spec(run, (*theirs.data_spec, run_labels), settings, labels)
    checkpoint_path(run)


def check_start_spec(
    folder: Path, theirs: DataSpec, settings: TrainingSettings, labels: list[str]
) -> None:
    """Raise DataError unless a run or preset can give a run its initial weights.

    If it shares no label with the run, its split may differ.

    Raises
    ------
    DataError
        As :func:`check_data_spec`.
    """
    spectrogram, image, _, their_labels = theirs
    if set(their_labels).isdisjoint(labels):
        theirs = spectrogram, image, settings.split, labels
    check_data_spec(folder, theirs, settings, labels)


def check_data_spec(
    folder: Path, theirs: DataSpec, settings: TrainingSettings, labels: list[str]
) -> None:
    """Raise DataError unless a run or preset has the front end, image, split and labels of a run.

    Raises
    ------
    DataError
        One of them differs, or the split is None. With another split, the folder's network may have
        been trained on the new run's validation or test tracks.
    """
    if theirs[2] is None:
        raise DataError(
            f"{folder} does not record which of {', '.join(SPLITS)} it was trained on: it names a"
            " split file, or no split. It may have been trained on this run's test tracks. Pass the"
            " run that it was exported from."
        )
    ours = (*settings.data_spec, labels)
    if difference := _first_difference(_spec_fields(theirs), _spec_fields(ours)):
        raise DataError(
            f"{folder} cannot be this run's --weights or --teacher: {difference}. Pass a run with"
            " the same front end, image, split and genres. For --weights, a run that shares no"
            " genre with this one fits too."
        )


def _spec_fields(spec: DataSpec) -> dict[str, Any]:
    """Return a data specification as a dictionary, with the names of settings.json."""
    spectrogram, image, split, labels = spec
    return {
        "spectrogram": asdict(spectrogram),
        "image": asdict(image),
        "split": split,
        "labels": labels,
    }


def checkpoint_path(run: Path) -> Path:
    """Return the path of a run's checkpoint: the weights of its selected epoch.

    Raises
    ------
    DataError
        There is none yet, or the run selects its last epoch and has not finished.
    """
    settings, _ = read_settings(run)
    if settings.keep == "last" and (done := len(read_history(run))) < settings.epochs:
        raise DataError(
            f"{run} keeps its last epoch and has trained {done} of {settings.epochs}; finish it"
            " with `genrec train` first."
        )
    path = run / CHECKPOINT
    if not path.exists():
        raise DataError(f"{run} has no weights yet; train an epoch with `genrec train` first.")
    return path


def read_history(run: Path) -> list[dict[str, float]]:
    """Return the metrics of a run's finished epochs, one dictionary per epoch."""
    path = run / HISTORY
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    # A run killed between its history row and its backup repeats that epoch.
    return list({row["epoch"]: row for row in rows}.values())
