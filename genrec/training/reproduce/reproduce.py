"""Repeat the paper on a data set: train its networks, and write tables and figures on one page.

genrec reproduce DATA --out DIR
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from genrec.errors import DataError
from genrec.training.architectures import build
from genrec.training.data.dataset import ExcerptTable, Parts, require_parts
from genrec.training.milestones import outputs_path, read_outputs
from genrec.training.reproduce import figures
from genrec.training.reproduce.experiments import (
    EXPERIMENTS,
    Experiment,
    TrainingBudget,
    quick_parts,
    run_experiments,
    run_folder,
)
from genrec.training.reproduce.paper_page import Reproduction, write_page
from genrec.training.reproduce.results import (
    centred_features,
    one_per_genre,
    part_metrics,
    raw_features,
    recommendations,
    similarity_spread,
)
from genrec.training.settings import read_history

FIGURES = "figures"
PAGE = "page"
STEPS = (*(experiment.name for experiment in EXPERIMENTS), PAGE)
Log = Callable[[str], None]


def reproduce(
    data: ExcerptTable,
    parts: Parts,
    split: str,
    out: Path,
    budget: TrainingBudget,
    *,
    only: Sequence[str] = (),
    verbose: int = 1,
    log: Log = lambda line: None,
) -> Path:
    """Train the paper's networks and write the page; return the page's folder.

    Finished networks are not trained again, and a stopped one resumes. The page shows what is
    there, so it can be written at any time.

    Parameters
    ----------
    data, parts, split
        The data set, its split and the split's name.
    out
        The folder: ``runs/``, ``figures/``, ``README.md`` and ``index.html``.
    budget
        Epochs, initial weights and seed.
    only
        Names of `STEPS`; all by default.
    verbose
        As in Keras' ``fit``.
    log
        Called with a line per step.

    Raises
    ------
    DataError
        A step is unknown, a part is empty, or a run in the folder has other settings.
    """
    unknown = sorted(set(only) - set(STEPS))
    if unknown:
        raise DataError(f"There is no part {unknown[0]!r}; choose from {', '.join(STEPS)}.")
    require_parts(parts, "train", "valid", "test")
    if budget.quick:
        parts = quick_parts(data, parts)
    for experiment in EXPERIMENTS:
        if not only or experiment.name in only:
            log(f"{experiment.name}: {budget.epochs[-1]} epochs")
            run_experiments([experiment], budget, data, parts, split, out, verbose=verbose)
    if not only or PAGE in only:
        log("page: tables and figures")
        write_page(collect(data, parts, split, out, budget), out)
    return out


def collect(
    data: ExcerptTable, parts: Parts, split: str, out: Path, budget: TrainingBudget
) -> Reproduction:
    """Return the results of all trained experiments, and write the figures."""
    folder = out / FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}

    def draw(key: str, call: Callable[..., None], *arguments: Any) -> None:
        call(*arguments, folder / f"{key}.webp")
        files[key] = f"{FIGURES}/{key}.webp"

    draw("examples", figures.plot_examples, data, one_per_genre(data, parts["train"]).tolist())
    if audio := _example_audio(data, parts):
        draw("waveform", figures.plot_waveform, audio[1], audio[0])
    models = networks(data, budget, split)
    draw("networks", figures.plot_networks, models)

    done = [each for each in EXPERIMENTS if _is_done(out, each, budget)]
    metrics: dict[Experiment, dict[int, Any]] = {}
    spreads: dict[Experiment, dict[str, Any]] = {}
    for experiment in done:
        run = run_folder(out, experiment)
        metrics[experiment] = {
            epochs: part_metrics(read_outputs(run, epochs), data, parts) for epochs in budget.epochs
        }
        last = read_outputs(run, budget.epochs[-1])
        queries = one_per_genre(data, parts["test"])
        spreads[experiment] = {}
        for kind, x in (("raw", raw_features(last)), ("centred", centred_features(last, parts))):
            spreads[experiment][kind] = similarity_spread(last, x, data, parts)
            found = recommendations(last, x, queries, parts)
            draw(f"{experiment.name}-{kind}", figures.plot_recommendations, data, found)
    if done:
        histories = {each.name: read_history(run_folder(out, each)) for each in done}
        reports = {each.name: metrics[each][budget.epochs[-1]]["test"] for each in done}
        draw("curves", figures.plot_curves, histories)
        draw("matrices", figures.plot_matrices, reports)
    return Reproduction(
        data=data,
        parts=parts,
        budget=budget,
        metrics=metrics,
        spreads=spreads,
        summaries={arch: summary_text(model) for arch, model in models.items()},
        figures=files,
    )


def networks(data: ExcerptTable, budget: TrainingBudget, split: str) -> dict[str, keras.Model]:
    """Return each of the paper's networks with random weights, by architecture."""
    found = {}
    for experiment in EXPERIMENTS:
        settings = replace(budget.settings(experiment, data, split), weights="none")
        if experiment.arch not in found:
            found[experiment.arch], _ = build(settings, len(data.labels))
    return found


def summary_text(model: keras.Model) -> str:
    """Return Keras' summary of a network as text; the middle of a long one is left out."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=78)
    rows = "\n".join(lines).splitlines()
    if len(rows) > 80:
        rows = [*rows[:24], "...", *rows[-24:]]
    return "\n".join(rows)


def _is_done(out: Path, experiment: Experiment, budget: TrainingBudget) -> bool:
    run = run_folder(out, experiment)
    return all(outputs_path(run, epochs).exists() for epochs in budget.epochs)


def _example_audio(data: ExcerptTable, parts: Parts) -> tuple[str, Path] | None:
    """Return name and file of the first excerpt with audio; None without one."""
    for index in np.concatenate([parts["train"], parts["valid"]]):
        name = data.names[int(index)]
        if name in data.audio:
            return name, data.audio[name]
    return None
