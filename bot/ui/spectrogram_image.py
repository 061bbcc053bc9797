"""Draw the preview of an analysis as a small PNG with time and frequency axes.

``render`` takes about 30 ms; call it in a thread.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from genrec.preset import Preset
from genrec.types import Analysis

Levels = NDArray[np.uint8]

SCALE = 2  # pixels per point: phones and laptops have dense screens
WIDTH, HEIGHT = 400, 170  # of the whole picture, in points
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 22  # margins that hold the axes, in points
FONT_SIZE = 10

# Discord's dark grey, and a colour map from it over violet and coral to pale yellow. Its lightness
# only rises, so it also works in greyscale and for colour-blind readers.
BACKGROUND = (30, 31, 36)
INK = (181, 186, 196)
INK_OF_TICKS, INK_OF_TEXT = 102, 255  # opacity of the ink, 0..255
COLOUR_MAP = (
    (0.00, (22, 23, 30)),
    (0.20, (44, 30, 84)),
    (0.40, (107, 40, 128)),
    (0.60, (188, 55, 120)),
    (0.78, (246, 110, 92)),
    (0.92, (254, 190, 120)),
    (1.00, (252, 248, 200)),
)

COLOURS, GREYS = 64, 32  # palette sizes; larger ones look the same
QUIETEST_PERCENT = 5  # percentile of the levels that is drawn as silence
MIN_RANGE_DB = 30.0  # keeps faint noise from being stretched to full contrast

FREQUENCIES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
TIME_STEPS_S = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MAX_TIME_TICKS = 8


def draw_preview(analysis: Analysis, preset: Preset) -> bytes | None:
    """Return the spectrogram PNG of an analysis, or None if it has no preview."""
    if analysis.preview is None:
        return None
    config = preset.spectrogram
    return render(
        analysis.preview,
        seconds=analysis.analyzed_s,
        fmin=config.fmin,
        fmax=config.fmax,
        top_db=config.top_db,
    )


def render(
    preview: Levels,
    *,
    seconds: float,
    fmin: float = 0.0,
    fmax: float = 11025.0,
    top_db: float = 80.0,
) -> bytes:
    """Return a PNG of a log-mel spectrogram, 800 x 340 pixels.

    ``preview`` is uint8 (bands, columns): 0..255 for -top_db..0 dB, row 0 the lowest band. The
    bands are evenly spaced on librosa's (Slaney's) mel scale from ``fmin`` to ``fmax`` Hz.
    ``seconds`` is the duration of the columns together. ValueError for another shape or type.
    """
    if preview.ndim != 2 or not preview.size or preview.dtype != np.uint8:
        raise ValueError(
            f"preview is {preview.dtype} of shape {preview.shape}: expected uint8 (bands, columns)"
        )
    plot = _plot(preview, top_db)
    axes = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE))
    draw, font = ImageDraw.Draw(axes), ImageFont.load_default(FONT_SIZE * SCALE)
    _frequency_axis(draw, font, plot.shape[0], fmin, fmax)
    _time_axis(draw, font, plot.shape, max(seconds, 0.001))
    # One palette holds the plot's colours and then the axes' greys. So neither bleeds into the
    # other, and the file is small.
    pixels = np.asarray(axes) // (256 // GREYS) + COLOURS
    left, top = LEFT * SCALE, TOP * SCALE
    pixels[top : top + plot.shape[0], left : left + plot.shape[1]] = plot
    image = Image.fromarray(pixels)
    image.putpalette(_palette().tobytes())
    png = BytesIO()
    image.save(png, "PNG", compress_level=4)  # level 9 saves 5 % and takes four times as long
    return png.getvalue()


def _plot(preview: Levels, top_db: float) -> Levels:
    """Return the palette index of each pixel: the preview resized, with stretched contrast."""
    quiet, loud = float(np.percentile(preview, QUIETEST_PERCENT)), float(preview.max())
    contrast = max(loud - quiet, 255 * MIN_RANGE_DB / top_db)
    level = np.clip((preview[::-1] - (loud - contrast)) / contrast, 0.0, 1.0)
    size = ((WIDTH - LEFT - RIGHT) * SCALE, (HEIGHT - TOP - BOTTOM) * SCALE)
    grey = Image.fromarray(np.round(255 * level).astype(np.uint8))
    smooth = np.asarray(grey.resize(size, Image.Resampling.LANCZOS))
    return smooth // np.uint8(256 // COLOURS)


def _palette() -> Levels:
    """Return the plot's colours followed by the axes' greys, uint8 (COLOURS + GREYS, 3)."""
    positions, stops = np.linspace(0, 1, COLOURS), [stop for stop, _ in COLOUR_MAP]
    channels = [
        np.interp(positions, stops, [colour[i] for _, colour in COLOUR_MAP]) for i in range(3)
    ]
    greys = np.linspace(BACKGROUND, INK, GREYS)
    return np.round(np.vstack([np.stack(channels, axis=1), greys])).astype(np.uint8)


def _frequency_axis(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    height: int,
    fmin: float,
    fmax: float,
) -> None:
    left, top = LEFT * SCALE, TOP * SCALE
    low, high = _mel(fmin), _mel(fmax)
    last_y = float("inf")
    for hz in FREQUENCIES_HZ:
        if not fmin <= hz <= fmax:
            continue
        y = top + height * (1 - (_mel(hz) - low) / (high - low))
        if last_y - y < 1.5 * FONT_SIZE * SCALE:
            continue
        last_y = y
        draw.line(((left - 4 * SCALE, y), (left - SCALE, y)), fill=INK_OF_TICKS, width=SCALE)
        text = f"{hz // 1000}k" if hz >= 1000 else str(hz)
        draw.text((left - 6 * SCALE, y), text, fill=INK_OF_TEXT, font=font, anchor="rm")
    draw.text((2 * SCALE, top + height + 6 * SCALE), "Hz", fill=INK_OF_TEXT, font=font, anchor="la")


def _time_axis(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, ...],
    seconds: float,
) -> None:
    left, (height, width) = LEFT * SCALE, size
    bottom = TOP * SCALE + height
    step = next((s for s in TIME_STEPS_S if seconds / s <= MAX_TIME_TICKS), TIME_STEPS_S[-1])
    for i in range(min(int(seconds / step), 2 * MAX_TIME_TICKS) + 1):
        x = left + width * i * step / seconds
        draw.line(((x, bottom + SCALE), (x, bottom + 4 * SCALE)), fill=INK_OF_TICKS, width=SCALE)
        text = f"{i * step:g} s"
        # The first and the last label stay inside the plot.
        half_width = draw.textlength(text, font=font) / 2
        x = min(max(x, left + half_width), left + width - half_width + 0.5 * RIGHT * SCALE)
        draw.text((x, bottom + 6 * SCALE), text, fill=INK_OF_TEXT, font=font, anchor="ma")


def _mel(hz: float) -> float:
    """Convert Hz to mel (Slaney, librosa's default): linear to 1 kHz, logarithmic above."""
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))
