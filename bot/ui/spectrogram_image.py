"""Draw the preview of an analysis as a small PNG with time and frequency axes, and its marks.

``render`` takes about 30 ms; call it in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bot.ui.beat_grid import beats
from genrec.preset import Preset
from genrec.types import Analysis

Levels = NDArray[np.uint8]
Parts = Sequence[tuple[float, float]]

SCALE = 2  # pixels per point: phones and laptops have dense screens
WIDTH, HEIGHT = 400, 170  # of the whole picture, in points
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 22  # margins that hold the axes, in points
FONT_SIZE = 10
LOWER_HEIGHT = 130  # of the nearest track's spectrogram, in points
STRIP = 26  # height of the strip that shows the parts of the file, in points
DASH = 4  # length of a dash where something was cut out, in points
HEARD_SHARE = 0.98  # of a file; above it nothing was left out that one would see

# Discord's dark grey, and a colour map from it over violet and coral to pale yellow. Its lightness
# only rises, so it also works in greyscale and for colour-blind readers.
BACKGROUND = (30, 31, 36)
INK = (181, 186, 196)
INK_OF_TICKS, INK_OF_TEXT, INK_OF_GAPS = 102, 255, 56  # opacity of the ink, 0..255
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
LIGHTEST = COLOURS + GREYS - 1
QUIETEST_PERCENT = 5  # percentile of the levels that is drawn as silence
MIN_RANGE_DB = 30.0  # keeps faint noise from being stretched to full contrast

FREQUENCIES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
TIME_STEPS_S = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MAX_TIME_TICKS = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn PNG and what it shows beside the clip's spectrogram.

    ``parts`` is True for a strip with the analysed parts of the file, ``bpm`` the tempo of the
    beats, and ``nearest`` True for the spectrogram of the nearest track.
    """

    png: bytes
    parts: bool = False
    bpm: float | None = None
    nearest: bool = False


def draw_preview(
    analysis: Analysis, nearest: Analysis | None = None, *, preset: Preset
) -> Picture | None:
    """Return the picture of an analysis, or None if it has no preview.

    Below it is the spectrogram of the nearest track, if that is given and has a preview.
    """
    if analysis.preview is None:
        return None
    config, described = preset.spectrogram, analysis.description
    other = None if nearest is None else nearest.preview
    parts = shows_parts(analysis.parts, analysis.duration_s)
    bpm = None if described is None else described.sure_bpm
    whole = not parts or len(analysis.parts) == 1  # a cut shifts the beats after it
    ticks = beats(analysis.preview, analysis.analyzed_s, bpm) if bpm and whole else []
    png = render(
        analysis.preview,
        seconds=analysis.analyzed_s,
        fmin=config.fmin,
        fmax=config.fmax,
        top_db=config.top_db,
        parts=analysis.parts,
        duration_s=analysis.duration_s,
        ticks=ticks,
        nearest=None if nearest is None or other is None else (other, nearest.analyzed_s),
    )
    return Picture(png, parts=parts, bpm=bpm if ticks else None, nearest=other is not None)


def shows_parts(parts: Parts, duration_s: float) -> bool:
    """Return whether a picture marks the parts of the file: only if some was left out."""
    heard_s = sum(end - start for start, end in parts)
    return bool(parts) and heard_s < HEARD_SHARE * max(duration_s, parts[-1][1])


def render(
    preview: Levels,
    *,
    seconds: float,
    fmin: float = 0.0,
    fmax: float = 11025.0,
    top_db: float = 80.0,
    parts: Parts = (),
    duration_s: float = 0.0,
    ticks: Sequence[float] = (),
    nearest: tuple[Levels, float] | None = None,
) -> bytes:
    """Return a PNG of a log-mel spectrogram, 800 pixels wide and at least 340 high.

    Parameters
    ----------
    preview
        uint8 (bands, columns): 0..255 for -top_db..0 dB, row 0 the lowest band. The bands are
        evenly spaced on librosa's (Slaney's) mel scale from ``fmin`` to ``fmax`` Hz.
    seconds
        Duration of the columns together.
    parts, duration_s
        Stretches of the file in the preview, and the file's length, in seconds. A strip below the
        plot shows them, and dashed lines in the plot show where something was cut out.
    ticks
        Times of beats in seconds, for ticks above the plot.
    nearest
        Preview and seconds of the nearest track, for a plot of its own.

    Raises
    ------
    ValueError
        A preview has another shape or type.
    """
    marked = shows_parts(parts, duration_s)
    cuts = _cuts(parts, seconds) if marked else []
    rows = [_panel(preview, seconds, (fmin, fmax, top_db), cuts=cuts, ticks=ticks)]
    if marked:
        rows.append(_strip(parts, max(duration_s, parts[-1][1])))
    if nearest is not None:
        rows.append(_panel(*nearest, (fmin, fmax, top_db), label="1.", height=LOWER_HEIGHT))
    image = Image.fromarray(np.vstack(rows))
    image.putpalette(_palette().tobytes())
    png = BytesIO()
    image.save(png, "PNG", compress_level=4)  # level 9 saves 5 % and takes four times as long
    return png.getvalue()


