"""``genrec spectrograms`` and ``genrec reproduce``: the paper's data, experiments and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.cli.stopped import says_what_is_kept
from bot.cli.training import CACHE, Cache, Split, load_dataset, progress_bar, training_extra

Source = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="Folder with logmel.npz, or with a folder of audio per genre."
    ),
]


def spectrograms(
    data: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the pictures.")],
    split: Split = "paper",
    colour: Annotated[
        Literal["grey", "viridis", "magma", "inferno", "plasma", "cividis"],
        typer.Option(help="Grey, or one of Matplotlib's colour maps."),
    ] = "grey",
    form: Annotated[
        Literal["png", "jpg"], typer.Option("--format", help="png has no loss.")
    ] = "png",
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Default: one pixel for each cell."),
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Draw spectrograms as pictures, in folders train, validation and test by genre."""
    with training_extra():
        from genrec.errors import DataError
        from genrec.spectrogram import SpectrogramConfig
        from genrec.training.data.dataset import Dataset
        from genrec.training.data.picture_files import PictureStyle, write_pictures
    style = PictureStyle(colour=colour, form=form, size=picture_size(size))
    config = SpectrogramConfig()
    dataset, parts = load_dataset(data, split, config, cache)
    if not isinstance(dataset, Dataset):
        raise DataError(f"{data} has pictures already: pass audio or an archive.")
    with (
        says_what_is_kept(
            lambda: f"Finished pictures are kept in {out}; run the same command to continue."
        ),
        progress_bar("Drawing") as progress,
    ):
        new = write_pictures(dataset, parts, out, style, top_db=config.top_db, progress=progress)
    total = sum(len(indices) for indices in parts.values())
    print(f"Pictures: {total} in {out}, {new} of them new.")
    print(f"Next: genrec train --arch vgg16 --data {out}")


def picture_size(text: str | None) -> tuple[int, int] | None:
    """Return the width and height of ``432x288``; None for None.

    Raises
    ------
    DataError
        The text is no size of 8 to 4,096 pixels on each side.
    """
    from genrec.errors import DataError

    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(s.isdecimal() and 8 <= int(s) <= 4096 for s in sides):
        raise DataError(f"--size {text} is no size: give width and height as 432x288.")
    return int(sides[0]), int(sides[1])


def reproduce(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with logmel.npz, or with a folder of audio or pictures per genre.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for networks, figures and the page.")],
    split: Split = "paper",
    vgg16_weights: Annotated[
        str, typer.Option(help="VGG16's start: none, imagenet, or a weights file.")
    ] = "none",
    resnet50_weights: Annotated[str, typer.Option(help="The same for ResNet50.")] = "none",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Only this part (repeatable): cnn, vgg16-head, vgg16-last4, resnet50-head,"
            " resnet50-last4, page.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few tracks and epochs: minutes instead of hours.")
    ] = False,
    seed: Annotated[int, typer.Option()] = 1,
    cache: Cache = CACHE,
) -> None:
    """Repeat the paper: train its networks, and write its tables and figures on one page."""
    with training_extra():
        from genrec.spectrogram import SpectrogramConfig
        from genrec.training.reproduce.experiments import EPOCHS, QUICK_EPOCHS, TrainingBudget
        from genrec.training.reproduce.paper_page import HTML
        from genrec.training.reproduce.reproduce import reproduce as run
    dataset, parts = load_dataset(data, split, SpectrogramConfig(), cache)
    budget = TrainingBudget(
        epochs=QUICK_EPOCHS if quick else EPOCHS,
        quick=quick,
        weights=(("vgg16", vgg16_weights), ("resnet50", resnet50_weights)),
        seed=seed,
    )
    with says_what_is_kept(
        lambda: f"Finished epochs are kept in {out}; run the same command to continue."
    ):
        run(dataset, parts, split, out, budget, only=only or (), log=print)
    print(f"Page: {out / HTML}")
