"""Train a network on a data set and write a run folder.

    genrec train --arch vgg16 --data DIR --split paper

A run folder has settings.json, history.csv, last/ (resume state), kept.weights.h5 and a plot.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras

from genrec.preset import CONFIG
from genrec.training.architectures import build, init_from
from genrec.training.batches import TrainingBatches
from genrec.training.bottleneck import can_cache_bottleneck, with_bottleneck
from genrec.training.callbacks import (
    EpochSeed,
    TrackValidation,
    out_of_patience,
    training_callbacks,
)
from genrec.training.data.dataset import ExcerptTable, Parts, check_front_end, require_parts
from genrec.training.data.songs import write_run_sources
from genrec.training.distillation import load_teachers
from genrec.training.further_outputs import losses, with_further_outputs
from genrec.training.lineage import lineage, name_of, sources_of
from genrec.training.milestones import Milestones
from genrec.training.settings import (
    TrainingSettings,
    check_init_run,
    read_history,
    write_or_check_settings,
)
from genrec.training.trained_presets import init_from_preset, load_start_preset
from genrec.training.unlabelled import further_targets

MOMENT_BATCHES = 12  # batches at most, whose moments restore the BatchNorm of a preset


def train(
    settings: TrainingSettings,
    data: ExcerptTable,
    parts: Parts,
    run: Path,
    *,
    resume: bool = True,
    verbose: int = 1,
    milestones: Collection[int] = (),
) -> Path:
    """Train a network and write its run folder; resume after the last finished epoch.

    Parameters
    ----------
    settings, data, parts
        The settings, the data set, and the indices of its parts.
    run
        The run folder. A run to resume must have the same settings.
    resume
        Whether the folder may have a run already.
    verbose
        As in Keras' ``fit``.
    milestones
        Numbers of epochs, from 1, after which the features and logits of all excerpts are written
        to the run folder, see :mod:`genrec.training.milestones`. The images must be whole excerpts.

    Returns
    -------
    The run folder

    Raises
    ------
    DataError
        The split has no training or validation part, or the data have another front end. The folder
        has a run with other settings. A teacher, its answers, unlabelled music or the initial
        weights do not fit.
    PresetError
        A teacher preset cannot be read.
    """
    require_parts(parts, "train", "valid")
    check_front_end(data, settings.spectrogram, settings.image)
    init = Path(settings.weights) if Path(settings.weights).is_dir() else None
    init_preset = None
    if init is not None and (init / CONFIG).exists():
        init_preset = load_start_preset(init, settings, data.labels)
    elif init is not None:
        check_init_run(init, settings, data.labels)
    soft_targets = load_teachers(settings, data.labels)
    judging = [data.names[i] for part in ("valid", "test") for i in parts[part]]
    further = further_targets(settings, data, judging)
    write_or_check_settings(run, settings, data.labels, resume=resume)
    history = read_history(run)
    if settings.keep == "best" and out_of_patience(history, settings.patience):
        return run

    keras.utils.set_random_seed(settings.seed)
    if further is not None or init is not None or settings.teachers:
        write_run_sources(
            run,
            teachers=further.teachers if further else (),
            packages=further.packages if further else (),
            changed=bool(settings.changed),
            earlier=sources_of(init) if init else {},
            networks=[name_of(Path(folder)) for folder in settings.teachers],
            lineage=lineage(init) if init else (),
        )
    batches = TrainingBatches(data, parts["train"], settings, soft_targets, further)
    model, _ = build(settings, len(data.labels))
    if init_preset is not None:
        count = min(MOMENT_BATCHES, len(batches))
        images = (batches[i][0] for i in range(count))
        init_from_preset(model, init_preset, data.labels, images)
    elif init is not None:
        init_from(model, init, settings, data.labels)
    validation = TrackValidation(data, parts["valid"], settings)

    fitted, inputs, frozen = model, batches, None
    if can_cache_bottleneck(settings, model, len(data)):
        frozen, fitted, inputs = with_bottleneck(model, batches, validation)
    how: dict[str, Any] = {
        "loss": keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        "metrics": ["accuracy"],
    }
    if further is not None:
        fitted = with_further_outputs(model, further)
        how = losses(fitted, settings)
    fitted.compile(
        optimizer(settings, settings.epochs * len(batches)),
        jit_compile=jit_compile(settings),
        **how,
    )
    callbacks = [EpochSeed(batches), validation]
    if milestones:
        callbacks.append(
            Milestones(data, parts, settings, run, milestones, whole=model, frozen=frozen)
        )
    callbacks += training_callbacks(model, settings, run, history)
    fitted.fit(inputs, epochs=settings.epochs, verbose=verbose, callbacks=callbacks)
    return run


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


def jit_compile(settings: TrainingSettings) -> bool | str:
    """Return Keras' ``jit_compile`` option: XLA on TensorFlow in float32 only.

    On two cores XLA makes a float32 step a quarter faster and a bfloat16 step twice as slow. JAX
    takes seconds per step without it; other backends decide for themselves.
    """
    if keras.backend.backend() == "tensorflow":
        return settings.precision == "float32"
    return "auto"
