"""``genrec bands``: music of our own to learn hearing from; needs the extra ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_training import progress_bar, training_extra


def bands(
    out: Annotated[Path, typer.Option(help="Folder for the music; a data folder afterwards.")],
    bands: Annotated[int, typer.Option(min=2, help="How many bands.")] = 220,
    pieces: Annotated[int, typer.Option(min=6, help="Pieces of each band.")] = 40,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long each plays.")] = 16,
    soundfont: Annotated[
        Path | None, typer.Option(help="General MIDI, SF2; an installed one by default.")
    ] = None,
) -> None:
    """Let bands that never were play: a network can learn to hear from them before genres."""
    with training_extra():
        from genrec.training.studio import find_soundfont, make_bands
    font = soundfont or find_soundfont()
    with training_extra(), progress_bar("Playing") as progress:
        make_bands(
            out, bands=bands, pieces=pieces, seconds=seconds, soundfont=font, progress=progress
        )
    print(f"Written: {out}. Next: genrec train --data {out} --keep last --run runs/bands")
