"""The clip's spectrogram as a small PNG with seconds and hertz along it, for dark and light themes.

``render`` takes some thirty milliseconds: call it in a thread.
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

# Discord's dark grey behind, and a path from it over violet and coral to pale yellow whose
# lightness only rises, so that it reads without colour vision and in grey.
BACKGROUND = (30, 31, 36)
INK = (181, 186, 196)
INK_OF_TICKS, INK_OF_TEXT = 102, 255  # how much of the ink, of 255
PATH = (
    (0.00, (22, 23, 30)),
    (0.20, (44, 30, 84)),
    (0.40, (107, 40, 128)),
    (0.60, (188, 55, 120)),
    (0.78, (246, 110, 92)),
    (0.92, (254, 190, 120)),
    (1.00, (252, 248, 200)),
)

COLOURS, GREYS = 64, 32  # in the palette; more can hardly be told from these
QUIETEST_PERCENT = 5  # of the levels are drawn as silence
LEAST_DEPTH_DB = 30.0  # so that faint noise is not drawn as if it were loud and soft

FREQUENCIES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
TIME_STEPS_S = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TIME_TICKS = 8


def draw_preview(analysis: Analysis, preset: Preset) -> bytes | None:
    """Return the picture of what was heard in a clip; None where nothing of it was kept."""
    if analysis.preview is None:
        return None
    heard_with = preset.spectrogram
    return render(
        analysis.preview,
        seconds=analysis.analyzed_s,
        fmin=heard_with.fmin,
        fmax=heard_with.fmax,
        top_db=heard_with.top_db,
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

    ``preview`` is uint8 (bands, columns), 0..255 for -top_db..0 dB, row 0 the lowest of the bands,
    which lie evenly on librosa's (Slaney's) mel scale from ``fmin`` to ``fmax`` Hz. ``seconds`` is
    the length of sound it covers.
    """
    if preview.ndim != 2 or not preview.size or preview.dtype != np.uint8:
        raise ValueError(
            f"preview is {preview.dtype} of shape {preview.shape}; uint8 (bands, columns) is needed"
        )
    plot = _plot(preview, top_db)
    axes = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE))
    draw, font = ImageDraw.Draw(axes), ImageFont.load_default(FONT_SIZE * SCALE)
    _frequency_axis(draw, font, plot.shape[0], fmin, fmax)
    _time_axis(draw, font, plot.shape, max(seconds, 0.001))
    # Colours of the plot first, then the greys of the axes: with a palette of both, neither bleeds
    # into the other and the file is small.
    pixels = np.asarray(axes) // (256 // GREYS) + COLOURS
    left, top = LEFT * SCALE, TOP * SCALE
    pixels[top : top + plot.shape[0], left : left + plot.shape[1]] = plot
    image = Image.fromarray(pixels)
    image.putpalette(_palette().tobytes())
    png = BytesIO()
    image.save(png, "PNG", compress_level=4)  # 9 saves a twentieth in four times as long
    return png.getvalue()


def _plot(preview: Levels, top_db: float) -> Levels:
    """Stretch a preview to the plot's contrast and size: a colour's number for each pixel."""
    quiet, loud = float(np.percentile(preview, QUIETEST_PERCENT)), float(preview.max())
    depth = max(loud - quiet, 255 * LEAST_DEPTH_DB / top_db)
    level = np.clip((preview[::-1] - (loud - depth)) / depth, 0.0, 1.0)
    size = ((WIDTH - LEFT - RIGHT) * SCALE, (HEIGHT - TOP - BOTTOM) * SCALE)
    grey = Image.fromarray(np.round(255 * level).astype(np.uint8))
    smooth = np.asarray(grey.resize(size, Image.Resampling.LANCZOS))
    return smooth // np.uint8(256 // COLOURS)


def _palette() -> Levels:
    """Return the colours of the plot, then the greys of the axes, uint8 (n, 3)."""
    at, stops = np.linspace(0, 1, COLOURS), [stop for stop, _ in PATH]
    channels = [np.interp(at, stops, [colour[i] for _, colour in PATH]) for i in range(3)]
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
    step = next((s for s in TIME_STEPS_S if seconds / s <= MOST_TIME_TICKS), TIME_STEPS_S[-1])
    for i in range(min(int(seconds / step), 2 * MOST_TIME_TICKS) + 1):
        x = left + width * i * step / seconds
        draw.line(((x, bottom + SCALE), (x, bottom + 4 * SCALE)), fill=INK_OF_TICKS, width=SCALE)
        text = f"{i * step:g} s"
        # The first and the last label stay inside the plot.
        half = draw.textlength(text, font=font) / 2
        x = min(max(x, left + half), left + width - half + 0.5 * RIGHT * SCALE)
        draw.text((x, bottom + 6 * SCALE), text, fill=INK_OF_TEXT, font=font, anchor="ma")


def _mel(hz: float) -> float:
    """Hertz to mel as librosa does by default: linear to 1 kHz, logarithmic above (Slaney)."""
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))
