"""Export a preset again from the network it has: front end, calibration and catalogue are new.

genrec export --preset models/vgg16 --data DIR --out models/vgg16
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.errors import DataError
from genrec.music_detector import MusicDetector
from genrec.pipeline import PresetAnalyzer
from genrec.preset import LABELS, METRICS, NETWORK
from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.evaluation.predict import concat, predict_all
from genrec.training.export.calibrate import UncalibratedPreset, accuracy
from genrec.training.export.finish import Exported, Log, check_data, finish
from genrec.training.settings import TrainingSettings, settings_from


def read_training(preset: Path) -> tuple[TrainingSettings, list[str], str]:
    """Return the training settings, labels and precision of a preset of any format.

    Raises
    ------
    DataError
        The folder has no network, no metrics.json or no labels.json.
    """
    try:
        metrics: dict[str, Any] = json.loads((preset / METRICS).read_text(encoding="utf-8"))
        labels: list[str] = json.loads((preset / LABELS).read_text(encoding="utf-8"))
        if not (preset / NETWORK).is_file():
            raise ValueError(f"it has no {NETWORK}")
        return settings_from(metrics["training"]), labels, str(metrics["precision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{preset} is not an exported preset: {error}. Pass a folder such as models/vgg16, or"
            " a training run with --run."
        ) from error


def recalibrate(
    preset: Path,
    data: ExcerptTable,
    parts: Parts,
    out: Path,
    *,
    music_detector: MusicDetector | None = None,
    temperature: float | None = None,
    unlabelled: Sequence[Path] = (),
    log: Log = lambda line: None,
) -> Exported:
    """Write a preset with the network of another one and return the result.

    Use it after the front end, the projection or the preset format changed. The network stays as it
    is, so neither the training run nor TensorFlow is needed.

    Parameters
    ----------
    preset
        Folder of a preset of any format.
    data, parts
        The data set and split that its network was trained on.
    out
        Folder of the new preset, which may be the same. The preset gets the folder's name.
    music_detector
        Becomes part of the preset; with None, every clip holds music.
    temperature
        Divisor of the logits; with None, it is fitted on the validation tracks.
    unlabelled
        Archives of music whose teacher's answers the embedding also reads.
    log
        Called with a line per step.

    Raises
    ------
    DataError
        The folder is not a preset, or the data do not match it.
    """
    settings, labels, precision = read_training(preset)
    check_data(preset, settings, labels, data, parts)
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() != preset.resolve():
        shutil.copy2(preset / NETWORK, out / NETWORK)
    uncalibrated = UncalibratedPreset(
        name=out.name,
        settings=settings,
        labels=labels,
        music_detector=music_detector,
        temperature=temperature,
    )
    analyzer = PresetAnalyzer(uncalibrated.save(out))
    valid = predict_all(analyzer, data, parts["valid"])
    found = accuracy(valid, data, labels)
    log(f"{precision}: validation accuracy {found:.3f}")
    preset_, train = finish(uncalibrated, out, data, parts, valid, log, unlabelled)
    return Exported(
        preset=preset_,
        precision=precision,
        accuracy={precision: found},
        predictions=concat(train, valid),
    )
