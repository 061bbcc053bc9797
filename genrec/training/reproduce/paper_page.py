"""The page of a reproduction, as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from genrec.files import atomic_write
from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.reproduce.experiments import Experiment, TrainingBudget
from genrec.training.reproduce.results import PAPER_RESULTS

MARKDOWN, HTML = "README.md", "index.html"
PART_NAMES = {"train": "training", "valid": "validation", "test": "test"}
TRAINED = {"all": "all", "head": "last dense layer", "last4": "last four with parameters"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{border:1px solid #bbb;padding:.2rem .6rem;text-align:right}"
    "td:first-child,th:first-child{text-align:left}pre{overflow-x:auto;font-size:12px}"
    "@media(prefers-color-scheme:dark){body{background:#1e1f22;color:#dbdee1}a{color:#8ab4f8}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Results that a page shows.

    Attributes
    ----------
    data, parts, budget
        The data set, its split and how much was trained.
    metrics
        By experiment and number of epochs, the metrics of each part
        (`genrec.training.reproduce.results.part_metrics`).
    spreads
        By experiment, the similarities of the raw and the centred features.
    summaries
        By architecture, the text of Keras' ``summary()``.
    figures
        File names of the figures by their key.
    """

    data: ExcerptTable
    parts: Parts
    budget: TrainingBudget
    metrics: Mapping[Experiment, Mapping[int, Mapping[str, Mapping[str, Any]]]]
    spreads: Mapping[Experiment, Mapping[str, Mapping[str, float]]]
    summaries: Mapping[str, str]
    figures: Mapping[str, str] = field(default_factory=dict)


def write_page(found: Reproduction, out: Path) -> None:
    """Write the page as ``README.md`` and ``index.html``; atomic."""
    text = page(found)
    with atomic_write(out / MARKDOWN) as part:
        part.write_text(text, encoding="utf-8")
    body = MarkdownIt("commonmark").enable("table").render(text)
    with atomic_write(out / HTML) as part:
        part.write_text(
            "<!doctype html>\n<html lang=en><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width'>"
            f"<title>The paper, reproduced</title><style>{_STYLE}</style>\n{body}</html>\n",
            encoding="utf-8",
        )


def page(found: Reproduction) -> str:
    """Return the page as Markdown."""
    sections = ["# The paper, reproduced", _introduction(found)]
    sections += ["## Data", data_table(found.data, found.parts)]
    sections += _figure(found, "examples", "One spectrogram of each genre (figure 2 of the paper).")
    sections += _figure(
        found, "waveform", "Features of the waveform that the paper names in passing."
    )
    sections += ["## Networks"]
    sections += _figure(found, "networks", "Layers with output shape and number of parameters.")
    for arch, summary in found.summaries.items():
        sections += [f"Keras' `model.summary()` of {arch}:", f"```text\n{summary.strip()}\n```"]
    if not found.metrics:
        return "\n\n".join([*sections, "No network is trained yet."]) + "\n"
    sections += ["## Training"]
    sections += _figure(
        found, "curves", "By epoch: the training part solid, the validation part dashed."
    )
    sections += ["## Accuracy and loss", results_table(found), _reading()]
    for experiment, by_epochs in found.metrics.items():
        last = max(by_epochs)
        sections += [
            f"## {experiment.name}: report after {last} epochs",
            report_table(by_epochs[last]["test"]),
        ]
    sections += _figure(
        found, "matrices", "Confusion matrices of the test part; rows are the true genres."
    )
    sections += ["## Recommendations", spread_table(found)]
    for experiment in found.metrics:
        for kind in ("raw", "centred"):
            sections += _figure(
                found,
                f"{experiment.name}-{kind}",
                f"{experiment.name}, {kind} features: a test excerpt of each genre and its five"
                " recommendations with genre and similarity (figures 9 and 12 of the paper).",
            )
    return "\n\n".join(sections) + "\n"


def data_table(data: ExcerptTable, parts: Parts) -> str:
    """Return the number of excerpts by genre and part as a Markdown table."""
    rows = []
    for label in data.labels:
        counts = [sum(data.genres[int(i)] == label for i in parts[p]) for p in PART_NAMES]
        rows.append([label, *map(str, counts), str(sum(counts))])
    totals = [len(parts[part]) for part in PART_NAMES]
    rows.append(["all", *map(str, totals), str(sum(totals))])
    return _table(["genre", *PART_NAMES.values(), "all"], rows)


def results_table(found: Reproduction) -> str:
    """Return accuracy and loss of each network, with the paper's own, as a Markdown table."""
    rows = []
    for experiment, by_epochs in found.metrics.items():
        weights = dict(found.budget.weights).get(experiment.arch, "none")
        start = "random" if weights == "none" else Path(weights).name
        for epochs, parts in by_epochs.items():
            figures = [
                f"{parts[part][name]:.4f}"
                for part in ("train", "test")
                for name in ("accuracy", "loss")
            ]
            rows.append(
                [experiment.arch, TRAINED[experiment.trainable], start, str(epochs), *figures]
            )
    for arch, paper in PAPER_RESULTS.items():
        figures = [
            f"{value:.4f}"
            for value in (
                paper.train_accuracy,
                paper.train_loss,
                paper.test_accuracy,
                paper.test_loss,
            )
        ]
        rows.append([f"**{arch}, the paper**", "not said", "ImageNet", "20 or 30", *figures])
    heading = [
        "network", "trained layers", "start", "epochs", "train accuracy", "train loss",
        "test accuracy", "test loss",
    ]  # fmt: skip
    return _table(heading, rows)


def report_table(report: Mapping[str, Any]) -> str:
    """Return precision, recall, F1 and support with both averages as a Markdown table."""
    rows = [*report["per_class"].items()]
    rows += [("macro average", report["macro_avg"]), ("weighted average", report["weighted_avg"])]
    cells = [
        [name, *(f"{row[key]:.2f}" for key in ("precision", "recall", "f1")), str(row["support"])]
        for name, row in rows
    ]
    return _table(["genre", "precision", "recall", "F1", "support"], cells)


def spread_table(found: Reproduction) -> str:
    """Return mean similarities and precision at 5 of raw and centred features."""
    rows = [
        [
            experiment.name,
            kind,
            f"{spread['nearest']:.3f}",
            f"{spread['unrelated']:.3f}",
            f"{spread['precision_at_5']:.3f}",
        ]
        for experiment, kinds in found.spreads.items()
        for kind, spread in kinds.items()
    ]
    heading = [
        "network", "features", "mean cosine of the five nearest", "of other genres",
        "share of the five with the genre",
    ]  # fmt: skip
    return _table(heading, rows)


def _introduction(found: Reproduction) -> str:
    budget = found.budget
    epochs = " and ".join(map(str, budget.epochs))
    excerpts = sum(map(len, found.parts.values()))
    text = (
        f"{excerpts} excerpts, {len(found.data.labels)} genres. Adam with Keras' default learning"
        f" rate, no augmentation, results after {epochs} epochs, seed {budget.seed}."
    )
    if budget.quick:
        text += (
            " **A quick run: a few tracks, small images and a few epochs show that every step"
            " works. The figures mean nothing.**"
        )
    return text


def _reading() -> str:
    return (
        "Losses are mean cross-entropies in nats, in inference mode. The paper's networks start"
        " from ImageNet. Where the start is random, most layers of a network of which only the last"
        " ones are trained stay random."
    )


def _figure(found: Reproduction, key: str, caption: str) -> list[str]:
    file = found.figures.get(key)
    return [f"![{escape(caption)}]({file})", caption] if file else []


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
