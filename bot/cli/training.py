"""``genrec train`` and ``export``; they need the extra ``train``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.stopped import says_what_is_kept
from bot.cli.training_report import print_report

if TYPE_CHECKING:
    from genrec.spectrogram import SpectrogramConfig
    from genrec.training.data.dataset import ExcerptTable, Parts

Data = Annotated[
    Path,
    typer.Option(help="Folder with logmel.npz, or with a folder of audio or pictures per genre."),
]
Split = Annotated[
    str,
    typer.Option(
        help="paper, filtered, filtered-wide, filtered-fold-1 to -5, or a CSV file: excerpt,part."
    ),
]
Cache = Annotated[Path, typer.Option(help="Folder for spectrograms of audio folders.")]

CACHE = Path("runs/cache")


def train(
    data: Data,
    arch: Annotated[
        Literal["vgg16", "resnet50", "cnn"], typer.Option(help="cnn is the paper's own network.")
    ] = "vgg16",
    split: Split = "paper",
    run: Annotated[
        Path | None, typer.Option(help="Run folder (default: runs/ARCH-RECIPE-SPLIT).")
    ] = None,
    recipe: Annotated[
        Literal["genrec", "paper"] | None,
        typer.Option(help="Default: genrec; paper for pictures and for the CNN."),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="none, imagenet, a weights file, or the folder of a run or preset.")
    ] = "none",
    trainable: Annotated[
        Literal["all", "head", "last4"] | None,
        typer.Option(help="Trained layers; last4: the last four that have parameters."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: from the recipe.")] = None,
    batch: Annotated[int | None, typer.Option(min=1)] = None,
    crops: Annotated[
        int | None, typer.Option(min=1, help="Random windows per track and epoch.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    keep: Annotated[
        Literal["best", "last"],
        typer.Option(help="Epoch to export: lowest validation loss, or the last."),
    ] = "best",
    patience: Annotated[int | None, typer.Option(min=1)] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="Run or preset folder to distil from (repeatable)."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="File of a tagger's answers to the training part.")
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of `genrec archive`, also to learn from (repeatable)."),
    ] = None,
    changed: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of `genrec archive --changed`: the same songs, changed (repeatable)."
        ),
    ] = None,
    unlabelled_batch: Annotated[
        int | None, typer.Option(min=2, help="Windows of unlabelled music per batch.")
    ] = None,
    answer_weight: Annotated[
        float | None, typer.Option(min=0, help="Weight of the tagger's answers; the genre has 1.")
    ] = None,
    contrast_weight: Annotated[
        float | None, typer.Option(min=0, help="Weight of the contrast of unlabelled songs.")
    ] = None,
    mixup: Annotated[
        float | None,
        typer.Option(min=0, help="Mixup alpha; 0 turns mixup off."),
    ] = None,
    noisy_student: Annotated[
        bool,
        typer.Option(
            "--noisy-student", help="Damage windows more, but not those that teachers answer."
        ),
    ] = False,
    precision: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"],
        typer.Option(help="mixed_bfloat16 is fast on GPUs and on CPUs with AVX-512 BF16 or AMX."),
    ] = "float32",
    seed: Annotated[int, typer.Option()] = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Fail if the run folder exists (default: resume).")
    ] = False,
    cache: Cache = CACHE,
) -> None:
    """Train a network; a stopped run resumes after its last epoch."""
    with training_extra():
        from dataclasses import replace

        from genrec.training.data.dataset import PictureDataset
        from genrec.training.evaluation.plots import plot_history
        from genrec.training.settings import (
            RECIPES,
            TrainingSettings,
            for_noisy_student,
            for_pictures,
            read_history,
        )
        from genrec.training.train import train as fit
    overrides: dict[str, Any] = {
        "epochs": epochs,
        "batch": batch,
        "crops": crops,
        "learning_rate": learning_rate,
        "patience": patience,
        "teachers": tuple(teacher) if teacher else None,
        "answers": str(answers) if answers else None,
        "unlabelled": tuple(map(str, unlabelled)) if unlabelled else None,
        "changed": tuple(map(str, changed)) if changed else None,
        "unlabelled_batch": unlabelled_batch,
        "answer_weight": answer_weight,
        "contrast_weight": contrast_weight,
    }
    settings = TrainingSettings(arch=arch, weights=weights, seed=seed, precision=precision)
    settings = replace(settings, trainable=trainable or "all", split=split, keep=keep)
    dataset, parts = load_dataset(data, split, settings.spectrogram, cache)
    pictures = isinstance(dataset, PictureDataset)
    recipe = recipe or ("paper" if pictures or arch == "cnn" else "genrec")
    settings = RECIPES[recipe](settings)
    if pictures:
        settings = for_pictures(settings)
    settings = replace(settings, **{k: v for k, v in overrides.items() if v is not None})
    if mixup is not None:
        settings = replace(settings, augment=replace(settings.augment, mixup_alpha=mixup))
    if noisy_student:
        settings = for_noisy_student(settings)
    folder = run or Path("runs") / f"{arch}-{recipe}-{Path(split).stem}"
    with says_what_is_kept(
        lambda: f"Finished epochs are kept in {folder}; run the same command to resume."
    ):
        fit(settings, dataset, parts, folder, resume=not fresh)
    plot_history(read_history(folder), folder / "history.png")
    print(f"Trained: {folder}. Next: genrec export --run {folder} --data {data} --out models/NAME")


def export(
    data: Data,
    out: Annotated[Path, typer.Option(help="Preset folder: models/NAME.")],
    run: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    preset: Annotated[
        Path | None,
        typer.Option(help="Preset folder instead: keeps its network, renews all the rest."),
    ] = None,
    precision: Annotated[Literal["int8", "fp16", "fp32"], typer.Option()] = "int8",
    music_detector: Annotated[
        Path | None,
        typer.Option(help="File of `train-detector`; without it every clip counts as music."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.05, max=20, help="That of `evaluate-folds` (default: fitted on valid)."),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="Archive of music: the embedding also reads its teacher's answers."),
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Export a training run as a preset with calibration, starter catalogue and model card."""
    with training_extra():
        from genrec.errors import DataError
        from genrec.music_detector import MusicDetector
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset
        from genrec.training.data.songs import read_run_sources
        from genrec.training.evaluation.evaluate import evaluate as evaluate_preset
        from genrec.training.export.model_card import write_card
        from genrec.training.export.recalibrate import read_training, recalibrate
        from genrec.training.export.teacher_reading import with_archives
        from genrec.training.settings import read_history, read_settings
    detector = MusicDetector.load(music_detector) if music_detector else None
    if preset is not None and run is None:
        settings, _, _ = read_training(preset)
        sources = Preset.load(preset).metrics().get("sources", {})
        dataset, parts = load_dataset(data, settings.split, settings.spectrogram, cache)
        exported = recalibrate(
            preset,
            dataset,
            parts,
            out,
            music_detector=detector,
            temperature=temperature,
            unlabelled=unlabelled or (),
            log=print,
        )
    elif run is not None and preset is None:
        with training_extra():
            from genrec.training.export.export import export as export_preset
        settings, _ = read_settings(run)
        sources = read_run_sources(run)
        dataset, parts = load_dataset(data, settings.split, settings.spectrogram, cache)
        exported = export_preset(
            run,
            dataset,
            parts,
            out,
            name=out.name,
            precision=precision,
            music_detector=detector,
            temperature=temperature,
            unlabelled=unlabelled or (),
            log=print,
        )
    else:
        raise DataError("Pass either --run, a training run, or --preset, a preset folder.")
    if unlabelled:
        sources = with_archives(sources, unlabelled)
    with progress_bar("Evaluating") as progress:
        report = evaluate_preset(
            PresetAnalyzer(exported.preset),
            dataset,
            parts,
            progress=progress,
            others=exported.predictions,
        )
    write_card(exported, report, settings, read_history(run) if run else [], sources)
    print_report(report)
    print(f"Written: {out} ({exported.preset.model_id}, {exported.precision})")


def load_dataset(
    folder: Path, split: str, config: SpectrogramConfig, cache: Path
) -> tuple[ExcerptTable, Parts]:
    """Return the data set of a folder and its split; print the files that were refused."""
    from genrec.training.data import dataset as data
    from genrec.training.data.archive import load_data

    with progress_bar("Computing spectrograms") as progress:
        dataset, refused = load_data(folder, config, cache=cache, progress=progress)
    for path, reason in refused:
        print(f"{path}: {reason}", file=sys.stderr)
    return dataset, data.split(dataset, folder, split)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar if stderr is a terminal; yield a callback ``(done, total)``."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def training_extra() -> Iterator[None]:
    """Silence TensorFlow's log, and raise DataError with the fix if the extra is missing."""
    from genrec.errors import DataError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        yield
    except ModuleNotFoundError as error:
        raise DataError(
            f"{error.name} is not installed; training needs the extra: pip install 'genrec[train]',"
            " or `make test` once in a clone."
        ) from error
