"""Draw tracks on a plane as a PNG: points by group, numbered marks, a way between them, a legend.

``draw_map`` takes 0.1 s for some hundreds of points; call it in a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bot.ui.map_labels import drawable, spread
from bot.ui.spectrogram_image import BACKGROUND, INK, SCALE

Plane = NDArray[np.float64]
Colour = tuple[int, int, int]
Spot = tuple[float, float]

WIDTH, HEIGHT = 400, 300  # of the plot, in points
MARGIN = 22  # around the plot's points, so that a mark at the edge is whole
SMOOTH = 2  # pixels that are drawn for each pixel of the picture, in each direction
POINT, MARK = 2.6, 9.0  # radii in points
FONT_SIZE, MARK_FONT_SIZE = 10, 11
LINE = 15  # height of a line of the legend, in points
GAP = 12  # between two entries of the legend, in points
MAX_NAME = 24  # characters of a group's name in the legend
FAINT = 0.5  # opacity of points beside marks
COLOURS_IN_FILE = 96

# Colours for all kinds of colour vision (Okabe and Ito 2008, "Color Universal Design"), without
# black; blue is lightened for the dark background. Shapes tell more groups than there are colours.
PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (64, 128, 220),
)
SHAPES = ("disc", "square", "triangle", "diamond")
OTHER: Colour = (128, 132, 142)
LIGHT, DARK = (255, 255, 255), (16, 17, 20)
MAX_GROUPS = len(PALETTE) * 2


@dataclass(frozen=True, slots=True)
class MapStyle:
    """Drawing style of a group's points: the colour and one of ``SHAPES``."""

    colour: Colour = OTHER
    shape: str = "disc"


@dataclass(frozen=True, slots=True)
class MapMark:
    """A track that stands out, such as a song of a way: its place, group and one or two letters."""

    x: float
    y: float
    group: str
    text: str


