"""Average the presets of one recipe over the folds of the filtered split, and calibrate by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.artist_folds import FOLD_SPLITS
from genrec.training.data.dataset import ExcerptTable, Parts, Progress, no_progress
from genrec.training.evaluation.evaluate import evaluate
from genrec.training.evaluation.metrics import (
    calibration_error,
    chance_calibration_error,
    softmax,
)
from genrec.training.evaluation.predict import predict_all, truth_of
from genrec.training.export.calibrate import temperature

FIGURES = ("accuracy", "macro_f1", "precision_at_5_artist_filtered", "ece", "ece_by_folds")


def split_of(analyzer: PresetAnalyzer) -> str:
    """Return the fold that a preset was trained without.

    Raises
    ------
    DataError
        The preset was trained on another split.
    """
    preset = analyzer.preset
    split = str(preset.metrics().get("split"))
    if split not in FOLD_SPLITS:
        raise DataError(
            f"The preset {preset.name} was trained with --split {split}, and this command averages"
            f" presets of {FOLD_SPLITS[0]} to {FOLD_SPLITS[-1]}."
        )
    return split


def check_folds(analyzers: Sequence[PresetAnalyzer]) -> None:
    """Raise DataError unless presets are of different folds, and of one network, image and labels.

    Raises
    ------
    DataError
        There are fewer than two, two have the same fold, or one has another network.
    """
    splits = [split_of(each) for each in analyzers]
    if len(set(splits)) < max(2, len(splits)):
        raise DataError(
            f"The presets have the folds {', '.join(splits)}; pass two to five presets, each of"
            " another fold."
        )
    first = analyzers[0].preset
    for other in (each.preset for each in analyzers[1:]):
        theirs = other.arch, other.spectrogram, other.image, other.labels
        if theirs != (first.arch, first.spectrogram, first.image, first.labels):
            raise DataError(
                f"The presets {first.name} and {other.name} differ in network, front end, images or"
                " genres; pass the presets of one recipe."
            )


def cross_validation(
    analyzers: Sequence[PresetAnalyzer],
    data: ExcerptTable,
    parts_of: Callable[[str], Parts],
    bar: Callable[[str], AbstractContextManager[Progress]] = lambda _: nullcontext(no_progress),
) -> dict[str, Any]:
    """Return the figures of each fold, their mean and deviation, and a temperature.

    Each preset is judged on its own fold, whose artists it was not trained on. The temperature of a
    fold is fitted on the other folds, so every track counts for the calibration and none is judged
    by a temperature that it helped to fit.

    Parameters
    ----------
    analyzers
        One preset for each fold, all of one recipe, see :func:`check_folds`.
    data
        The data set.
    parts_of
        Returns the parts of a split.
    bar
        Shows the progress of a preset with this label.

    Returns
    -------
    ``folds``, a row each with ``fold``, ``preset``, ``tracks`` and `FIGURES`, of which ``ece`` is
    with the preset's own temperature; ``mean`` and ``deviation`` of the figures (n - 1);
    ``temperature``, fitted on all folds, for a preset of the whole training part; ``ece`` of all
    tracks together by folds, and ``ece_if_honest``
    """
    check_folds(analyzers)
    rows, logits, truth = [], [], []
    for analyzer in analyzers:
        split = split_of(analyzer)
        parts = parts_of(split)
        with bar(split) as progress:
            report = evaluate(analyzer, data, parts, audio=False, progress=progress)
        logits.append(predict_all(analyzer, data, parts["test"]).logits)
        truth.append(truth_of(data, parts["test"], analyzer.preset.labels))
        nearest = report["neighbours"]["precision_at_5_artist_filtered"]
        rows.append(
            {
                "fold": split,
                "preset": report["preset"],
                "tracks": report["tracks"],
                "accuracy": report["accuracy"],
                "macro_f1": report["macro_f1"],
                "precision_at_5_artist_filtered": nearest,
                "ece": report["calibration"]["ece"],
            }
        )
    confidence, right = [], []
    for k, row in enumerate(rows):
        others = [i for i in range(len(rows)) if i != k]
        divisor = temperature(
            np.concatenate([logits[i] for i in others]), np.concatenate([truth[i] for i in others])
        )
        p = softmax(logits[k] / divisor)
        confidence.append(p.max(axis=1))
        right.append(p.argmax(axis=1) == truth[k])
        row["ece_by_folds"] = float(calibration_error(confidence[k], right[k]))
    everything = np.concatenate(confidence)
    table = {name: [row[name] for row in rows] for name in FIGURES}
    return {
        "folds": rows,
        "mean": {name: float(np.mean(values)) for name, values in table.items()},
        "deviation": {name: float(np.std(values, ddof=1)) for name, values in table.items()},
        "temperature": temperature(np.concatenate(logits), np.concatenate(truth)),
        "ece": float(calibration_error(everything, np.concatenate(right))),
        "ece_if_honest": chance_calibration_error(everything),
    }
