"""Model card of an exported preset: README.md, metrics.json and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.errors import DataError
from genrec.preset import METRICS, Preset
from genrec.training.data.artist_folds import FOLD_SPLITS
from genrec.training.evaluation.plots import (
    plot_confusion,
    plot_history,
    plot_reliability,
    plot_similarity,
)
from genrec.training.evaluation.preset_figures import figures_table
from genrec.training.evaluation.robustness_table import music_detection_table, robustness_table
from genrec.training.settings import TrainingSettings

if TYPE_CHECKING:
    from genrec.training.export.finish import Exported

CARD = """\
# {name}

{arch} that predicts one of {count} genres from a {input}: {labels}.

Trained with `genrec train` from {weights}{teachers}, and exported as {precision} with
`genrec export`. Model id: `{model_id}`. {before}[Experiments](../../docs/experiments.md)
describes the training runs of the presets that ship.

`genrec export` writes this page from [metrics.json](metrics.json).
`genrec evaluate --preset models/{name} --data DIR --split {split}` measures the figures again.

## Results

On the {tracks} tracks in the test part of the {split} split, with the exported network. Training
and calibration did not use them.

| metric | value |
|---|---|
| accuracy | {accuracy:.3f} |
| macro F1 | {macro_f1:.3f} |
| expected calibration error | {ece:.3f} ({ece_if_honest:.3f} if perfectly calibrated) |
| unsure | {unsure_share:.0%}; accuracy on the rest {accuracy_when_sure:.3f} |
| genre precision at 5 among {catalogue} tracks | {precision_at_5:.3f} |
| the same without the artist's own tracks | {precision_at_5_artist_filtered:.3f} |
| mean cosine of tracks of different genres | {mean_cosine_unrelated:.3f} |
{audio}
Validation accuracy before and after conversion: {conversion}.

{table}

![Confusion matrix](confusion.png)

Accuracy per confidence bin, and similarities of nearest and unrelated tracks:

![Reliability diagram](reliability.png)

![Similarities](similarity.png)

![Training history](history.png)
{robustness}
## Data

{data} {split_note} If the preset has a starter catalogue, it has artists, titles, embeddings and
coarse fingerprints of training and validation tracks, and no audio.
{sources}
## Limits

{genres}. Music of other places and times gets the nearest of the {count}. {speech}
Similarity is of sound, not of lyrics, mood or popularity. Do not use it to identify recordings,
decide on rights or judge people by their taste.
"""

ROBUSTNESS = """
## Robustness

