"""``genrec evaluate``; it needs the extra ``train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.training import CACHE, Cache, Data, load_dataset, progress_bar, training_extra
from bot.cli.training_report import print_report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from genrec.pipeline import PresetAnalyzer
    from genrec.training.data.dataset import ExcerptTable
    from genrec.types import Runtime


def evaluate(
    preset: Annotated[Path, typer.Option(help="Preset folder.")],
    data: Data,
    split: Annotated[
        str,
        typer.Option(
            help="paper, filtered, filtered-wide, filtered-fold-1 to -5,"
            " all (every excerpt is test), or a CSV file."
        ),
    ] = "paper",
    part: Annotated[Literal["test", "valid", "train"], typer.Option()] = "test",
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Skip the end-to-end evaluation of audio files.")
    ] = False,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also measure robustness to coding, noise, silence, late starts and more"
            " (takes minutes).",
        ),
    ] = False,
    changes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="With --robustness, only these changes to audio files; * stands for any text.",
        ),
    ] = None,
    first_per_genre: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --robustness, only so many excerpts with audio of each genre."
        ),
    ] = None,
    write_card: Annotated[
        bool,
        typer.Option(
            "--write-card",
            help="Write robustness, music detection, tags and figures into metrics and card.",
        ),
    ] = False,
    music: Annotated[
        list[Path] | None,
        typer.Option(help="Also judge the music detector on this folder of music (repeatable)."),
    ] = None,
    other: Annotated[
        list[Path] | None,
        typer.Option(help="The same for a folder of speech, noise or effects (repeatable)."),
    ] = None,
    albums: Annotated[
        Path | None,
        typer.Option(help="Also count neighbours of the own album in this folder of albums."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(help="Also compare sound tags with a tagger's answers to the part."),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option(
            help="Preset of a split by artist, whose figures --write-card adds to the card."
        ),
    ] = None,
    figures: Annotated[
        bool,
        typer.Option(
            "--figures",
            help="Print the figures that decide about a preset as one Markdown table.",
        ),
    ] = False,
    runtime: Annotated[
        Literal["litert", "onnxruntime", "auto"],
        typer.Option(help="Library that runs the network; auto: as the bot chooses."),
    ] = "litert",
    plots: Annotated[Path | None, typer.Option(help="Folder for the plots.")] = None,
    cache: Cache = CACHE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = (False),
) -> None:
    """Evaluate a preset on a part of a data set."""
    with training_extra():
        from genrec.training.evaluation.clip_changes import select_changes
        from genrec.training.evaluation.evaluate import evaluate as evaluate_preset
        from genrec.training.evaluation.preset_figures import figures as figures_of
        from genrec.training.evaluation.preset_figures import figures_table
        from genrec.training.export.model_card import add_to_card
    # What is wrong in the command is an error before the evaluation.
    select_changes(changes)
    unknown_artists = _twin(twin)
    analyzer = _opened(preset, runtime, write_card=write_card)
    dataset, parts = load_dataset(data, split, analyzer.preset.spectrogram, cache)
    with progress_bar("Predicting") as progress:
        report = evaluate_preset(
            analyzer, dataset, parts, part=part, audio=not no_audio, progress=progress
        )
    ran = {"data": str(data), "split": split, "runtime": analyzer.runtime}
    report = {**ran, **report, **unknown_artists}
    if robustness or figures:
        chosen = (robustness, changes, first_per_genre)
        report |= _changed_sound(analyzer, dataset, parts[part], *chosen)
    if albums is not None:
        report["albums"] = _albums(analyzer, albums)
    if music or other:
        report["music_detection"] = _music_detection(analyzer, music or (), other or ())
    if answers is not None:
        report["tag_agreement"] = _tags(analyzer, dataset, parts[part], answers)
    if figures:
        report["figures"] = figures_of(report)
    if write_card:
        measured = ("robustness", "music_detection", "albums", "tag_agreement", "figures", "twin")
        add_to_card(analyzer.preset, {key: report[key] for key in measured if key in report})
    if plots is not None:
        _plot(report, plots)
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    elif figures:
        print(figures_table({report["preset"]: report["figures"]}), end="")
    else:
        print_report(report)


def _opened(preset: Path, runtime: Runtime, *, write_card: bool) -> PresetAnalyzer:
    """Return the preset's analyzer; raise DataError for a card with figures of another library."""
    from genrec.errors import DataError
    from genrec.pipeline import PresetAnalyzer
    from genrec.preset import Preset

    if write_card and runtime != "litert":
        raise DataError("--write-card has the figures of LiteRT: leave --runtime out.")
    return PresetAnalyzer(Preset.load(preset), runtime=runtime)


def _twin(folder: Path | None) -> dict[str, Any]:
    """Return the report's entry of a twin; no entry without a folder."""
    if folder is None:
        return {}
    from genrec.preset import Preset
    from genrec.training.export.model_card import twin_of

    return {"twin": twin_of(Preset.load(folder))}


def _music_detection(
    analyzer: PresetAnalyzer, music: Sequence[Path], other: Sequence[Path]
) -> list[dict[str, Any]]:
    """Return the table of the music detector."""
    from genrec.training.evaluation.music_detection import music_detection

    with progress_bar("Music detector") as progress:
        return music_detection(analyzer, music, other, progress)


def _plot(report: dict[str, Any], folder: Path) -> None:
    """Write the plots of a report."""
    from genrec.training.evaluation.plots import (
        plot_confusion,
        plot_reliability,
        plot_similarity,
    )

    plot_confusion(report, folder / "confusion.png")
    plot_reliability(report, folder / "reliability.png")
    plot_similarity(report, folder / "similarity.png")


def _albums(analyzer: PresetAnalyzer, folder: Path) -> dict[str, Any]:
    """Return the share of neighbours of the own album."""
    from genrec.training.evaluation.albums import albums

    with progress_bar("Albums") as progress:
        return albums(analyzer, folder, progress)


def _tags(
    analyzer: PresetAnalyzer, dataset: ExcerptTable, indices: NDArray[np.int64], answers: Path
) -> dict[str, Any]:
    """Return the agreement of sound tags with a tagger."""
    from genrec.training.evaluation.tag_agreement import tag_agreement
    from genrec.training.teachers.answers import load_answers

    with progress_bar("Sound tags") as progress:
        return tag_agreement(analyzer, dataset, indices, load_answers(answers), progress)


def _changed_sound(
    analyzer: PresetAnalyzer,
    dataset: ExcerptTable,
    indices: NDArray[np.int64],
    files: bool,
    changes: str | None,
    per_genre: int | None,
) -> dict[str, Any]:
    """Return the report's tables of robustness, that of audio files only with ``files``.

    That of spectrograms is left out if ``changes`` names changes to audio files.
    """
    from genrec.errors import DataError
    from genrec.training.data.dataset import Dataset
    from genrec.training.evaluation import robustness as clips
    from genrec.training.evaluation.clip_changes import select_changes
    from genrec.training.evaluation.robustness_arrays import robustness_arrays

    if not isinstance(dataset, Dataset):
        raise DataError("--robustness and --figures change sound: leave them out for pictures.")
    found: dict[str, Any] = {}
    if files:
        chosen = clips.with_audio(dataset, indices, per_genre)
        with progress_bar("Robustness, audio files") as progress:
            found["robustness"] = clips.robustness(
                analyzer, dataset, chosen, progress, select_changes(changes)
            )
    if changes is None:
        with progress_bar("Robustness, spectrograms") as progress:
            found["robustness_arrays"] = robustness_arrays(analyzer, dataset, indices, progress)
    return found
