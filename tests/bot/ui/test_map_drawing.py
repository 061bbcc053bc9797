"""The drawn map: places, colours, marks, legend and names in any script."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFont

from bot.ui.map_drawing import (
    FAINT,
    HEIGHT,
    MARGIN,
    MAX_GROUPS,
    OTHER,
    PALETTE,
    SHAPES,
    WIDTH,
    MapMark,
    draw_map,
    luminance,
    styles,
)
from bot.ui.map_labels import drawable, spread
from bot.ui.spectrogram_image import BACKGROUND, SCALE


def pixels(png: bytes) -> np.ndarray:
    """Return the RGB values of a PNG."""
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Return the places (x, y) of the pixels with about this colour."""
    rows, columns = np.nonzero(np.abs(picture - np.array(colour)).max(axis=2) <= 12)
    return np.stack([columns, rows], axis=1)


def test_point_is_drawn_at_its_place_in_the_colour_of_its_group():
    plot = pixels(draw_map(np.array([(0, 0), (2, 0), (0, 1)]), ["Jazz", "Jazz", "Rock"]))
    jazz = near(plot[: HEIGHT * SCALE], PALETTE[0])
    rock = near(plot[: HEIGHT * SCALE], PALETTE[1])
    assert plot.shape[1] == WIDTH * SCALE
    assert abs(jazz[:, 0].min() - MARGIN * SCALE) < 10
    assert abs(jazz[:, 0].max() - (WIDTH - MARGIN) * SCALE) < 10
    # Both axes have one scale, and the second axis points upwards.
    distance = jazz[:, 1].mean() - rock[:, 1].mean()
    assert distance == pytest.approx((WIDTH - 2 * MARGIN) * SCALE / 2, abs=8)


def test_mark_is_larger_and_brighter_than_points():
    mark = MapMark(1, 0, "Jazz", "1")
    png = draw_map(np.array([(0, 0), (2, 0)]), ["Jazz", "Jazz"], marks=[mark])
    plot = pixels(png)[: HEIGHT * SCALE]
    faint = tuple(np.round(FAINT * np.array(PALETTE[0]) + (1 - FAINT) * np.array(BACKGROUND)))
    assert len(near(plot, PALETTE[0])) > 400 > len(near(plot, faint)) > 20


def test_way_has_an_arrow_between_its_marks():
    marks = [MapMark(0, 0, "Jazz", "1"), MapMark(1, 0, "Rock", "2")]
    middle = (HEIGHT * SCALE // 2, WIDTH * SCALE // 2)
    with_way = pixels(draw_map(np.zeros((0, 2)), [], marks=marks, way=True))
    without = pixels(draw_map(np.zeros((0, 2)), [], marks=marks))
    assert luminance(tuple(with_way[middle])) > 0.8
    assert luminance(tuple(without[middle])) < 0.05


def test_legend_grows_with_the_groups_and_names_the_rest():
    def height(names: list[str], other: str = "") -> int:
        return len(pixels(draw_map(np.zeros((len(names), 2)), names, other=other)))

    many = [f"Genre number {i}" for i in range(MAX_GROUPS)]
    assert HEIGHT * SCALE == height([""]) < height(["Jazz"]) < height(many)
    assert height([""], other="other genres") == height(["Jazz"])


def test_styles_differ_and_stand_out_from_the_background():
    names = [f"g{i:02}" for i in range(MAX_GROUPS + 3)]
    found = styles([*names, "g16"], ["g05"])
    assert list(found)[:2] == ["g05", "g16"]
    assert len(set(found.values())) == len(found) == MAX_GROUPS
    assert {style.shape for style in found.values()} <= set(SHAPES)
    for colour in (*PALETTE, OTHER):
        contrast = (luminance(colour) + 0.05) / (luminance(BACKGROUND) + 0.05)
        assert contrast >= 3, colour  # WCAG 2 asks for 3 between graphics and their ground


def test_colours_differ_for_colour_blind_readers():
    # Linear simulations of deuteranopia and protanopia: Machado, Oliveira and Fernandes 2009.
    deuteranopia = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    protanopia = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    linear = (np.array(PALETTE) / 255) ** 2.2
    for matrix in (deuteranopia, protanopia):
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2) * 255
        apart = np.abs(seen[:, None] - seen[None]).max(axis=2) + 1000 * np.eye(len(seen))
        assert apart.min() >= 24


def test_discs_at_one_place_move_apart_and_stay_inside():
    discs = spread(np.full((20, 2), 5.0), 40.0, np.array([800.0, 600.0]), 20.0)
    apart = np.hypot(*(discs[:, None] - discs[None]).T) + 1e9 * np.eye(20)
    assert apart.min() >= 39
    assert discs.min() >= 20
    assert discs[:, 0].max() <= 780


def test_discs_that_are_apart_do_not_move():
    places = np.array([(100.0, 100.0), (300.0, 100.0)])
    assert np.abs(spread(places, 40.0, np.array([800.0, 600.0]), 20.0) - places).max() < 0.1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Jazz", "Jazz"), ("ジャズ", "?"), ("Rock ジャズ", "Rock ?"), ("Zoe\u0301", "Zoe")],
)
def test_name_is_drawn_in_the_letters_of_the_font(text: str, shown: str):
    assert drawable(text, ImageFont.load_default(20)) == shown


@pytest.mark.parametrize("place", [np.nan, np.inf])
def test_place_that_is_no_number_is_an_error(place: float):
    with pytest.raises(ValueError, match="not a finite number"):
        draw_map(np.array([(place, 0.0)]), ["Jazz"])


def test_one_place_and_many_equal_places_are_drawn():
    for n in (1, 5):
        assert len(near(pixels(draw_map(np.ones((n, 2)), ["Jazz"] * n)), PALETTE[0])) > 20
    with pytest.raises(ValueError, match="one each is needed"):
        draw_map(np.ones((2, 2)), ["Jazz"])
