"""Knowledge distillation: soft targets from trained teacher networks.

Teachers and student get the same images, after augmentation and mixup. So the student learns the
teachers' function and not only the labels (Beyer et al. 2022, "Knowledge distillation: a good
teacher is patient and consistent"). Soft targets also reduce the effect of GTZAN's wrong labels.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.embedder import Embedder
from genrec.preset import CONFIG
from genrec.training.architectures import build, load_run
from genrec.training.evaluation.metrics import softmax
from genrec.training.settings import TrainingSettings, check_data_spec, read_settings
from genrec.training.trained_presets import load_teacher_preset

Float = NDArray[np.float32]
SoftTargets = Callable[[Float], Float]
"""Images float32 (n, height, width, 3) -> probabilities float32 (n, labels)."""


def load_teachers(settings: TrainingSettings, labels: list[str]) -> SoftTargets | None:
    """Return the function from images to the teachers' mean probabilities; None without teachers.

    Parameters
    ----------
    settings, labels
        Those of the student. Every teacher must have the same front end, image, labels and split: a
        teacher of another split may have been trained on the student's validation or test tracks.

    Raises
    ------
    DataError
        A folder is not a run or preset, or does not match the student. A preset that was trained
        on a split file is refused, because it records only the file's name.
    PresetError
        A preset cannot be read.
    """
    teachers = [_load_teacher(Path(folder), settings, labels) for folder in settings.teachers]
    if not teachers:
        return None

    def soft_targets(x: Float) -> Float:
        p = softmax(np.stack([logits(x) for logits in teachers]))
        return np.asarray(p.mean(axis=0), dtype=np.float32)

    return soft_targets


def _load_teacher(
    folder: Path, student: TrainingSettings, labels: list[str]
) -> Callable[[Float], Float]:
    """Return a function from images to the logits of a run or a preset, float32 (n, labels)."""
    if (folder / CONFIG).exists():
        preset = load_teacher_preset(folder, student, labels)
        embedder = Embedder(preset.network, threads=os.cpu_count() or 1)
        return lambda x: embedder(x)[1]
    settings, run_labels = read_settings(folder)
    check_data_spec(folder, (*settings.data_spec, run_labels), student, labels)
    model, _ = build(replace(settings, weights="none", precision=student.precision), len(labels))
    load_run(model, folder)
    return lambda x: np.asarray(model.predict_on_batch(x))
