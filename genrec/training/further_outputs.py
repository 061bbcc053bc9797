"""Outputs of a network for further targets, with their losses; export leaves them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from genrec.training.settings import TrainingSettings
from genrec.training.unlabelled import FurtherTargets, WindowAnswers

Float = NDArray[np.float32]
Batch = tuple[Float, dict[str, Float], dict[str, Float]]
"""Images, targets and sample weights of a batch; the last two by output."""

CONTRAST_UNITS, CONTRAST_TEMPERATURE = 128, 0.2
# The cross-entropy is a mean over 50 tags, most of them improbable, so its gradient is small.
TAG_SCALE = 10.0


class SongContrast(keras.losses.Loss):  # type: ignore[misc]
    """Supervised contrastive loss: windows of one song are near, others far.

    Khosla et al. (2020, "Supervised contrastive learning"). Targets are numbers of songs, (n, 1);
    a negative one is no song, and its window only counts as another one.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each window, (n,)."""
        z = ops.normalize(ops.cast(y_pred, "float32"), axis=-1)
        itself = ops.eye(ops.shape(z)[0])
        cosines = ops.matmul(z, ops.transpose(z)) / CONTRAST_TEMPERATURE - 1e9 * itself
        log_p = cosines - ops.logsumexp(cosines, axis=1, keepdims=True)
        song = ops.cast(y_true, "float32")
        same = ops.cast(ops.equal(song, ops.transpose(song)), "float32") * (1 - itself)
        same *= ops.cast(song >= 0, "float32")
        return -ops.sum(same * log_p, axis=1) / ops.maximum(ops.sum(same, axis=1), 1)


def with_further_outputs(model: keras.Model, further: FurtherTargets) -> keras.Model:
    """Return a network that shares a classifier's layers and has the outputs of further targets.

    ``logits`` are the classifier's. ``tags`` and ``layer`` are linear in its features; ``contrast``
    is a projection of them (Chen et al. 2020, "SimCLR").
    """
    features = model.get_layer("embedding").output
    outputs = {"logits": model.output}
    if "tags" in further.outputs:
        outputs["tags"] = layers.Dense(further.tags, name="tags", dtype="float32")(features)
    if "layer" in further.outputs:
        outputs["layer"] = layers.Dense(further.units, name="layer", dtype="float32")(features)
    if "contrast" in further.outputs:
        x = layers.Dense(CONTRAST_UNITS, "relu", name="contrast_hidden", dtype="float32")(features)
        outputs["contrast"] = layers.Dense(CONTRAST_UNITS, name="contrast", dtype="float32")(x)
    return keras.Model(model.input, outputs, name=model.name)


def losses(fitted: keras.Model, settings: TrainingSettings) -> dict[str, Any]:
    """Return the arguments ``loss``, ``loss_weights`` and ``weighted_metrics`` of ``compile``."""
    every = {
        "logits": keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        "tags": keras.losses.BinaryCrossentropy(from_logits=True),
        "layer": keras.losses.CosineSimilarity(),
        "contrast": SongContrast(),
    }
    weights = {
        "logits": 1.0,
        "tags": TAG_SCALE * settings.answer_weight,
        "layer": settings.answer_weight,
        "contrast": settings.contrast_weight,
    }
    names = list(fitted.output)
    return {
        "loss": {name: every[name] for name in names},
        "loss_weights": {name: weights[name] for name in names},
        "weighted_metrics": {"logits": ["accuracy"]},
    }


def join(
    labelled: tuple[Float, Float, WindowAnswers],
    unlabelled: tuple[Float, WindowAnswers, NDArray[np.int64]] | None,
    outputs: Sequence[str],
) -> Batch:
    """Return a batch of labelled and unlabelled windows.

    The weights of an output sum to the size of the batch, or to 0 if no window has its target.

    Parameters
    ----------
    labelled
        Images, targets of the genre (windows, labels), and the teacher's answers.
    unlabelled
        Images, the teacher's answers and the numbers of their songs; None without any.
    outputs
        Names of the network's outputs: the keys of targets and weights.
    """
    x, y, answers = labelled
    every, songs = [answers], np.full(len(x), -1.0, dtype=np.float32)
    has_genre = np.ones(len(x), dtype=np.float32)
    if unlabelled is not None:
        more, more_answers, more_songs = unlabelled
        x = np.concatenate([x, more])
        y = np.concatenate([y, np.zeros((len(more), y.shape[1]), np.float32)])
        every.append(more_answers)
        songs = np.concatenate([songs, more_songs.astype(np.float32)])
        has_genre = np.concatenate([has_genre, np.zeros(len(more), np.float32)])
    targets = {
        "logits": y,
        "tags": np.concatenate([each.tags for each in every]),
        "layer": np.concatenate([each.layer for each in every]),
        "contrast": songs[:, None],
    }
    has = {
        "logits": has_genre,
        "tags": np.concatenate([each.has_tags for each in every]),
        "layer": np.concatenate([each.has_layer for each in every]),
        "contrast": (songs >= 0).astype(np.float32),
    }
    weights = {name: has[name] * len(x) / max(1.0, float(has[name].sum())) for name in outputs}
    targets = {name: targets[name] for name in outputs}
    return x, targets, {name: each.astype(np.float32) for name, each in weights.items()}
