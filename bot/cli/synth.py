"""``genrec synth``: synthetic music for pretraining; needs the extra ``train``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.stopped import says_what_is_kept
from bot.cli.training import progress_bar, training_extra
from genrec.errors import DataError

Out = Annotated[Path, typer.Option(help="Folder for the music; it becomes a data folder.")]
Pieces = Annotated[int, typer.Option(min=6, help="Pieces per ensemble.")]
Seconds = Annotated[float, typer.Option(min=5, max=600, help="Length of a piece in seconds.")]
Soundfont = Annotated[
    Path | None, typer.Option(help="General MIDI soundfont, SF2 (default: an installed one).")
]


def synth(
    out: Out,
    ensembles: Annotated[int, typer.Option(min=2, help="Number of ensembles.")] = 400,
    pieces: Pieces = 24,
    seconds: Seconds = 16,
    soundfont: Soundfont = None,
) -> None:
    """Generate synthetic music for pretraining."""
    with training_extra(), _fluidsynth():
        from genrec.training.synthetic.renderer import find_soundfont, render_ensembles
    font = soundfont or find_soundfont()
    stopped = says_what_is_kept(
        lambda: f"Finished pieces are kept in {out}; run the same command for the rest."
    )
    with stopped, progress_bar("Rendering") as progress:
        render_ensembles(
            out,
            ensembles=ensembles,
            pieces=pieces,
            seconds=seconds,
            soundfont=font,
            progress=progress,
        )
    print(f"Written: {out}. Next: genrec train --data {out} --keep last --run runs/synth")


def bands(
    out: Out,
    bands: Annotated[int, typer.Option(min=2, help="Number of ensembles.")] = 400,
    pieces: Pieces = 24,
    seconds: Seconds = 16,
    soundfont: Soundfont = None,
) -> None:
    """Print a deprecation warning and run ``genrec synth``."""
    print("genrec bands will be removed in 0.2.0; use genrec synth --ensembles.", file=sys.stderr)
    synth(out, bands, pieces, seconds, soundfont)


@contextmanager
def _fluidsynth() -> Iterator[None]:
    """Turn the ImportError of FluidSynth's missing library in the block into a DataError."""
    try:
        yield
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise DataError(
            "FluidSynth is not installed; install its library (Debian: apt install libfluidsynth3)"
            " and a soundfont (fluid-soundfont-gm)."
        ) from error
