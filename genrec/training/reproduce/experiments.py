"""The paper's experiments: three networks, trained with its settings on one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genrec.errors import DataError
from genrec.training.data.dataset import ExcerptTable, Parts, PictureDataset
from genrec.training.milestones import outputs_path
from genrec.training.settings import TrainingSettings, for_pictures, paper
from genrec.training.train import train

EPOCHS = (20, 30)  # both of the paper's budgets; one run of 30 epochs passes through 20
QUICK_EPOCHS = (2, 3)
QUICK_TRACKS = 8  # of each genre and in all three parts
QUICK_SIDE = 64  # pixels


@dataclass(frozen=True, slots=True)
class Experiment:
    """One of the paper's networks and the layers that it trains.

    Attributes
    ----------
    arch
        ``cnn``, ``vgg16`` or ``resnet50``.
    trainable
        ``all``, ``head`` (the paper's lastfourtrainable=False) or ``last4`` (True).
    """

    arch: str
    trainable: str

    @property
    def name(self) -> str:
        """Name of the experiment, and of its run folder: ``vgg16-last4``; ``cnn`` trains all."""
        return self.arch if self.trainable == "all" else f"{self.arch}-{self.trainable}"


EXPERIMENTS = (
    Experiment("cnn", "all"),
    Experiment("vgg16", "head"),
    Experiment("vgg16", "last4"),
    Experiment("resnet50", "head"),
    Experiment("resnet50", "last4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBudget:
    """Epochs, initial weights and seed of a reproduction.

    Attributes
    ----------
    epochs
        Numbers of epochs after which results are reported, in order.
    quick
        Few tracks, small images and a few epochs: minutes instead of hours.
    weights
        Initial weights by architecture, as ``--weights`` of `genrec train`; ``none`` is random.
    seed
        Seed of the initial weights and of the order of the batches.
    """

    epochs: tuple[int, ...] = EPOCHS
    quick: bool = False
    weights: tuple[tuple[str, str], ...] = ()
    seed: int = 1

    def settings(self, experiment: Experiment, data: ExcerptTable, split: str) -> TrainingSettings:
        """Return the training settings of an experiment: the paper's, for so many epochs."""
        settings = paper(
            TrainingSettings(
                arch=experiment.arch,
                trainable=experiment.trainable,
                weights=dict(self.weights).get(experiment.arch, "none"),
                seed=self.seed,
                split=split,
                keep="last",
            )
        )
        if isinstance(data, PictureDataset):
            settings = for_pictures(settings)
        if self.quick:
            image = replace(settings.image, height=QUICK_SIDE, width=QUICK_SIDE)
            settings = replace(settings, image=image, batch=16)
        return replace(settings, epochs=self.epochs[-1], patience=self.epochs[-1])


def quick_parts(data: ExcerptTable, parts: Parts) -> Parts:
    """Return a split of a few tracks: of each genre six, one and one, as far as there are any."""
    genres = np.array(data.genres)
    kept = {}
    for part, count in (("train", QUICK_TRACKS - 2), ("valid", 1), ("test", 1)):
        chosen = [parts[part][genres[parts[part]] == label][:count] for label in data.labels]
        kept[part] = np.concatenate(chosen)
    return kept


def run_experiments(
    experiments: Sequence[Experiment],
    budget: TrainingBudget,
    data: ExcerptTable,
    parts: Parts,
    split: str,
    out: Path,
    *,
    verbose: int = 1,
) -> None:
    """Train the experiments whose results are missing, each in a run folder ``OUT/runs/NAME``.

    A stopped experiment resumes after its last finished epoch.

    Raises
    ------
    DataError
        As `genrec.training.train.train`, or a run has passed an epoch whose results are missing.
    """
    for experiment in experiments:
        run = run_folder(out, experiment)
        if all(outputs_path(run, epochs).exists() for epochs in budget.epochs):
            continue
        settings = budget.settings(experiment, data, split)
        train(settings, data, parts, run, verbose=verbose, milestones=budget.epochs)
        missing = [n for n in budget.epochs if not outputs_path(run, n).exists()]
        if missing:
            raise DataError(
                f"{run} has no results after {missing[0]} epochs: delete the folder and run the"
                " command again."
            )


def run_folder(out: Path, experiment: Experiment) -> Path:
    """Return the run folder of an experiment."""
    return out / "runs" / experiment.name
