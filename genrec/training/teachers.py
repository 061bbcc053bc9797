"""Learn from networks that are already trained: their answers to what a pupil hears are targets.

Teachers and pupil see the very same damaged and blended window, so a pupil learns how its teachers
generalise and not only what the tracks are called (Beyer et al. 2022, "Knowledge distillation: a
good teacher is patient and consistent"). It also softens wrong labels, of which GTZAN has many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.training.architectures import build, load_run
from genrec.training.scores import softmax
from genrec.training.settings import Settings, predecessor

Float = NDArray[np.float32]
Teach = Callable[[Float], Float]


def teachers(settings: Settings, labels: list[str]) -> Teach | None:
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
        A folder is no run, or its front end, split or labels are others than the pupil's.
    """
    models = [_teacher(Path(run), settings, labels) for run in settings.teachers]
    if not models:
        return None

    def teach(x: Float) -> Float:
        p = softmax(np.stack([np.asarray(model.predict_on_batch(x)) for model in models]))
        return np.asarray(p.mean(axis=0), dtype=np.float32)

    return teach


def _teacher(run: Path, pupil: Settings, labels: list[str]) -> keras.Model:
    theirs = predecessor(run, pupil, labels)
    model, _ = build(replace(theirs, weights="none", precision=pupil.precision), len(labels))
    load_run(model, run)
    return model
