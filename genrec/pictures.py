"""Read plotted spectrograms: decode a PNG or JPEG file, crop its margins, make a network image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from genrec.errors import FileMissing, UnsupportedFormat

Float = NDArray[np.float32]
Pixels = NDArray[np.uint8]

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
# Pillow is told to try these two and no others: each further format is an attack surface.
FORMATS = (PngImagePlugin.PngImageFile.format, JpegImagePlugin.JpegImageFile.format)
MAX_PIXELS = 16_000_000
SMALLEST_SIDE = 8  # pixels

# A margin is white or nearly so; lossy coding shifts white by a few levels.
WHITE = 243
# A row or column belongs to the plot if it has at least this share of the ink of the fullest one.
PLOT_SHARE = 0.5
# A plot fills at least this share of each side. Otherwise the picture has no margins that count.
SMALLEST_PLOT = 0.3
FRAME_WIDTH, FRAME_LEVEL = 2, 60  # most full lines of a drawn frame, and its lightest level


def prepare_pictures() -> None:
    """Load Pillow's decoders now: a sandboxed worker may open no file later."""
    Image.preinit()


def read_picture(path: Path) -> Pixels:
    """Return the pixels of a PNG or JPEG file; transparent parts are white.

    Parameters
    ----------
    path
        The file. Its first bytes decide its format, not its suffix.

    Returns
    -------
    uint8 (height, width, 3), RGB; the first row is the top

    Raises
    ------
    UnsupportedFormat
        The file is neither PNG nor JPEG, is damaged, or is too small or too large.
    FileMissing
        The file cannot be opened.
    """
    names = " and ".join(str(each) for each in FORMATS)
    try:
        # Opened by the path itself: in a worker it is a descriptor, and the name leads nowhere.
        with (
            path.open("rb") as opened,
            Image.open(opened, formats=[str(each) for each in FORMATS]) as file,
        ):
            _check_size(path, *file.size)
            picture: Image.Image = file
            if file.mode.startswith("I"):  # 16 bits a pixel: Pillow would clip, not scale
                picture = Image.fromarray((np.asarray(file) / 257).astype(np.uint8))
            rgba = picture.convert("RGBA")
            white = Image.new("RGBA", rgba.size, "white")
            return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise FileMissing(f"{path} cannot be opened: name a readable picture.") from error
    except UnidentifiedImageError as error:
        raise UnsupportedFormat(
            f"{path.name} is no picture: a preset of pictures reads {names} files."
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnsupportedFormat(
            f"{path.name} cannot be read as a picture ({error}): save it again as PNG."
        ) from error


def plot_area(pixels: Pixels) -> tuple[slice, slice]:
    """Return the rows and columns of the plot, without margins, titles, axes and colour bar.

    A picture has margins if at least three of its corners are white. Its columns are then counted:
    a column belongs to the plot if it has at least half as many pixels of another colour as the
    fullest column. The longest run of such columns is the plot; a colour bar is a shorter run, and
    labels are thin. The rows follow in the same way, inside these columns. At last the frame is
    dropped: up to three lines at each side, of which the last is nearly black. A plot smaller than
    0.3 of a side means that the picture has no margins that count.

    A colour map whose quiet end is white leaves too little colour in quiet parts, which are then
    taken for margins.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3).

    Returns
    -------
    Two slices, for rows and columns
    """
    everything = slice(0, pixels.shape[0]), slice(0, pixels.shape[1])
    ink = np.asarray((pixels < WHITE).any(axis=2))
    if int(ink[[0, 0, -1, -1], [0, -1, 0, -1]].sum()) > 1 or not ink.any():
        return everything
    columns = _longest_run(ink.sum(axis=0))
    rows = _longest_run(ink[:, columns].sum(axis=1))
    # Columns again, inside the rows: a title above the plot counts no more.
    columns = _longest_run(ink[rows].sum(axis=0))
    rows, columns = _without_frame(pixels, rows, columns)
    sides = (rows.stop - rows.start, columns.stop - columns.start)
    if any(side < SMALLEST_PLOT * whole for side, whole in zip(sides, ink.shape, strict=True)):
        return everything
    return rows, columns


def picture_image(pixels: Pixels, height: int, width: int) -> Float:
    """Return the network image of a picture: cropped to its plot, resized, 0..255 as 0..1.

    Parameters
    ----------
    pixels
        uint8 (any, any, 3), from `read_picture`.
    height, width
        Size of the image in pixels. Pillow's bilinear filter averages over all pixels of a larger
        picture, so that none is skipped.

    Returns
    -------
    float32 (1, height, width, 3), 0..1
    """
    rows, columns = plot_area(pixels)
    plot = Image.fromarray(np.ascontiguousarray(pixels[rows, columns]))
    resized = plot.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)[np.newaxis] / np.float32(255)


def lightness(image: Float) -> Float:
    """Return the luma (ITU-R BT.601) of RGB values, 0..1: (..., 3) -> (...)."""
    return np.asarray(image @ np.array([0.299, 0.587, 0.114], dtype=np.float32), dtype=np.float32)


def _check_size(path: Path, width: int, height: int) -> None:
    if min(width, height) < SMALLEST_SIDE or width * height > MAX_PIXELS:
        raise UnsupportedFormat(
            f"{path.name} has {width} x {height} pixels: a picture has at least"
            f" {SMALLEST_SIDE} on each side and at most {MAX_PIXELS:,} in all."
        )


def _longest_run(counts: NDArray[np.int64]) -> slice:
    """Return the longest run of counts that reach `PLOT_SHARE` of the largest one."""
    full = np.concatenate([[False], counts >= PLOT_SHARE * counts.max(), [False]])
    edges = np.flatnonzero(full[1:] != full[:-1]).reshape(-1, 2)
    start, stop = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    return slice(int(start), int(stop))


def _without_frame(pixels: Pixels, rows: slice, columns: slice) -> tuple[slice, slice]:
    """Return rows and columns without the frame at each side."""
    dark = (pixels[rows, columns] < FRAME_LEVEL).all(axis=2)
    trimmed = []
    for area, lines in ((rows, dark), (columns, dark.T)):
        full = lines.mean(axis=1) > 0.95
        first = _leading(full)
        last = _leading(full[::-1])
        trimmed.append(slice(area.start + first, area.stop - last))
    return trimmed[0], trimmed[1]


def _leading(lines: NDArray[np.bool_]) -> int:
    """Return how many lines at the start belong to a frame: up to its last full line.

    A frame begins with a lighter line where it lies between two pixels. Four full lines are no
    frame but a dark plot.
    """
    edge = lines[: FRAME_WIDTH + 1]
    if not edge.any() or lines[: FRAME_WIDTH + 2].all():
        return 0
    return int(np.flatnonzero(edge)[-1]) + 1
