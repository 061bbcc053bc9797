"""The picture: sized, light of weight, with its axes where they belong."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bot.picture import BACKGROUND, BOTTOM, HEIGHT, LEFT, RIGHT, SCALE, TOP, WIDTH, _mel, render


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def plot_of(picture: np.ndarray) -> np.ndarray:
    return picture[TOP * SCALE : -BOTTOM * SCALE, LEFT * SCALE : -RIGHT * SCALE].sum(axis=2)


def noise(columns: int = 387) -> np.ndarray:
    return np.random.default_rng(1).uniform(-80, 0, (128, columns)).astype(np.float32)


def test_size_in_pixels_and_bytes():
    png = render(noise(), seconds=30.0)
    assert pixels(png).shape == (HEIGHT * SCALE, WIDTH * SCALE, 3)
    assert len(png) < 300_000  # noise is the worst case


def test_low_bands_are_at_the_bottom_and_time_runs_to_the_right():
    S = np.full((128, 100), -80, np.float32)
    S[:10, 50:] = 0
    plot = plot_of(pixels(render(S, seconds=10.0)))
    half, right = plot.shape[0] // 2, plot.shape[1] // 2
    bright, dark = plot[-10, -10], plot[10, 10]
    assert bright > dark + 300
    assert plot[half:, :right].max() < bright - 100 or plot[half:, : right - 20].max() < dark + 100
    assert plot[:half].max() < dark + 100


def test_louder_is_brighter_all_the_way():
    S = np.tile(np.linspace(-80, 0, 200, dtype=np.float32), (128, 1))
    picture = pixels(render(S, seconds=10.0))
    line = picture[(TOP + 50) * SCALE, LEFT * SCALE : -RIGHT * SCALE]
    lightness = (line * (0.2126, 0.7152, 0.0722)).sum(axis=1)
    smooth = np.convolve(lightness, np.ones(60) / 60, mode="valid")
    assert (np.diff(smooth) > -0.3).all()
    assert smooth[-1] > smooth[0] + 150


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2, 5, 30, 61, 600, 86_400])
def test_every_length_has_a_time_axis(seconds):
    picture = pixels(render(noise(20), seconds=seconds))
    axis = picture[-BOTTOM * SCALE :, LEFT * SCALE :]
    assert (abs(axis - BACKGROUND).sum(axis=2) > 200).sum() > 50


def test_the_frequency_axis_follows_the_mel_scale():
    assert _mel(1000) == 15
    assert _mel(500) == 7.5
    assert _mel(6400) == pytest.approx(15 + 27)
    wide, narrow = (pixels(render(noise(20), seconds=5, fmax=fmax)) for fmax in (11025.0, 4000.0))
    ticks = [(abs(p[:, : LEFT * SCALE] - BACKGROUND).sum(axis=2) > 200) for p in (wide, narrow)]
    assert not np.array_equal(*ticks)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -200.0])
def test_odd_values_are_drawn(value):
    S = noise(20)
    S[:, 5] = value
    render(S, seconds=1.0)
    flat = np.full((128, 20), value, np.float32)
    assert pixels(render(flat, seconds=1.0)).shape[0] == HEIGHT * SCALE


@pytest.mark.parametrize("shape", [(128,), (128, 0), (0, 5), (2, 3, 4)])
def test_a_shape_that_is_no_spectrogram_is_refused(shape):
    with pytest.raises(ValueError, match="S_db has shape"):
        render(np.zeros(shape, np.float32), seconds=1.0)


def test_one_band_and_one_column_are_enough():
    assert render(np.zeros((1, 1), np.float32), seconds=1.0).startswith(b"\x89PNG")