def _panel(
    preview: Levels,
    seconds: float,
    front_end: tuple[float, float, float],
    *,
    cuts: Sequence[float] = (),
    ticks: Sequence[float] = (),
    label: str = "",
    height: int = HEIGHT,
) -> Levels:
    """Return the palette indices of one spectrogram with its axes and marks."""
    if preview.ndim != 2 or not preview.size or preview.dtype != np.uint8:
        raise ValueError(
            f"preview is {preview.dtype} of shape {preview.shape}: expected uint8 (bands, columns)"
        )
    fmin, fmax, top_db = front_end
    plot, seconds = _plot(preview, top_db, height), max(seconds, 0.001)
    axes = Image.new("L", (WIDTH * SCALE, height * SCALE))
    draw, font = ImageDraw.Draw(axes), ImageFont.load_default(FONT_SIZE * SCALE)
    _frequency_axis(draw, font, plot.shape[0], fmin, fmax)
    _time_axis(draw, font, plot.shape, seconds)
    left, top = LEFT * SCALE, TOP * SCALE
    for time in ticks:
        x = left + plot.shape[1] * time / seconds
        draw.line(((x, top - 5 * SCALE), (x, top - 2 * SCALE)), fill=INK_OF_TEXT, width=SCALE)
    draw.text((SCALE, top), label, fill=INK_OF_TEXT, font=font, anchor="la")
    # One palette holds the plot's colours and then the axes' greys. So neither bleeds into the
    # other, and the file is small.
    pixels = np.asarray(axes) // (256 // GREYS) + COLOURS
    pixels[top : top + plot.shape[0], left : left + plot.shape[1]] = plot
    for time in cuts:
        x = left + min(round(plot.shape[1] * time / seconds), plot.shape[1] - SCALE)
        for y in range(top, top + plot.shape[0], 2 * DASH * SCALE):
            pixels[y : min(y + DASH * SCALE, top + plot.shape[0]), x : x + SCALE] = LIGHTEST
    return np.asarray(pixels, dtype=np.uint8)


def _strip(parts: Parts, duration_s: float) -> Levels:
    """Return the palette indices of a strip for the whole file, light where it was analysed."""
    axes = Image.new("L", (WIDTH * SCALE, STRIP * SCALE))
    draw, font = ImageDraw.Draw(axes), ImageFont.load_default(FONT_SIZE * SCALE)
    left, right = LEFT * SCALE, (WIDTH - RIGHT) * SCALE
    top, bottom = 2 * SCALE, 9 * SCALE
    draw.rectangle((left, top, right, bottom), fill=INK_OF_GAPS)
    for start, end in parts:
        a, b = (left + (right - left) * time / duration_s for time in (start, end))
        draw.rectangle((a, top, max(b, a + SCALE), bottom), fill=INK_OF_TEXT)
    for x, time, anchor in ((left, 0.0, "la"), (right, duration_s, "ra")):
        clock = f"{int(time // 60)}:{int(time % 60):02}"
        draw.text((x, bottom + 3 * SCALE), clock, fill=INK_OF_TEXT, font=font, anchor=anchor)
    return np.asarray(np.asarray(axes) // (256 // GREYS) + COLOURS, dtype=np.uint8)


def _cuts(parts: Parts, seconds: float) -> list[float]:
    """Return the times of the plot at which something was cut out."""
    lengths = np.cumsum([end - start for start, end in parts])[:-1]
    return [float(time) for time in lengths if time < seconds]


def _plot(preview: Levels, top_db: float, height: int) -> Levels:
    """Return the palette index of each pixel: the preview resized, with stretched contrast."""
    quiet, loud = float(np.percentile(preview, QUIETEST_PERCENT)), float(preview.max())
    contrast = max(loud - quiet, 255 * MIN_RANGE_DB / top_db)
    level = np.clip((preview[::-1] - (loud - contrast)) / contrast, 0.0, 1.0)
    size = ((WIDTH - LEFT - RIGHT) * SCALE, (height - TOP - BOTTOM) * SCALE)
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