def styles(groups: Sequence[str], first: Sequence[str] = ()) -> dict[str, MapStyle]:
    """Return a style for each of the most frequent groups, those of ``first`` before the others.

    The groups beyond ``MAX_GROUPS``, and tracks without a group, have none.
    """
    counts = Counter(group for group in groups if group)
    names = [*dict.fromkeys(name for name in first if name)]
    names += [name for name, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
    return {
        name: MapStyle(PALETTE[i % len(PALETTE)], SHAPES[i // len(PALETTE) % len(SHAPES)])
        for i, name in enumerate([*dict.fromkeys(names)][:MAX_GROUPS])
    }


def draw_map(
    points: Plane,
    groups: Sequence[str],
    *,
    marks: Sequence[MapMark] = (),
    way: bool = False,
    other: str = "",
    first: Sequence[str] = (),
    size: tuple[int, int] = (WIDTH, HEIGHT),
    radius: float = POINT,
) -> bytes:
    """Return a PNG of tracks on a plane, at two pixels a point, on a dark background of its own.

    Both axes have one scale, so that distances compare. The legend below names the groups.

    Parameters
    ----------
    points
        float (n, 2), the places of the tracks.
    groups
        Group of each track, such as its genre; "" for none.
    marks
        Tracks that stand out. Marks that would cover each other move apart, with a line to their
        place.
    way
        True for an arrow from each mark to the next.
    other
        Legend of the points without a style; "" for none.
    first
        Groups that have their styles before the other ones, after those of the marks.
    size
        Width and height of the plot in points; the legend is added below.
    radius
        Of a point, in points.

    Raises
    ------
    ValueError
        There is not one place for each group, or a place is not finite.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(points) != len(groups):
        raise ValueError(f"points: {len(points)} for {len(groups)} groups; one each is needed")
    spots = np.vstack([points, np.array([(m.x, m.y) for m in marks]).reshape(-1, 2)])
    if not np.isfinite(spots).all():
        raise ValueError("points: a place is not a finite number")
    known = styles(groups, [*(mark.group for mark in marks), *first])
    drawn = {name: style for name, style in known.items() if _shown(name, groups, marks)}
    rest = other if any(group not in known for group in groups) else ""
    scale = SCALE * SMOOTH
    lines = _legend_lines(drawn, rest, size[0], _font(FONT_SIZE))
    height = size[1] + LINE * len(lines) + (GAP if lines else 0)
    image = Image.new("RGB", (size[0] * scale, height * scale), BACKGROUND)
    draw = ImageDraw.Draw(image)
    placed = _placed(spots, size) * scale
    faint = FAINT if marks else 1.0
    for place, group in _other_points_first(placed[: len(points)], groups, known):
        style = known.get(group, MapStyle())
        _shape(draw, place, radius * scale, MapStyle(_mixed(style.colour, faint), style.shape))
    _draw_marks(draw, placed[len(points) :], marks, known, way, size)
    _draw_legend(draw, lines, size[1])
    small = image.reduce(SMOOTH).quantize(COLOURS_IN_FILE, dither=Image.Dither.NONE)
    png = BytesIO()
    small.save(png, "PNG", optimize=True)
    return png.getvalue()


def _shown(name: str, groups: Sequence[str], marks: Sequence[MapMark]) -> bool:
    return name in groups or any(mark.group == name for mark in marks)


def _placed(spots: Plane, size: tuple[int, int]) -> Plane:
    """Return the places in points of the picture: one scale for both axes, the middle centred."""
    if not len(spots):
        return spots
    low, high = spots.min(axis=0), spots.max(axis=0)
    room = np.array(size) - 2 * MARGIN
    extent = np.maximum(high - low, 1e-9)
    factor = float((room / extent).min()) if (high > low).any() else 1.0
    centred = (spots - (low + high) / 2) * factor
    placed: Plane = np.array([1.0, -1.0]) * centred + np.array(size) / 2
    return placed


def _other_points_first(
    places: Plane, groups: Sequence[str], known: Mapping[str, MapStyle]
) -> list[tuple[Spot, str]]:
    """Return the points in the order in which they are drawn: those without a style below."""
    order = sorted(range(len(groups)), key=lambda i: groups[i] in known)
    return [((float(places[i, 0]), float(places[i, 1])), groups[i]) for i in order]


def _draw_marks(
    draw: ImageDraw.ImageDraw,
    places: Plane,
    marks: Sequence[MapMark],
    known: Mapping[str, MapStyle],
    way: bool,
    size: tuple[int, int],
) -> None:
    scale = SCALE * SMOOTH
    radius = MARK * scale
    discs = spread(places, 2.1 * radius, np.array(size) * scale, radius + scale)
    if way:
        for start, end in pairwise(discs):
            _arrow(draw, start, end, radius)
    font = _font(MARK_FONT_SIZE, scale)
    for mark, place, disc in zip(marks, places, discs, strict=True):
        if np.hypot(*(place - disc)) > radius:
            draw.line((tuple(place), tuple(disc)), fill=_mixed(LIGHT, 0.6), width=scale // 2)
            _shape(draw, tuple(place), 2 * scale, MapStyle(LIGHT))
        colour = known.get(mark.group, MapStyle()).colour
        _shape(draw, tuple(disc), radius + scale, MapStyle(LIGHT))
        _shape(draw, tuple(disc), radius, MapStyle(colour))
        ink = DARK if luminance(colour) > 0.18 else LIGHT
        draw.text(tuple(disc), mark.text, fill=ink, font=font, anchor="mm")


def _arrow(draw: ImageDraw.ImageDraw, start: Plane, end: Plane, radius: float) -> None:
    """Draw an arrow between the edges of two marks; none if they touch."""
    length = float(np.hypot(*(end - start)))
    head = 5.0 * SCALE * SMOOTH
    if length < 2 * radius + head / 2:
        return
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    tip = end - along * (radius + SCALE * SMOOTH)
    neck = tip - along * head
    draw.line((tuple(start), tuple(neck)), fill=LIGHT, width=int(1.4 * SCALE * SMOOTH))
    sides = (tip, neck + across * head / 2, neck - across * head / 2)
    draw.polygon([tuple(side) for side in sides], fill=LIGHT)


def _shape(
    draw: ImageDraw.ImageDraw, place: tuple[float, ...], radius: float, style: MapStyle
) -> None:
    x, y = place
    if style.shape == "disc":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=style.colour)
        return
    if style.shape == "square":
        radius *= 0.88  # the areas of all shapes look alike
        draw.rectangle((x - radius, y - radius, x + radius, y + radius), fill=style.colour)
        return
    r = 1.25 * radius
    corners = [(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)]
    if style.shape == "diamond":
        corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
    draw.polygon(corners, fill=style.colour)


def _legend_lines(
    drawn: Mapping[str, MapStyle], rest: str, width: int, font: ImageFont.FreeTypeFont
) -> list[list[tuple[str, MapStyle, float]]]:
    """Return the legend's lines: for each entry its text, its style and its x in points."""
    entries = [(name, style) for name, style in drawn.items()]
    entries += [(rest, MapStyle())] if rest else []
    lines: list[list[tuple[str, MapStyle, float]]] = []
    x = float(width)
    for name, style in entries:
        text = drawable(name, font)
        text = text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "\u2026"
        needed = GAP + font.getlength(text)
        if x + needed > width - GAP:
            lines.append([])
            x = float(GAP)
        lines[-1].append((text, style, x))
        x += needed + GAP
    return lines


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[Sequence[tuple[str, MapStyle, float]]],
    top: int,
) -> None:
    scale = SCALE * SMOOTH
    font = _font(FONT_SIZE, scale)
    for row, line in enumerate(lines):
        y = (top + LINE * (row + 0.5)) * scale
        for text, style, x in line:
            _shape(draw, ((x + POINT) * scale, y), 1.5 * POINT * scale, style)
            draw.text(((x + GAP) * scale, y), text, fill=INK, font=font, anchor="lm")


def _font(size: int, scale: int = 1) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * scale)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow has no FreeType. Install its wheel: pip install --force pillow")
    return font


def _mixed(colour: Colour, opacity: float) -> Colour:
    """Return a colour over the background."""
    red, green, blue = (
        round(opacity * c + (1 - opacity) * b) for c, b in zip(colour, BACKGROUND, strict=True)
    )
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Return the relative luminance of an sRGB colour (WCAG 2), 0..1."""
    levels = np.array(colour) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
