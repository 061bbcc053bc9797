"""What decides a training run: the settings, the two recipes, and the files that remember them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from genrec.errors import DataError
from genrec.spectrogram import ImageConfig, SpectrogramConfig
from genrec.training.data.augment import NONE, Augmentation

KEPT = "kept.weights.h5"
Kind = tuple[SpectrogramConfig, ImageConfig, str, list[str]]
"""What a run shares with one that builds on it: front end, images, split and labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Everything that decides a run, with the default recipe's reasons.

    Attributes
    ----------
    arch, weights
        The network, and where its weights start: ``none``, ``imagenet``, a file, or the folder of
        a run whose kept epoch is trained further; a run of other labels lends all but its head.
    trainable
        ``all``; ``head`` (only the dense layer); ``last4`` (the backbone's last four layers too).
    batch_norm
        Train VGG16 with BatchNorm, folded away at export: from random weights it does not learn
        without.
    crops
        Random windows per track and epoch.
    learning_rate, weight_decay, warmup
        AdamW's, with a cosine decay to nothing after ``warmup`` of all steps; a ``constant``
        schedule is the paper's Adam.
    label_smoothing
        GTZAN has about 10 % wrong labels: a network should not be certain of them.
    keep
        The epoch a run is known by, to export, go on from and learn from: the ``best`` by
        validation loss, or the ``last`` of its whole schedule, where too few tracks validate to
        pick one by them.
    patience
        Epochs without a better validation loss before a run that keeps its best stops. The loss,
        not the accuracy: on 90 tracks the accuracy moves in steps of a whole point.
    teachers, teaching
        Folders of runs and presets to learn from, and the share of a target that is theirs; the
        label's is the rest.
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
    teaching: float = 0.8
    spectrogram: SpectrogramConfig = field(default_factory=SpectrogramConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    augment: Augmentation = field(default_factory=Augmentation)


def paper(settings: TrainingSettings) -> TrainingSettings:
    """Return the paper's settings: 224x224x3 pictures, 1/255, Adam, batch 64, dropout 0.2.

    Its VGG16 ran 20 epochs and its ResNet50 30, all of them; ``trainable`` chooses between its two
    experiments, the head alone and the last four layers. Adam's rate is Keras' own.
    """
    epochs = 20 if settings.arch == "vgg16" else 30
    return replace(
        settings,
        recipe="paper",
        trainable=settings.trainable if settings.trainable in ("head", "last4") else "last4",
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
        image=ImageConfig(
            columns=0, height=224, width=224, channels="copies", scaling="picture", noise_db=0.0
        ),
        augment=NONE,
    )


RECIPES: dict[str, Callable[[TrainingSettings], TrainingSettings]] = {
    "genrec": lambda s: s,
    "paper": paper,
}


def start(run: Path, settings: TrainingSettings, labels: list[str], *, resume: bool) -> None:
    """Write settings.json, or check that a run to resume has the same."""
    text = json.dumps({"labels": labels, **asdict(settings)}, indent=2)
    path = run / "settings.json"
    if path.exists() and read_settings(run) != (settings, labels):
        raise DataError(f"{run} holds a run with other settings; give another --run folder.")
    if path.exists() and not resume:
        raise DataError(f"{run} holds a run already; leave out --fresh, or give another folder.")
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read_settings(run: Path) -> tuple[TrainingSettings, list[str]]:
    """Return the settings and the labels of a run."""
    try:
        values: dict[str, Any] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{run} is not the folder of a training run: {error}.") from error
    labels = values.pop("labels")
    parts: dict[str, Any] = {
        "spectrogram": SpectrogramConfig(**values.pop("spectrogram")),
        "image": ImageConfig(**values.pop("image")),
        "augment": Augmentation(**values.pop("augment")),
        "teachers": tuple(values.pop("teachers", ())),
    }
    return TrainingSettings(**values, **parts), labels


def check_init_run(
    run: Path, settings: TrainingSettings, labels: list[str], *, going_on: bool = False
) -> TrainingSettings:
    """Return the settings of a run that another wants to learn from, or to go on from.

    Parameters
    ----------
    run, settings, labels
        The run that is there, and the new run's settings and labels.
    going_on
        The new run starts from its weights: it must be of the same architecture. Where they share
        no label it learned from other music, by whatever split; its maker answers for that.

    Raises
    ------
    DataError
        It is of another kind than the new run, or has no weights to give.
    """
    theirs, known = read_settings(run)
    kind = theirs.spectrogram, theirs.image, theirs.split, known
    if going_on and theirs.arch != settings.arch:
        raise DataError(
            f"{run} trained a {theirs.arch}, which a {settings.arch} cannot go on from; give it as"
            f" a --teacher, or --arch {theirs.arch}."
        )
    if going_on and set(known).isdisjoint(labels):
        kind = theirs.spectrogram, theirs.image, settings.split, labels
    check_kind(run, kind, settings, labels)
    best_weights(run)
    return theirs


def check_kind(folder: Path, theirs: Kind, settings: TrainingSettings, labels: list[str]) -> None:
    """Let a new run build on none but a run or preset of its own kind.

    Raises
    ------
    DataError
        The folder's front end, split or set of genres is another. Of another split it may have
        learned the very tracks that the new run is judged by.
    """
    if theirs != (settings.spectrogram, settings.image, settings.split, labels):
        raise DataError(
            f"{folder} is of another front end, split or set of genres, so this run cannot go on"
            " from it or have it as a teacher; give one like this run, or start from one of other"
            " music, which shares no genre with it."
        )


def best_weights(run: Path) -> Path:
    """Return the file with the epoch that a run keeps.

    Raises
    ------
    DataError
        There is none yet, or the run keeps its last epoch and has not come to it.
    """
    settings, _ = read_settings(run)
    if settings.keep == "last" and (done := len(read_history(run))) < settings.epochs:
        raise DataError(
            f"{run} keeps its last epoch and has trained {done} of {settings.epochs}; let `genrec"
            " train` end it first."
        )
    path = run / KEPT
    if not path.exists():
        raise DataError(f"{run} has no weights yet; let `genrec train` finish an epoch first.")
    return path


def read_history(run: Path) -> list[dict[str, float]]:
    """Return the finished epochs of a run, the figures of each by name."""
    path = run / "history.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    # An epoch stands twice where a run was killed after its figures and before its weights.
    return list({row["epoch"]: row for row in rows}.values())
