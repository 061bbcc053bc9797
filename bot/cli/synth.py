"""``genrec bands``: music of our own to learn hearing from; needs the extra ``train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.training import progress_bar, training_extra
from genrec.errors import DataError


def bands(
    out: Annotated[Path, typer.Option(help="Folder for the music; a data folder afterwards.")],
    bands: Annotated[int, typer.Option(min=2, help="How many bands.")] = 400,
    pieces: Annotated[int, typer.Option(min=6, help="Pieces of each band.")] = 24,
    seconds: Annotated[float, typer.Option(min=5, max=600, help="How long each plays.")] = 16,
    soundfont: Annotated[
        Path | None, typer.Option(help="General MIDI, SF2; an installed one by default.")
    ] = None,
) -> None:
    """Let bands that never were play: a network can learn to hear from them before genres."""
    with training_extra(), _fluidsynth():
        from genrec.training.synthetic.renderer import find_soundfont, make_ensembles
    font = soundfont or find_soundfont()
    with progress_bar("Playing") as progress:
        make_ensembles(
            out, bands=bands, pieces=pieces, seconds=seconds, soundfont=font, progress=progress
        )
    print(f"Written: {out}. Next: genrec train --data {out} --keep last --run runs/bands")


@contextmanager
def _fluidsynth() -> Iterator[None]:
    """Say in a sentence what to install where the library of the system is missing."""
    try:
        yield
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise DataError(
            "FluidSynth is not installed; install its library (Debian: apt install libfluidsynth3)"
            " and a soundfont (fluid-soundfont-gm)."
        ) from error
