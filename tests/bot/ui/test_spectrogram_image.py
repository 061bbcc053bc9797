"""The spectrogram PNG: size, contrast, colours and axes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bot.i18n import LANGUAGES, Localizer, Translations
from bot.ui.beat_grid import beats
from bot.ui.picture_text import alt_text
from bot.ui.spectrogram_image import (
    BACKGROUND,
    BOTTOM,
    HEIGHT,
    INK,
    LEFT,
    LOWER_HEIGHT,
    RIGHT,
    SCALE,
    STRIP,
    TOP,
    WIDTH,
    Picture,
    _mel,
    draw_preview,
    render,
    shows_parts,
)
from genrec.images import ImageConfig
from genrec.preset import Calibration, Preset, save_preset
from genrec.spectrogram import SpectrogramConfig
from genrec.types import Analysis, GenreScore
from tests.bot.ui.visible import LONG, track


def pixels(png: bytes) -> np.ndarray:
    """Return the RGB values of a PNG."""
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def plot_of(picture: np.ndarray) -> np.ndarray:
    """Return the brightness of the plot area, without axes."""
    return picture[TOP * SCALE : -BOTTOM * SCALE, LEFT * SCALE : -RIGHT * SCALE].sum(axis=2)


def noise(columns: int = 200) -> np.ndarray:
    """Return a preview of random levels."""
    return np.random.default_rng(1).integers(0, 256, (64, columns)).astype(np.uint8)


def test_image_has_its_size_in_pixels_and_bytes():
    png = render(noise(), seconds=30.0)
    assert pixels(png).shape == (HEIGHT * SCALE, WIDTH * SCALE, 3)
    assert len(png) < 150_000  # noise is the worst case


def test_plot_has_low_bands_at_the_bottom_and_time_to_the_right():
    preview = np.zeros((64, 100), np.uint8)
    preview[:10, 50:] = 255
    plot = plot_of(pixels(render(preview, seconds=10.0)))
    height, width = plot.shape
    top = int(height * (1 - 10 / 64))
    bright, dark = plot[-10, -10], plot[10, 10]
    assert bright > dark + 300
    margin = 12  # pixels blurred by the resampling
    assert plot[: top - margin].max() < dark + 100
    assert plot[:, : width // 2 - margin].max() < dark + 100
    assert plot[top + margin :, width // 2 + margin :].min() > bright - 100


def test_plot_lightness_rises_with_level():
    preview = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (64, 1))
    picture = pixels(render(preview, seconds=10.0))
    line = picture[(TOP + 50) * SCALE, LEFT * SCALE : -RIGHT * SCALE]
    lightness = (line * (0.2126, 0.7152, 0.0722)).sum(axis=1)
    smooth = np.convolve(lightness, np.ones(60) / 60, mode="valid")
    assert (np.diff(smooth) > -0.3).all()
    assert smooth[-1] > smooth[0] + 150


def test_plot_contrast_is_the_same_for_quiet_and_loud_recordings():
    quiet = plot_of(pixels(render(noise() // 2, seconds=10.0)))
    loud = plot_of(pixels(render(noise() // 2 + 127, seconds=10.0)))
    assert quiet.max() - quiet.min() > 500
    assert np.array_equal(quiet, loud)


def test_plot_of_small_level_range_keeps_low_contrast():
    plot = plot_of(pixels(render(noise() // 32 + 200, seconds=10.0)))
    assert plot.min() > 300


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2, 5, 30, 61, 600, 86_400])
def test_time_axis_is_drawn_for_every_duration(seconds):
    picture = pixels(render(noise(20), seconds=seconds))
    axis = picture[-BOTTOM * SCALE :, LEFT * SCALE :]
    assert (abs(axis - BACKGROUND).sum(axis=2) > 200).sum() > 50


def test_axes_are_grey():
    axis = pixels(render(noise(), seconds=30.0))[-(BOTTOM - 1) * SCALE :]
    share = (axis - BACKGROUND) / (np.array(INK) - BACKGROUND)
    assert share.min() >= 0
    assert share.max() == 1
    assert np.ptp(share, axis=2).max() < 0.02


def test_frequency_axis_follows_the_mel_scale():
    assert _mel(1000) == 15
    assert _mel(500) == 7.5
    assert _mel(6400) == pytest.approx(15 + 27)
    wide, narrow = (pixels(render(noise(20), seconds=5, fmax=fmax)) for fmax in (11025.0, 4000.0))
    ticks = [(abs(p[:, : LEFT * SCALE] - BACKGROUND).sum(axis=2) > 200) for p in (wide, narrow)]
    assert not np.array_equal(*ticks)


@pytest.mark.parametrize("level", [0, 1, 255])
def test_constant_preview_is_drawn_in_one_colour(level):
    flat = pixels(render(np.full((64, 20), level, np.uint8), seconds=1.0))
    assert len(np.unique(plot_of(flat))) == 1


@pytest.mark.parametrize("shape", [(64,), (64, 0), (0, 5), (2, 3, 4)])
def test_render_wrong_shape_raises_value_error(shape):
    with pytest.raises(ValueError, match="preview is uint8 of shape"):
        render(np.zeros(shape, np.uint8), seconds=1.0)


def test_render_float_preview_raises_value_error():
    with pytest.raises(ValueError, match="float32"):
        render(np.zeros((64, 200), np.float32), seconds=1.0)


def test_render_accepts_one_band_and_one_column():
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
        mel_basis=np.zeros((128, 1025), np.float32),
        centring=(np.zeros(8, np.float32), np.eye(8, dtype=np.float32)),
    )


def analysis(preview: np.ndarray | None) -> Analysis:
    embedding, fingerprint = np.ones(1, np.float32), np.zeros((15, 9), np.int8)
    scores = (GenreScore("jazz", 1.0),)
    return Analysis("fake", embedding, scores, fingerprint, 200.0, 12.0, preview=preview)


def test_draw_preview_uses_the_axes_of_the_preset(preset):
    picture = draw_preview(analysis(noise()), preset=preset)
    assert picture == Picture(render(noise(), seconds=12.0, fmin=100.0, fmax=4000.0, top_db=60.0))


def test_draw_preview_without_preview_returns_none(preset):
    assert draw_preview(analysis(None), preset=preset) is None


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png)).size


def test_strip_is_light_where_the_file_was_analysed():
    parts = ((10.0, 20.0), (30.0, 32.0))
    picture = pixels(render(noise(), seconds=12.0, parts=parts, duration_s=40.0))
    assert picture.shape[0] == (HEIGHT + STRIP) * SCALE
    line = picture[HEIGHT * SCALE + 10, LEFT * SCALE : -RIGHT * SCALE].sum(axis=1)
    light = np.flatnonzero(line > line.max() - 30) / line.size * 40
    assert light.min() == pytest.approx(10, abs=0.2)
    assert light.max() == pytest.approx(32, abs=0.2)
    assert not ((light > 20.2) & (light < 29.8)).any()
    assert light.size / line.size == pytest.approx(12 / 40, abs=0.01)


def test_cut_is_a_dashed_line_where_the_parts_meet():
    parts, whole = ((10.0, 20.0), (30.0, 40.0)), ((10.0, 30.0),)
    marked, plain = (
        pixels(render(noise(), seconds=20.0, parts=p, duration_s=60.0)) for p in (parts, whole)
    )
    changed = np.abs(marked - plain)[: HEIGHT * SCALE].sum(axis=(0, 2))
    (columns,) = np.nonzero(changed)
    middle = LEFT * SCALE + (WIDTH - LEFT - RIGHT) * SCALE / 2
    assert columns.size == SCALE
    assert abs(columns.mean() - middle) < 2 * SCALE


@pytest.mark.parametrize(
    ("parts", "duration_s", "shown"),
    [
        ((), 200.0, False),
        (((0.0, 12.0),), 12.0, False),
        (((0.0, 12.0),), 12.1, False),
        (((0.0, 12.0),), 13.0, True),
        (((1.0, 12.0),), 12.0, True),
        (((90.0, 102.0),), 0.0, True),  # a header that states no length
    ],
)
def test_parts_are_shown_if_something_was_left_out(parts, duration_s, shown):
    assert shows_parts(parts, duration_s) is shown
    png = render(noise(), seconds=12.0, parts=parts, duration_s=duration_s)
    assert size_of(png)[1] == (HEIGHT + STRIP * shown) * SCALE


def test_nearest_track_has_a_plot_of_its_own(preset):
    nearest = analysis(noise()[::-1])
    picture = draw_preview(analysis(noise()), nearest, preset=preset)
    assert picture is not None
    assert picture.nearest
    assert size_of(picture.png) == (WIDTH * SCALE, (HEIGHT + LOWER_HEIGHT) * SCALE)
    assert len(picture.png) < 300_000
    alone = draw_preview(analysis(noise()), analysis(None), preset=preset)
    assert alone is not None
    assert not alone.nearest


def clicks(bpm: float, seconds: float = 30.0, phase: float = 0.3) -> np.ndarray:
    """Return a preview with a click at each beat."""
    times = np.arange(phase, seconds, 60 / bpm)
    preview = np.full((64, 200), 40, np.uint8)
    preview[:, np.minimum((times / seconds * 200).astype(int), 199)] = 220
    return preview


@pytest.mark.parametrize("bpm", [62.0, 90.0, 117.3])
@pytest.mark.parametrize("error", [-0.015, 0.0, 0.015])
def test_beats_lie_on_the_onsets_although_the_tempo_is_rounded(bpm, error):
    found = np.array(beats(clicks(bpm), 30.0, bpm * (1 + error)))
    expected = np.arange(0.3, 30.0, 60 / bpm)
    assert abs(found.size - expected.size) <= 1
    distances = np.abs(found[:, np.newaxis] - expected).min(axis=1)
    assert np.median(distances) < 0.15  # a column of the preview


def test_beats_without_clear_onsets_are_not_drawn():
    assert beats(np.full((64, 200), 9, np.uint8), 30.0, 120.0) == []
    assert beats(noise(), 30.0, 120.0) == []
    assert beats(clicks(120.0), 2.0, 120.0) == []
    assert beats(clicks(120.0), 30.0, 0.0) == []


def test_ticks_of_beats_are_above_the_plot():
    plain = pixels(render(noise(), seconds=30.0))
    marked = pixels(render(noise(), seconds=30.0, ticks=[0.0, 15.0, 29.9]))
    rows, columns = np.nonzero(np.abs(marked - plain).sum(axis=2))
    assert rows.max() < TOP * SCALE
    assert len(np.unique(columns)) == 3 * SCALE


@pytest.mark.parametrize("code", LANGUAGES)
def test_alt_text_says_what_the_picture_shows(code):
    localizer = Localizer(Translations.load(), code)
    plain = alt_text(localizer, Picture(b""), "a_b.mp3", track(1))
    full = alt_text(
        localizer, Picture(b"", parts=True, bpm=117.6, nearest=True), "a_b.mp3", track(1)
    )
    assert "a_b.mp3" in plain
    assert "Song 1" not in plain
    assert full.startswith(plain)
    for shown in ("118", "Song 1", localizer("answer.alt_parts")):
        assert shown in full
    assert (
        len(alt_text(localizer, Picture(b"", True, 99.0, True), LONG, track(1, title=LONG))) <= 1024
    )
