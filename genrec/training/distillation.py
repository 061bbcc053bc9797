"""Learn from networks that are already trained: their answers to what a pupil hears are targets.

Teachers and pupil see the very same damaged and blended window, so a pupil learns how its teachers
generalise and not only what the tracks are called (Beyer et al. 2022, "Knowledge distillation: a
good teacher is patient and consistent"). It also softens wrong labels, of which GTZAN has many.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.embedder import Embedder
from genrec.errors import DataError
from genrec.preset import CONFIG, Preset
from genrec.training.architectures import build, load_run
from genrec.training.data.dataset import SPLITS
from genrec.training.evaluation.metrics import softmax
from genrec.training.settings import TrainingSettings, check_init_run, check_kind

Float = NDArray[np.float32]
Teach = Callable[[Float], Float]


def teachers(settings: TrainingSettings, labels: list[str]) -> Teach | None:
    """Return what the teachers of a run say of images: the mean of their probabilities.

    Parameters
    ----------
    settings, labels
        The pupil's; every teacher must see the same images and know the same genres. A teacher of
        another split may have learned the pupil's validation or test tracks, so that is refused.

    Returns
    -------
    Images float32 (n, height, width, 3) -> probabilities float32 (n, labels); nothing without any

    Raises
    ------
    DataError
        A folder is no run and no preset, or its front end, split or labels are others than the
        pupil's; a preset that was trained on a split of its maker's own, a FILE, may not teach.
    PresetError
        A preset cannot be read.
    """
    every = [_teacher(Path(folder), settings, labels) for folder in settings.teachers]
    if not every:
        return None

    def teach(x: Float) -> Float:
        p = softmax(np.stack([logits(x) for logits in every]))
        return np.asarray(p.mean(axis=0), dtype=np.float32)

    return teach


def _teacher(folder: Path, pupil: TrainingSettings, labels: list[str]) -> Callable[[Float], Float]:
    """Return what gives the logits of a run or a preset."""
    if (folder / CONFIG).exists():
        preset = Preset.load(folder)
        split = preset.metrics().get("split")
        if split not in SPLITS:  # of a file it knows no more than the name
            raise DataError(
                f"{folder} does not say by which of {', '.join(SPLITS)} it was trained, so it may"
                " know what this run is judged by; give the run it was made of as a teacher."
            )
        theirs = preset.spectrogram, preset.image, str(split), list(preset.labels)
        check_kind(folder, theirs, pupil, labels)
        embedder = Embedder(preset.network, threads=os.cpu_count() or 1)
        return lambda x: embedder(x)[1]
    settings = check_init_run(folder, pupil, labels)
    model, _ = build(replace(settings, weights="none", precision=pupil.precision), len(labels))
    load_run(model, folder)
    return lambda x: np.asarray(model.predict_on_batch(x))
