"""Pictures of spectrograms: decoding, the crop of margins, hostile files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from genrec.errors import FileMissing, UnsupportedFormat
from genrec.pictures import lightness, picture_image, plot_area, read_picture

Pixels = NDArray[np.uint8]


def spectrogram(rows: int = 60, columns: int = 90) -> Pixels:
    """Return grey noise, dark at the top as quiet treble is."""
    rng = np.random.default_rng(1)
    grey = rng.integers(40, 200, (rows, columns)) * np.linspace(0.2, 1, rows)[:, np.newaxis]
    return np.repeat(grey.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def plotted(path: Path, *, axes_on: bool, colour_bar: bool) -> None:
    """Save noise as Matplotlib plots it: margins, and axes and a colour bar if wanted."""
    figure = Figure(figsize=(4.32, 2.88))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    levels = np.random.default_rng(2).uniform(-80, 0, (128, 300))
    drawn = axes.imshow(levels, aspect="auto", cmap="magma")
    axes.set_title("mel spectrogram")
    axes.set_xlabel("time")
    if colour_bar:
        figure.colorbar(drawn)
    if not axes_on:
        axes.set_axis_off()
        axes.set_title("")
    figure.savefig(path, dpi=100)


def saved(path: Path, pixels: Pixels, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def test_picture_without_margins_is_not_cropped(tmp_path: Path) -> None:
    pixels = spectrogram()
    assert plot_area(pixels) == (slice(0, 60), slice(0, 90))
    read = read_picture(saved(tmp_path / "a.png", pixels))
    assert np.array_equal(read, pixels)


@pytest.mark.parametrize(("left", "right", "top", "bottom"), [(54, 43, 35, 31), (5, 60, 9, 0)])
def test_white_margins_are_cropped_to_the_pixel(
    left: int, right: int, top: int, bottom: int
) -> None:
    pixels = spectrogram(140, 200)
    framed = np.pad(pixels, ((top, bottom), (left, right), (0, 0)), constant_values=255)
    if not bottom:  # a plot that reaches an edge still has white corners at the others
        framed[-1, 0] = framed[-1, -1] = 255
    rows, columns = plot_area(framed)
    assert (rows, columns) == (slice(top, top + 140), slice(left, left + 200))


@pytest.mark.parametrize("axes_on", [False, True])
@pytest.mark.parametrize("colour_bar", [False, True])
def test_plot_of_matplotlib_is_cropped_to_its_axes(
    tmp_path: Path, axes_on: bool, colour_bar: bool
) -> None:
    plotted(tmp_path / "a.png", axes_on=axes_on, colour_bar=colour_bar)
    rows, columns = plot_area(read_picture(tmp_path / "a.png"))
    # Matplotlib's defaults: the axes begin at 0.125 and 0.12 of 432 x 288 pixels.
    assert abs(columns.start - 54) <= 2
    assert abs(rows.start - 35) <= 2
    assert abs(rows.stop - 256) <= 2
    assert abs(columns.stop - (321 if colour_bar else 389)) <= 2


def test_nearly_empty_picture_is_kept_whole() -> None:
    pixels = np.full((100, 100, 3), 255, dtype=np.uint8)
    assert plot_area(pixels) == (slice(0, 100), slice(0, 100))
    pixels[45:50, 45:50] = 0  # a dot is no plot
    assert plot_area(pixels) == (slice(0, 100), slice(0, 100))


def test_image_is_the_resized_plot_between_0_and_1() -> None:
    pixels = np.pad(spectrogram(), ((20, 20), (30, 30), (0, 0)), constant_values=255)
    image = picture_image(pixels, 32, 48)
    assert (image.shape, image.dtype) == ((1, 32, 48, 3), np.float32)
    assert 0 <= image.min() < image.max() < 0.8  # no white margin is left
    whole = spectrogram().mean() / 255
    assert image.mean() == pytest.approx(whole, abs=0.01)
    assert lightness(image).shape == (1, 32, 48)
    assert lightness(np.ones((1, 3), dtype=np.float32)) == pytest.approx([1.0])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "I;16"])
def test_all_png_modes_give_the_same_pixels(tmp_path: Path, mode: str) -> None:
    pixels = spectrogram()
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    elif mode == "P":
        picture = Image.fromarray(pixels).quantize(256)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "a.png")
    difference = read_picture(tmp_path / "a.png").astype(int) - pixels
    assert abs(difference).max() <= 2


def test_transparent_margin_is_white(tmp_path: Path) -> None:
    rgba = np.zeros((80, 100, 4), dtype=np.uint8)
    rgba[10:70, 5:95, :3] = spectrogram()
    rgba[10:70, 5:95, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    rows, columns = plot_area(read_picture(tmp_path / "a.png"))
    assert (rows, columns) == (slice(10, 70), slice(5, 95))


def test_jpeg_margins_are_cropped_despite_its_ringing(tmp_path: Path) -> None:
    framed = np.pad(spectrogram(140, 200), ((30, 30), (40, 40), (0, 0)), constant_values=255)
    rows, columns = plot_area(read_picture(saved(tmp_path / "a.jpg", framed, quality=75)))
    assert abs(rows.start - 30) <= 2
    assert abs(columns.stop - 240) <= 2


def bomb() -> bytes:
    """Return a PNG whose header promises 60,000 x 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data
        chunks += struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def png(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no picture"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "is no picture: a preset of pictures reads PNG and JPEG"),
        (b"GIF89a\x10\x00\x10\x00\x00\x00\x00;", "is no picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "cannot be read as a picture|is no picture"),
        (png(spectrogram())[:-900], "cannot be read as a picture"),
        (bomb(), "60000 x 60000 pixels|cannot be read as a picture"),
        (png(np.zeros((4, 90, 3), dtype=np.uint8)), "90 x 4 pixels: a picture has at least 8"),
    ],
    ids=["empty", "wav", "gif", "header", "cut", "bomb", "thin"],
)
def test_other_and_damaged_files_are_refused_with_a_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFormat, match=sentence):
        read_picture(path)


def test_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"none\.png cannot be opened"):
        read_picture(tmp_path / "none.png")
