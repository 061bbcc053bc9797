"""``genrec fit-tags``; it needs the extra ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.training import CACHE, Cache, Data, load_dataset, progress_bar, training_extra


def fit_tags(
    preset: Annotated[Path, typer.Option(help="Preset folder; it gets the tags.")],
    data: Data,
    answers: Annotated[Path, typer.Option(help="File of a tagger's answers to the training part.")],
    split: Annotated[
        str | None,
        typer.Option(help="The split that the preset was trained on (default: its own)."),
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Fit the sound tags of a preset to a tagger's answers; its model id stays."""
    with training_extra():
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset, save_tags
        from genrec.training.export.finish import check_data
        from genrec.training.export.model_card import add_to_card
        from genrec.training.export.recalibrate import read_training
        from genrec.training.export.tag_fit import fit_preset_tags
        from genrec.training.teachers.answers import load_answers
    analyzer = PresetAnalyzer(Preset.load(preset))
    settings, labels, _ = read_training(preset)
    dataset, parts = load_dataset(data, split or settings.split, settings.spectrogram, cache)
    check_data(preset, settings, labels, dataset, parts)
    taught = load_answers(answers)
    judging = [dataset.names[i] for part in ("valid", "test") for i in parts.get(part, ())]
    taught.refuse(judging, answers)
    with progress_bar("Predicting") as progress:
        fitted = fit_preset_tags(analyzer, dataset, parts, taught, progress)
    saved = save_tags(analyzer.preset, fitted.reading)
    figures = {"teacher": taught.teacher, "excerpts": fitted.excerpts, "folds": fitted.figures}
    add_to_card(saved, {"tags": figures}, dropped=("tag_agreement",))
    for row in fitted.figures:
        print(
            f"{row['tag']}: correlation {row['correlation']:.2f}, precision"
            f" {row['precision']:.2f}, recall {row['recall']:.2f}"
            + ("" if row["shown"] else ", not shown")
        )
    print(f"Written: {saved.folder} ({saved.model_id}), {len(fitted.reading.shown)} tags.")
