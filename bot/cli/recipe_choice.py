"""``genrec evaluate-folds`` and ``evaluate-projection``: figures that choose a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.training import CACHE, Cache, Data, load_dataset, progress_bar, training_extra

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def evaluate_folds(
    presets: Annotated[
        list[Path],
        typer.Argument(help="Preset folders, one for each split filtered-fold-K."),
    ],
    data: Data,
    cache: Cache = CACHE,
    as_json: AsJson = False,
) -> None:
    """Average a recipe over folds with artists apart, and fit the temperature on all of them."""
    with training_extra():
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset
        from genrec.training.data.dataset import split as parts_of
        from genrec.training.export.cross_validation import check_folds, cross_validation
    analyzers = [PresetAnalyzer(Preset.load(each)) for each in presets]
    check_folds(analyzers)
    config = analyzers[0].preset.spectrogram
    dataset, _ = load_dataset(data, "filtered", config, cache)
    report = cross_validation(
        analyzers, dataset, lambda name: parts_of(dataset, data, name), progress_bar
    )
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        print(folds_table(report), end="")


def evaluate_projection(
    preset: Annotated[
        list[Path],
        typer.Option(help="Preset folder; of several folds, the mean is printed (repeatable)."),
    ],
    data: Data,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split file that the preset was trained on; a preset records a named split."
        ),
    ] = None,
    albums: Annotated[
        Path | None,
        typer.Option(help="Folder of albums; other ones than those that judge presets."),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="Archive of music: the embedding also reads its teacher's answers."),
    ] = None,
    cache: Cache = CACHE,
    as_json: AsJson = False,
) -> None:
    """Compare sizes of the embedding on validation tracks, or on the fold of each preset."""
    with training_extra():
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset
        from genrec.training.data.dataset import require_parts
        from genrec.training.data.dataset import split as parts_of
        from genrec.training.export.cross_validation import check_folds
        from genrec.training.export.projection_sizes import (
            mean_over_folds,
            projection_sizes,
            split_and_judged,
        )
    analyzers = [PresetAnalyzer(Preset.load(each)) for each in preset]
    if len(analyzers) > 1:
        check_folds(analyzers)
    choices = [split_and_judged(each.preset, split) for each in analyzers]
    dataset, _ = load_dataset(data, choices[0][0], analyzers[0].preset.spectrogram, cache)
    tables = []
    for analyzer, (of_preset, judged) in zip(analyzers, choices, strict=True):
        parts = parts_of(dataset, data, of_preset)
        require_parts(parts, "train", judged)
        with progress_bar(f"Albums, {analyzer.preset.name}") as progress:
            tables.append(
                projection_sizes(
                    analyzer,
                    dataset,
                    parts,
                    judged=judged,
                    albums=albums,
                    unlabelled=unlabelled or (),
                    progress=progress,
                )
            )
    rows = mean_over_folds(tables)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        print(sizes_table(rows), end="")


def folds_table(report: dict[str, Any]) -> str:
    """Return the folds, their mean and deviation as a Markdown table with a line below it."""
    figures = list(report["mean"])
    lines = [["fold", "tracks", *figures], ["---"] * (2 + len(figures))]
    lines += [
        [row["fold"], str(row["tracks"]), *(f"{row[name]:.3f}" for name in figures)]
        for row in report["folds"]
    ]
    mean = (f"{report['mean'][name]:.3f} ± {report['deviation'][name]:.3f}" for name in figures)
    lines.append(["mean ± deviation", str(sum(r["tracks"] for r in report["folds"])), *mean])
    below = (
        f"temperature {report['temperature']:.3f}; expected calibration error of all folds"
        f" {report['ece']:.3f} ({report['ece_if_honest']:.3f} if perfectly calibrated)"
    )
    return f"{_markdown(lines)}\n{below}\n"


def sizes_table(rows: list[dict[str, Any]]) -> str:
    """Return the sizes as a Markdown table."""
    heads = ["size", "precision at 5, artist-filtered", "own album", "keep four of five", "cosine"]
    lines = [heads, ["---"] * len(heads)]
    for size, *values in (row.values() for row in rows):
        lines.append([str(size), *("-" if v is None else f"{v:.3f}" for v in values)])
    return _markdown(lines)


def _markdown(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
