"""Write the spectrograms of a data set as pictures, in folders by part and genre.

genrec spectrograms DATA OUT
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from genrec.errors import DataError
from genrec.files import atomic_write
from genrec.training.data.dataset import Dataset, Parts, Progress, no_progress

Pixels = NDArray[np.uint8]

# The part's folder, as Keras' examples and the paper name it.
FOLDERS = {"train": "train", "valid": "validation", "test": "test"}
COLOURS = ("grey", "viridis", "magma", "inferno", "plasma", "cividis")
JPEG_QUALITY = 95
Form = Literal["png", "jpg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureStyle:
    """Style of the pictures: colour map, file format and size.

    Attributes
    ----------
    colour
        ``grey``, or one of Matplotlib's colour maps in `COLOURS`; quiet cells are dark.
    form
        ``png``, without loss, or ``jpg`` of quality 95.
    size
        (width, height) in pixels; None for one pixel for each cell of the spectrogram.
    """

    colour: str = "grey"
    form: Form = "png"
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise DataError(f"--colour must be one of {', '.join(COLOURS)}, not {self.colour!r}.")


def write_pictures(
    data: Dataset,
    parts: Parts,
    out: Path,
    style: PictureStyle,
    *,
    top_db: float = 80.0,
    progress: Progress = no_progress,
) -> int:
    """Write one picture for each excerpt of a part, and tracks.csv; return how many are new.

    A picture that is there already is kept, so a stopped run continues. The folders are
    ``OUT/train/GENRE/NAME.png`` and so on, which `genrec train --data OUT` reads.

    Parameters
    ----------
    data, parts
        The spectrograms, and the part of each.
    out
        The folder; it is made if it is missing.
    style
        Colours, format and size.
    top_db
        Level below the maximum that is drawn as the darkest.
    progress
        Called with (done, total) after each picture.

    Raises
    ------
    DataError
        The folder has pictures in another part's folder: they were written with another split.
    """
    wanted = {
        int(i): out / FOLDERS[part] / data.genres[i] / f"{data.names[i]}.{style.form}"
        for part, indices in parts.items()
        for i in indices
    }
    strangers = sorted(set(out.glob(f"*/*/*.{style.form}")) - set(wanted.values()))
    if strangers:
        raise DataError(
            f"{out} has {strangers[0].relative_to(out)}, which this split puts elsewhere: pass an"
            " empty folder."
        )
    draw = painter(style.colour)
    new = 0
    for done, (index, path) in enumerate(wanted.items(), start=1):
        if not path.exists():
            pixels = draw(data.spectrogram(index), top_db)
            write_picture(pixels, path, style)
            new += 1
        progress(done, len(wanted))
    _write_tracks(data, sorted(wanted), out)
    return new


def painter(colour: str) -> Callable[[NDArray[np.float32], float], Pixels]:
    """Return a function from a spectrogram to its pixels.

    The function takes S_db, float32 (n_mels, columns) in dB re maximum, and the level in dB below
    the maximum that is darkest. It returns uint8 (n_mels, columns, 3), lowest band at the bottom.
    """
    levels = np.arange(256)
    table = (
        np.repeat(levels[:, np.newaxis], 3, axis=1)
        if colour == "grey"
        else np.asarray(colormaps[colour](levels, bytes=True))[:, :3]
    ).astype(np.uint8)

    def draw(S_db: NDArray[np.float32], top_db: float) -> Pixels:
        grey = np.clip(np.round((S_db / top_db + 1) * 255), 0, 255).astype(np.uint8)
        return np.asarray(table[grey[::-1]])

    return draw


def write_picture(pixels: Pixels, path: Path, style: PictureStyle) -> None:
    """Write pixels, uint8 (height, width, 3), as a picture file; atomic."""
    picture = Image.fromarray(pixels)
    if style.colour == "grey":
        picture = picture.convert("L")
    if style.size is not None:
        picture = picture.resize(style.size, Image.Resampling.BILINEAR)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        if style.form == "png":
            picture.save(part, "PNG", optimize=True)
        else:
            picture.save(part, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _write_tracks(data: Dataset, indices: list[int], out: Path) -> None:
    """Write artist and title of each picture, so that figures can leave out the own artist."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        atomic_write(out / "tracks.csv") as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["excerpt", "genre", "artist", "title", "artist_key"])
        for i in indices:
            rows.writerow(
                [
                    data.names[i],
                    data.genres[i],
                    data.artists[i],
                    data.titles[i],
                    data.artist_keys[i],
                ]
            )
