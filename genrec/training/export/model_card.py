"""What goes with an exported preset for people to read: metrics.json, model card and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genrec.preset import METRICS
from genrec.training.evaluation.plots import (
    plot_confusion,
    plot_history,
    plot_reliability,
    plot_similarity,
)
from genrec.training.export.export import Exported
from genrec.training.settings import TrainingSettings

CARD = """\
# {name}

{arch} that hears {count} genres in a log-mel spectrogram: {labels}. Trained from {weights}{taught}
by `genrec train` and exported as {precision} by `genrec export`. Model id `{model_id}`.

This page is written by `genrec export`; its figures are those of [metrics.json](metrics.json).
`genrec evaluate --preset models/{name} --data DIR --split {split}` prints them anew.

## How well it hears

On the {tracks} tracks of the test part of the {split} split, which training and calibration never
saw, with the network as it ships:

| figure | value |
|---|---|
| accuracy | {accuracy:.3f} |
| macro F1 | {macro_f1:.3f} |
| expected calibration error | {ece:.3f} ({ece_if_honest:.3f} by chance alone) |
| called unsure | {unsure_share:.0%}; accuracy on the rest {accuracy_when_sure:.3f} |
| genre precision at 5 among {catalogue} tracks | {precision_at_5:.3f} |
| the same without the artist's own tracks | {precision_at_5_artist_filtered:.3f} |
| mean cosine of tracks of different genres | {mean_cosine_unrelated:.3f} |
{audio}
Accuracy on the validation tracks before and after conversion: {conversion}.

{table}

![Confusion matrix](confusion.png)

How often an answer is right against how sure it is, and the similarities that people are shown:

![Reliability](reliability.png)

![Similarities shown](similarity.png)

![Training](history.png)

## Data

{data} {by} The starter catalogue, where there is one, names artists and titles of training and
validation tracks; it holds embeddings and coarse fingerprints, no audio.

## Limits, and what it is not for

{genres}; music of other places and times lands in the nearest of the {count}. Speech, noise and
silence have no genre, and only silence is refused. Similarity is of sound, not of lyrics, mood or
popularity. Not for identifying recordings, rights decisions, or judging people by what they hear.
"""

STARTS = {"none": "random weights", "imagenet": "ImageNet weights"}
GTZAN = "blues, classical, country, disco, hiphop, jazz, metal, pop, reggae, rock"
GTZAN_DATA = """\
GTZAN excerpts of 30 s as log-mel levels. About a tenth of GTZAN is mislabelled, repeated or
distorted (Sturm 2013)."""
OTHER_DATA = "A collection of its maker's own, as log-mel levels; who trained it can say more here."
BY_TRACK = """\
The {split} split is by track, not by artist or album, so its figures flatter: artists stand on both
sides."""
BY_ARTIST = """\
The filtered split leaves faulty excerpts out and parts artists, but for a few (Kereliuk, Sturm and
Larsen 2015)."""
BY = {"paper": BY_TRACK, "filtered": BY_ARTIST, "filtered-wide": BY_ARTIST}
BY_FILE = "The split is the file {split}; whether artists stand on both sides, its maker knows."


def write_card(
    made: Exported,
    report: Mapping[str, Any],
    settings: TrainingSettings,
    history: Sequence[Mapping[str, float]],
) -> None:
    """Write metrics.json, README.md and the plots of a preset."""
    folder, preset = made.preset.folder, made.preset
    gtzan = ", ".join(preset.labels) == GTZAN
    # A preset travels: it names the files of its training, not where they lay.
    split, weights = Path(settings.split).name, Path(settings.weights).name
    taught = [Path(run).name for run in settings.teachers]
    figures = {key: value for key, value in report.items() if key != "seconds"}
    metrics = {
        "split": split,
        **figures,
        "precision": made.precision,
        "validation_accuracy": made.accuracy,
        "training": {**asdict(settings), "split": split, "weights": weights, "teachers": taught},
    }
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(
        CARD.format(
            name=preset.name,
            arch={"vgg16": "VGG16", "resnet50": "ResNet50"}[preset.arch],
            count=len(preset.labels),
            labels=", ".join(preset.labels),
            taught=f", with {_listed(taught)} as teachers," if taught else "",
            weights=STARTS.get(weights, f"the weights of `{weights}`"),
            precision=made.precision,
            model_id=preset.model_id,
            split=split,
            data=GTZAN_DATA if gtzan else OTHER_DATA,
            by=BY.get(split, BY_FILE).format(split=split),
            genres="Ten genres as GTZAN's author heard them around 2000, mostly Western"
            if gtzan
            else "The genres of its training data",
            tracks=report["tracks"],
            accuracy=report["accuracy"],
            macro_f1=report["macro_f1"],
            **report["calibration"],
            **report["neighbours"],
            audio=_audio(report),
            conversion=", ".join(f"{k} {v:.3f}" for k, v in made.accuracy.items()),
            table=_table(report),
        ),
        encoding="utf-8",
    )
    plot_confusion(report, folder / "confusion.png")
    plot_reliability(report, folder / "reliability.png")
    plot_similarity(report, folder / "similarity.png")
    plot_history(history, folder / "history.png")


def _listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: one, two and three."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _audio(report: Mapping[str, Any]) -> str:
    audio = report["audio"]
    if not audio:
        return ""
    return (
        f"| end to end from audio files, {audio['tracks']} of those tracks |"
        f" {audio['accuracy']:.3f} (from their arrays {audio['accuracy_arrays']:.3f}) |\n"
    )


def _table(report: Mapping[str, Any]) -> str:
    rows = ["| genre | precision | recall | F1 | tracks |", "|---|---|---|---|---|"]
    rows += [
        f"| {label} | {row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} |"
        f" {row['support']} |"
        for label, row in report["per_class"].items()
    ]
    return "\n".join(rows)
