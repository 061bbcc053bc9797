"""Train a network on a data set: build, fit, keep the best epoch or the last.

    genrec train --arch vgg16 --data DIR --split paper

A run folder holds settings.json, history.csv, last/ (to resume), kept.weights.h5 and a plot.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from genrec.training.architectures import build, init_from
from genrec.training.batches import Crops, all_windows
from genrec.training.bottleneck import BottleneckBatches, outputs, split_at_frozen
from genrec.training.callbacks import (
    EpochSeed,
    TrackValidation,
    stopped_early,
    training_callbacks,
)
from genrec.training.data.augment import NONE
from genrec.training.data.dataset import Dataset, Parts, check_front_end, need
from genrec.training.distillation import teachers
from genrec.training.settings import TrainingSettings, check_init_run, read_history, start


def optimizer(settings: TrainingSettings, steps: int) -> keras.optimizers.Optimizer:
    """Return the paper's Adam, or AdamW with warm-up and cosine decay over all steps."""
    if settings.schedule == "constant":
        return keras.optimizers.Adam(settings.learning_rate)
    warmup = int(settings.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 50,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )
    adam = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, clipnorm=5.0)
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adam


def train(
    settings: TrainingSettings,
    data: Dataset,
    parts: Parts,
    run: Path,
    *,
    resume: bool = True,
    verbose: int = 1,
) -> Path:
    """Train and keep the epoch the settings ask for; return the run's folder.

    A run that was stopped goes on after its last whole epoch; its settings must be the same.

    Raises
    ------
    DataError
        The split has no training or validation part, the data have another front end, or the run's
        folder has other settings; a teacher, or the run to go on from, has another front end, split
        or set of genres, or no weights to give. A run may go on from one that shares no genre with
        it, whatever its split, and from none of another architecture.
    PresetError
        A preset that is to teach cannot be read.
    """
    need(parts, "train", "valid")
    check_front_end(data, settings.spectrogram)
    before = Path(settings.weights) if Path(settings.weights).is_dir() else None
    if before is not None:
        check_init_run(before, settings, data.labels, going_on=True)
    teach = teachers(settings, data.labels)
    start(run, settings, data.labels, resume=resume)
    history = read_history(run)
    if settings.keep == "best" and stopped_early(history, settings.patience):
        return run
    keras.utils.set_random_seed(settings.seed)
    crops = Crops(data, parts["train"], settings, teach)
    model, _ = build(settings, len(data.labels))
    if before is not None:
        init_from(model, before, settings, data.labels)
    validation = TrackValidation(data, parts["valid"], settings)
    fitted, batches = model, crops
    if sees_the_same(settings):
        fitted, batches = with_bottleneck(model, crops, validation)
    fitted.compile(
        optimizer(settings, settings.epochs * len(crops)),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        metrics=["accuracy"],
        jit_compile=compiled(settings),
    )
    watching = [EpochSeed(crops), validation, *training_callbacks(model, settings, run, history)]
    fitted.fit(batches, epochs=settings.epochs, verbose=verbose, callbacks=watching)
    return run


def compiled(settings: TrainingSettings) -> bool | str:
    """Say whether Keras shall compile a step: on TensorFlow, where that pays on two cores.

    It is a quarter faster there in float32 and half as fast in bfloat16. On JAX a step that is not
    compiled takes seconds; other backends know best.
    """
    if keras.backend.backend() == "tensorflow":
        return settings.precision == "float32"
    return "auto"


def sees_the_same(settings: TrainingSettings) -> bool:
    """Say whether frozen layers get the same pictures in every epoch: whole excerpts, as is."""
    whole = settings.image.columns == 0 and settings.augment == NONE
    # Teachers look at whole pictures: what frozen layers say of them tells them nothing.
    return whole and settings.trainable != "all" and not settings.teachers


def with_bottleneck(
    model: keras.Model, crops: Crops, validation: TrackValidation
) -> tuple[keras.Model, BottleneckBatches]:
    """Ask the frozen layers once; return the rest of the network and what it is fitted on."""
    frozen, rest = split_at_frozen(model)
    pieces = np.array_split(crops.indices, -(-len(crops.indices) // 16))
    pictures = (all_windows(crops.data, piece, crops.settings)[0] for piece in pieces)
    said = outputs(frozen, pictures)
    validation.x = outputs(frozen, np.array_split(validation.x, -(-len(validation.x) // 16)))
    return rest, BottleneckBatches(said, crops.targets, crops.chosen, len(crops))
