"""The networks that a training run learns from, and what those learned from before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec.preset import CONFIG, Preset
from genrec.training.data.songs import read_run_sources
from genrec.training.settings import read_settings
from genrec.training.synthetic.arrangement import ENSEMBLE


def name_of(folder: Path) -> str:
    """Return the model id of a preset's folder, or the name of a run's."""
    return Preset.load(folder).model_id if (folder / CONFIG).exists() else folder.name


def sources_of(folder: Path) -> dict[str, Any]:
    """Return what a preset or run learned from, as its sources.json or metrics.json has it.

    Raises
    ------
    DataError, PresetError
        A file is damaged.
    """
    if (folder / CONFIG).exists():
        return _preset_sources(Preset.load(folder))
    return read_run_sources(folder)


def _preset_sources(preset: Preset) -> dict[str, Any]:
    return dict(preset.metrics().get("sources") or {})


def lineage(folder: Path) -> list[dict[str, Any]]:
    """Return what a preset or run had as initial weights, for the card of one that goes on from it.

    Parameters
    ----------
    folder
        A preset with metrics.json, or a run.

    Returns
    -------
    A row for the folder itself, then one for what it went on from, and so on to the first, as far
    as it is known. Each has ``name``; ``weights``, the setting of ``genrec train``, of a path the
    name; ``teachers``, names; ``labels``, their number; and ``synthetic``, whether they are
    ensembles of ``genrec synth``.

    Raises
    ------
    DataError
        A settings.json or sources.json is damaged.
    PresetError
        A preset cannot be read.
    """
    if (folder / CONFIG).exists():
        preset = Preset.load(folder)
        name, metrics = preset.model_id, preset.metrics()
        training, labels = metrics.get("training", {}), list(preset.labels)
        weights, teachers = training.get("weights", ""), training.get("teachers", ())
        sources = _preset_sources(preset)
    else:
        name, (settings, labels) = folder.name, read_settings(folder)
        weights, teachers = settings.weights, settings.teachers
        sources = read_run_sources(folder)
    named = sources.get("networks") or [Path(each).name for each in teachers]
    row = {
        "name": name, "weights": Path(weights).name, "teachers": list(named),
        "labels": len(labels), "synthetic": all(label.startswith(ENSEMBLE) for label in labels),
    }  # fmt: skip
    return [row, *sources.get("lineage", ())]