Clips that keep genre and tracks after a change, of {clips} excerpts with audio. An excerpt may be a
training track, so only the comparison counts. [Training](../../docs/training.md#robustness)
describes the changes and the command.

{table}"""

FIGURES = """
## Figures

On the test part of the {split} split, measured together.
[Training](../../docs/training.md#figures) says what each figure means and has the command.

{table}"""

TWIN = """
## Artists it does not know

The test part of the {ours} split has artists of the training part. `{twin}` is a {arch} of the
{split} split, which separates artists. It was trained from {weights}{teachers}, and exported as
{precision}. {before}It may differ from this preset in initial weights, teachers, epochs and
precision. Its figures on that split's test part:

{table}"""

TAGS = """
## Sound tags

Words for how a clip sounds, read from its embedding by a linear model that learned the answers of
the tagger {teacher}, of Pons and Serra (2019), to {excerpts} training excerpts. A tag is right if
the tagger's answer is in its highest quarter. The left figures are of five folds with artists
apart, the right ones of the test part of the {split} split.
[Training](../../docs/training.md#sound-tags) has the command and what the figures mean.

{table}"""

DETECTION = """
## Music or not

Files of each group that are said to contain no music, from end to end.
[Training](../../docs/training.md#music-detection) has the command.

{table}"""

ARCHITECTURES = {"vgg16": "VGG16", "resnet50": "ResNet50", "cnn": "The paper's CNN"}
INPUTS = {"audio": "log-mel spectrogram", "picture": "picture of a spectrogram"}
PICTURE_DATA = "Pictures of spectrograms; their maker can describe them here."
INITIAL_WEIGHTS = {
    "none": "random weights",
    "imagenet": "ImageNet weights",
    "": "weights that are not on record",
}
GTZAN = "blues, classical, country, disco, hiphop, jazz, metal, pop, reggae, rock"
GTZAN_DATA = """\
GTZAN excerpts of 30 s as log-mel levels. About a tenth of GTZAN is mislabelled, repeated or
distorted (Sturm 2013)."""
OTHER_DATA = "A collection of log-mel levels; its maker can describe it here."
GTZAN_GENRES = "The ten genres are GTZAN's, mostly Western music chosen around 2000"
OTHER_GENRES = "The genres are those of the training data"
BY_TRACK = """\
The {split} split is by track, not by artist or album. Artists occur in both training and test part,
so the figures are optimistic."""
BY_ARTIST = """\
The {split} split leaves faulty excerpts out and separates artists, with few exceptions (Kereliuk,
Sturm and Larsen 2015)."""
BY_FOLD = """\
The {split} split is one of five folds of the training and validation part of the filtered split,
with artists apart; the filtered test part is in none of them."""
SPLIT_NOTES = {
    "paper": BY_TRACK,
    "filtered": BY_ARTIST,
    "filtered-wide": BY_ARTIST,
    **dict.fromkeys(FOLD_SPLITS, BY_FOLD),
}
CHANGED_COPIES = """
Half of the windows of this music were from changed copies: with codecs, and with imitated rooms and
telephones.
"""
WITHOUT_DETECTOR = "Speech and noise get a genre too; only silence is rejected."
WITH_DETECTOR = """\
Speech, noise and effects get no genre, as far as the music detector recognises them."""
FILE_NOTE = "The split is the file {split}; check whether it separates artists."


def write_card(
    exported: Exported,
    report: Mapping[str, Any],
    settings: TrainingSettings,
    history: Sequence[Mapping[str, float]],
    sources: Mapping[str, Any] | None = None,
) -> None:
    """Write metrics.json, README.md and the plots of a preset.

    Parameters
    ----------
    exported, report
        The exported preset, and its evaluation on the test part.
    settings, history
        Settings of its training run, and its epochs; no epochs if they are unknown.
    sources
        The taggers and packages of music that the run learned from, as in its sources.json.
    """
    folder = exported.preset.folder
    # Names only: the folders of the training machine mean nothing elsewhere.
    split, weights = Path(settings.split).name, Path(settings.weights).name
    teachers = [Path(run).name for run in settings.teachers]
    figures = {key: value for key, value in report.items() if key != "seconds"}
    metrics = {
        "split": split,
        **figures,
        "precision": exported.precision,
        "validation_accuracy": exported.accuracy,
        "training": {**asdict(settings), "split": split, "weights": weights, "teachers": teachers},
    }
    metrics["training"] |= {
        "answers": Path(settings.answers).name,
        "unlabelled": [Path(folder).name for folder in settings.unlabelled],
        "changed": [Path(folder).name for folder in settings.changed],
    }
    if sources:
        metrics["sources"] = sources
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(exported.preset, metrics), encoding="utf-8")
    plot_confusion(report, folder / "confusion.png")
    plot_reliability(report, folder / "reliability.png")
    plot_similarity(report, folder / "similarity.png")
    if history:  # a recalibrated preset keeps its plot
        plot_history(history, folder / "history.png")


def card(preset: Preset, metrics: Mapping[str, Any]) -> str:
    """Return the model card of a preset, made from its metrics.json."""
    training, split = metrics["training"], metrics["split"]
    gtzan = ", ".join(preset.labels) == GTZAN
    return CARD.format(
        name=preset.name,
        arch=ARCHITECTURES[preset.arch],
        input=INPUTS[preset.image.source],
        count=len(preset.labels),
        labels=", ".join(preset.labels),
        **_learned_from(training, metrics.get("sources") or {}, len(preset.labels)),
        precision=metrics["precision"],
        model_id=preset.model_id,
        split=split,
        data=_data(preset, gtzan=gtzan),
        split_note=SPLIT_NOTES.get(split, FILE_NOTE).format(split=split),
        sources=_sources(metrics.get("sources")),
        genres=GTZAN_GENRES if gtzan else OTHER_GENRES,
        tracks=metrics["tracks"],
        accuracy=metrics["accuracy"],
        macro_f1=metrics["macro_f1"],
        **metrics["calibration"],
        **metrics["neighbours"],
        audio=_audio_row(metrics["audio"]),
        conversion=", ".join(f"{k} {v:.3f}" for k, v in metrics["validation_accuracy"].items()),
        table=_genre_table(metrics["per_class"]),
        speech=WITHOUT_DETECTOR if preset.music_detector is None else WITH_DETECTOR,
        robustness=_robustness_section(preset.name, metrics.get("robustness"))
        + _detection_section(metrics.get("music_detection"))
        + _tags_section(split, metrics.get("tags"), metrics.get("tag_agreement"))
        + _figures_section(preset.name, split, metrics.get("figures"))
        + _twin_section(split, metrics.get("twin"), len(preset.labels)),
    )


def _data(preset: Preset, *, gtzan: bool) -> str:
    if preset.image.source == "picture":
        return PICTURE_DATA
    return GTZAN_DATA if gtzan else OTHER_DATA


def _sources(sources: Mapping[str, Any] | None) -> str:
    """Return the paragraphs that name a run's taggers and unlabelled music, with licences."""
    if not sources:
        return ""
    text = ""
    if sources["teachers"]:
        text += f"\nIt also learned the answers of the tagger {', '.join(sources['teachers'])}.\n"
    if rows := sources["packages"]:
        text += "\nMusic without genres, which this preset does not contain:\n\n"
        text += "| package | songs | hours | licences of the package |\n|---|---|---|---|\n"
        text += "".join(
            f"| {row['name']} | {row['songs']} | {row['hours']} |"
            f" {', '.join(row['licences']) or 'not stated'} |\n"
            for row in rows
        )
        if sources.get("changed"):
            text += CHANGED_COPIES
    return text


def add_to_card(preset: Preset, figures: Mapping[str, Any], *, dropped: Sequence[str] = ()) -> None:
    """Write further figures into metrics.json and README.md of a preset.

    Parameters
    ----------
    preset
        A preset with metrics.json.
    figures
        ``robustness``, the rows of :func:`genrec.training.evaluation.robustness.robustness`;
        ``music_detection``, those of
        :func:`genrec.training.evaluation.music_detection.music_detection`; ``figures``, those of
        :func:`genrec.training.evaluation.preset_figures.figures`, and ``albums``; ``tags``, of
        ``genrec fit-tags``, and ``tag_agreement``, of
        :func:`genrec.training.evaluation.tag_agreement.tag_agreement`; ``twin``, of
        :func:`twin_of`; or some of them.
    dropped
        Figures that are no longer true.

    Raises
    ------
    DataError
        The preset has no metrics.json.
    """
    path = preset.folder / METRICS
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; write it with `genrec export`.") from error
    metrics = {key: value for key, value in metrics.items() if key not in dropped} | dict(figures)
    path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (preset.folder / "README.md").write_text(card(preset, metrics), encoding="utf-8")


def _learned_from(
    training: Mapping[str, Any], sources: Mapping[str, Any], labels: int
) -> dict[str, str]:
    """Return what a run went on from: noun phrases, and a sentence for each step before."""
    lineage = sources.get("lineage", ())
    names = [*(str(row["name"]) for row in lineage), ""]
    before = ""
    for row, after in zip(lineage, names[1:], strict=True):
        before += f"`{row['name']}` was trained from {_initial_weights(row['weights'], after)}"
        if row["synthetic"]:
            before += f" on {row['labels']} ensembles of synthetic music"
        elif row["labels"] != labels:
            before += f", to tell {row['labels']} labels apart"
        before += f"{_taught(row['teachers'])}. "
    return {
        "weights": _initial_weights(training["weights"], names[0]),
        "teachers": _taught(sources.get("networks") or training.get("teachers", ())),
        "before": before,
    }


def _initial_weights(weights: str, name: str) -> str:
    """Return a noun phrase for the initial weights: random, ImageNet, or of a file, run or preset.

    Parameters
    ----------
    weights
        The setting of the run; of a path, the name.
    name
        Of the run or preset that gave the weights, if it is known; else nothing.
    """
    if name:
        return f"the weights of `{name}`"
    return INITIAL_WEIGHTS.get(weights, f"the weights of `{weights}`")


def _taught(teachers: Sequence[str]) -> str:
    return f", taught by {_enumerate(teachers)}" if teachers else ""


def _enumerate(names: Sequence[str]) -> str:
    """Return names as an enumeration: one, two and three."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _audio_row(audio: Mapping[str, Any] | None) -> str:
    if not audio:
        return ""
    return (
        f"| accuracy from audio files, {audio['tracks']} of those tracks |"
        f" {audio['accuracy']:.3f} (from their spectrograms {audio['accuracy_arrays']:.3f}) |\n"
    )


def _robustness_section(name: str, rows: Sequence[Mapping[str, Any]] | None) -> str:
    if not rows:
        return ""
    return ROBUSTNESS.format(clips=rows[0]["clips"], table=robustness_table({name: rows}))


def _detection_section(rows: Sequence[Mapping[str, Any]] | None) -> str:
    return DETECTION.format(table=music_detection_table(rows)) if rows else ""


def _tags_section(
    split: str, tags: Mapping[str, Any] | None, judged: Mapping[str, Any] | None
) -> str:
    if not tags:
        return ""
    heads = ["tag", "correlation", "precision", "recall"]
    lines = [[*heads, "correlation, test part", "right of given, test part"], ["---"] * 6]
    test = {row["tag"]: row for row in judged["tags"]} if judged else {}
    shown = [row for row in tags["folds"] if row["shown"]]
    for row in shown:
        cells = [f"{row[name]:.2f}" for name in heads[1:]]
        found = test.get(row["tag"])
        correlation = found["correlation"] if found else None
        cells.append("-" if correlation is None else f"{correlation:.2f}")
        cells.append(f"{found['right']} of {found['given']}" if found else "-")
        lines.append([row["tag"], *cells])
    means = [f"{sum(row[name] for row in shown) / len(shown):.2f}" for name in heads[1:]]
    last = ["-", "-"]
    if judged and judged["correlation"] is not None:
        right, given = (sum(row[name] for row in judged["tags"]) for name in ("right", "given"))
        last = [f"{judged['correlation']:.2f} ({judged['tracks']} tracks)", f"{right} of {given}"]
    lines.append(["mean, sum", *means, *last])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    return TAGS.format(teacher=tags["teacher"], excerpts=tags["excerpts"], split=split, table=table)


def _figures_section(name: str, split: str, rows: Sequence[Mapping[str, Any]] | None) -> str:
    return FIGURES.format(split=split, table=figures_table({name: rows})) if rows else ""


def _twin_section(ours: str, twin: Mapping[str, Any] | None, labels: int) -> str:
    if not twin:
        return ""
    return TWIN.format(
        ours=ours,
        twin=twin["name"],
        arch=ARCHITECTURES[twin["arch"]],
        split=twin["split"],
        precision=twin["precision"],
        **_learned_from(twin["training"], twin["sources"], labels),
        table=figures_table({twin["name"]: twin["figures"]}),
    )


def twin_of(preset: Preset) -> dict[str, Any]:
    """Return the figures of a preset, for the card of another that was trained in a similar way.

    Returns
    -------
    ``name``, ``arch``, ``split``, ``precision``, ``training``, its weights and teachers;
    ``sources``, its networks and lineage; and ``figures``, from its metrics.json

    Raises
    ------
    DataError
        Its card has no figures.
    """
    metrics = preset.metrics()
    if "figures" not in metrics:
        raise DataError(
            f"{preset.folder} has no figures; write them with `genrec evaluate --preset"
            f" {preset.folder} --split filtered --figures --write-card`."
        )
    training, sources = metrics["training"], metrics.get("sources") or {}
    return {
        "name": preset.name,
        "arch": preset.arch,
        "split": metrics["split"],
        "precision": metrics["precision"],
        "training": {key: training.get(key, ()) for key in ("weights", "teachers")},
        "sources": {key: sources.get(key, ()) for key in ("networks", "lineage")},
        "figures": metrics["figures"],
    }


def _genre_table(per_class: Mapping[str, Any]) -> str:
    rows = ["| genre | precision | recall | F1 | tracks |", "|---|---|---|---|---|"]
    rows += [
        f"| {label} | {row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} |"
        f" {row['support']} |"
        for label, row in per_class.items()
    ]
    return "\n".join(rows)
