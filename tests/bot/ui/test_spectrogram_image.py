"""The picture: sized, light of weight, with its axes where they belong."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bot.ui.spectrogram_image import (
    BACKGROUND,
    BOTTOM,
    HEIGHT,
    INK,
    LEFT,
    RIGHT,
    SCALE,
    TOP,
    WIDTH,
    _mel,
    draw_preview,
    render,
)
from genrec.preset import Calibration, Preset, save_preset
from genrec.spectrogram import ImageConfig, SpectrogramConfig
from genrec.types import Analysis, GenreScore


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def plot_of(picture: np.ndarray) -> np.ndarray:
    return picture[TOP * SCALE : -BOTTOM * SCALE, LEFT * SCALE : -RIGHT * SCALE].sum(axis=2)


def noise(columns: int = 200) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (64, columns)).astype(np.uint8)


def test_size_in_pixels_and_bytes():
    png = render(noise(), seconds=30.0)
    assert pixels(png).shape == (HEIGHT * SCALE, WIDTH * SCALE, 3)
    assert len(png) < 150_000  # noise is the worst case


def test_low_bands_are_at_the_bottom_and_time_runs_to_the_right():
    preview = np.zeros((64, 100), np.uint8)
    preview[:10, 50:] = 255
    plot = plot_of(pixels(render(preview, seconds=10.0)))
    height, width = plot.shape
    top = int(height * (1 - 10 / 64))
    bright, dark = plot[-10, -10], plot[10, 10]
    assert bright > dark + 300
    margin = 12  # what the smoothing blurs
    assert plot[: top - margin].max() < dark + 100
    assert plot[:, : width // 2 - margin].max() < dark + 100
    assert plot[top + margin :, width // 2 + margin :].min() > bright - 100


def test_louder_is_brighter_all_the_way():
    preview = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (64, 1))
    picture = pixels(render(preview, seconds=10.0))
    line = picture[(TOP + 50) * SCALE, LEFT * SCALE : -RIGHT * SCALE]
    lightness = (line * (0.2126, 0.7152, 0.0722)).sum(axis=1)
    smooth = np.convolve(lightness, np.ones(60) / 60, mode="valid")
    assert (np.diff(smooth) > -0.3).all()
    assert smooth[-1] > smooth[0] + 150


def test_quiet_and_loud_recordings_use_all_the_colours():
    quiet = plot_of(pixels(render(noise() // 2, seconds=10.0)))
    loud = plot_of(pixels(render(noise() // 2 + 127, seconds=10.0)))
    assert quiet.max() - quiet.min() > 500
    assert np.array_equal(quiet, loud)


def test_what_hardly_varies_is_not_blown_up():
    plot = plot_of(pixels(render(noise() // 32 + 200, seconds=10.0)))
    assert plot.min() > 300


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2, 5, 30, 61, 600, 86_400])
def test_every_length_has_a_time_axis(seconds):
    picture = pixels(render(noise(20), seconds=seconds))
    axis = picture[-BOTTOM * SCALE :, LEFT * SCALE :]
    assert (abs(axis - BACKGROUND).sum(axis=2) > 200).sum() > 50


def test_the_axes_are_grey_whatever_the_plot_holds():
    axis = pixels(render(noise(), seconds=30.0))[-(BOTTOM - 1) * SCALE :]
    share = (axis - BACKGROUND) / (np.array(INK) - BACKGROUND)
    assert share.min() >= 0
    assert share.max() == 1
    assert np.ptp(share, axis=2).max() < 0.02


def test_the_frequency_axis_follows_the_mel_scale():
    assert _mel(1000) == 15
    assert _mel(500) == 7.5
    assert _mel(6400) == pytest.approx(15 + 27)
    wide, narrow = (pixels(render(noise(20), seconds=5, fmax=fmax)) for fmax in (11025.0, 4000.0))
    ticks = [(abs(p[:, : LEFT * SCALE] - BACKGROUND).sum(axis=2) > 200) for p in (wide, narrow)]
    assert not np.array_equal(*ticks)


@pytest.mark.parametrize("level", [0, 1, 255])
def test_what_is_the_same_everywhere_is_drawn(level):
    flat = pixels(render(np.full((64, 20), level, np.uint8), seconds=1.0))
    assert len(np.unique(plot_of(flat))) == 1


@pytest.mark.parametrize("shape", [(64,), (64, 0), (0, 5), (2, 3, 4)])
def test_a_shape_that_is_no_preview_is_refused(shape):
    with pytest.raises(ValueError, match="preview is uint8 of shape"):
        render(np.zeros(shape, np.uint8), seconds=1.0)


def test_decibels_are_no_preview():
    with pytest.raises(ValueError, match="float32"):
        render(np.zeros((64, 200), np.float32), seconds=1.0)


def test_one_band_and_one_column_are_enough():
    assert render(np.zeros((1, 1), np.uint8), seconds=1.0).startswith(b"\x89PNG")


@pytest.fixture
def preset(tmp_path) -> Preset:
    (tmp_path / "model.tflite").write_bytes(b"none")
    return save_preset(
        tmp_path,
        name="fake",
        arch="none",
        spectrogram=SpectrogramConfig(fmin=100.0, fmax=4000.0, top_db=60.0),
        image=ImageConfig(),
        labels=["jazz"],
        calibration=Calibration(),
        mel_basis=np.zeros((1, 1), np.float32),
        centre=np.zeros(8, np.float32),
        projection=np.eye(8, dtype=np.float32),
    )


def heard(preview: np.ndarray | None) -> Analysis:
    unit, prints = np.ones(1, np.float32), np.zeros((15, 9), np.int8)
    return Analysis("fake", unit, (GenreScore("jazz", 1.0),), prints, 200.0, 12.0, preview=preview)


def test_an_analysis_is_drawn_with_the_axes_of_its_preset(preset):
    png = draw_preview(heard(noise()), preset)
    assert png == render(noise(), seconds=12.0, fmin=100.0, fmax=4000.0, top_db=60.0)


def test_an_analysis_without_a_preview_has_no_picture(preset):
    assert draw_preview(heard(None), preset) is None
