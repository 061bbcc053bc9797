"""``genrec evaluate-library``: how large a library must be, and how well it learns genres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.training import CACHE, Cache, Data, load_dataset, progress_bar, training_extra


def evaluate_library(
    preset: Annotated[Path, typer.Option(help="Preset folder.")],
    data: Data,
    split: Annotated[str, typer.Option(help="The split that the preset was trained on.")] = "paper",
    cache: Cache = CACHE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Evaluate libraries made from a data set: their size, and genres of their own."""
    with training_extra():
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset
        from genrec.training.data.dataset import require_parts
        from genrec.training.evaluation.evaluate import with_embeddings
        from genrec.training.evaluation.library_size import library_size
        from genrec.training.evaluation.made_up_genres import made_up_genres
        from genrec.training.evaluation.predict import predict_all
    import numpy as np

    analyzer = PresetAnalyzer(Preset.load(preset))
    dataset, parts = load_dataset(data, split, analyzer.preset.spectrogram, cache)
    require_parts(parts, "train", "test")
    with progress_bar("Predicting") as progress:
        tracks = with_embeddings(
            analyzer, predict_all(analyzer, dataset, np.arange(len(dataset)), progress)
        )
    floor = analyzer.preset.calibration.cosine_floor
    report = {
        "model_id": analyzer.preset.model_id,
        "size": library_size(dataset, parts, tracks, floor=floor),
        "own_genres": made_up_genres(dataset, parts, tracks),
    }
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        print(as_tables(report))


def as_tables(report: dict[str, Any]) -> str:
    """Return the report as the Markdown tables of docs/own-genres.md and docs/library.md."""
    own = report["own_genres"]
    return "\n\n".join(
        [
            _table(
                ("genres", "tracks", "artists", "clips with five tracks", "with none",
                 "genre precision"),
                [
                    (row["genres"], row["tracks"], row["artists"], _share(row["five"]),
                     _share(row["none"]), _figure(row["precision"]))
                    for row in report["size"]
                ],
            ),
            _table(
                ("made-up genres", "tracks each", "tested", "used", "accuracy", "coverage",
                 "shown and right", "ECE", "false alarms"),
                [
                    (row["kind"], row["tracks"], row["part"], _share(row["used"]),
                     _figure(row["accuracy"]), _share(row["coverage"]), _share(row["right"]),
                     _figure(row["ece"]), _share(row["false_alarms"]))
                    for row in own["rows"]
                ],
            ),
            _table(
                ("made-up genres", "tracks each", *list(own["methods"][0])[2:]),
                [
                    (row["kind"], row["tracks"],
                     *(f"{a:.3f} ({b:.3f})" for a, b in list(row.values())[2:]))
                    for row in own["methods"]
                ],
            ),
        ]
    )  # fmt: skip


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
