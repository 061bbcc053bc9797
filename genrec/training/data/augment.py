"""Augmentation of log-mel windows: crops, stretch, pitch, noise, codecs, band limits, mixup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.spectrogram import add_noise_floor

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Probabilities and strengths of augmentation.

    Band limits matter most: without them accuracy halves on 16 kHz files, voice messages and
    64 kbit/s MP3.

    Attributes
    ----------
    short, stretch, pitch
        Probability of a short crop that is repeated, of a tempo change up to 15 %, and of a shift
        by up to two mel bands.
    band_limit, low_cut
        Probability that the bands above 3.4..10.5 kHz, or below 80..350 Hz, are emptied.
    noise, floor
        Probability of coloured noise, and of an even noise floor.
    floor_db
        Level of the loudest even noise floor in dB; the softest is -75.
    coding
        Probability that cells far below the maximum of their column are emptied, as codecs do.
    tilt_db
        Largest spectral tilt in dB.
    masks, mask_size
        SpecAugment: number of masks per axis, and their largest width in bands or columns.
    mixup_alpha
        Parameter of mixup's beta distribution; 0 turns it off.
    """

    short: float = 0.1
    stretch: float = 0.3
    pitch: float = 0.3
    band_limit: float = 0.5
    low_cut: float = 0.1
    noise: float = 0.15
    floor: float = 0.3
    floor_db: float = -40.0
    coding: float = 0.3
    tilt_db: float = 6.0
    masks: int = 1
    mask_size: int = 14
    mixup_alpha: float = 0.2


NONE = Augmentation(
    short=0, stretch=0, pitch=0, band_limit=0, low_cut=0, noise=0, floor=0,
    coding=0, tilt_db=0, masks=0, mixup_alpha=0,
)  # fmt: skip


def random_crop(S_db: Float, columns: int, config: Augmentation, rng: np.random.Generator) -> Float:
    """Return a random window, (n_mels, any) -> (n_mels, columns), with random tempo and length.

    A shorter crop is repeated until it fills the window. With ``columns`` 0 the whole spectrogram
    is returned.
    """
    return random_crop_and_span(S_db, columns, config, rng)[0]


def random_crop_and_span(
    S_db: Float, columns: int, config: Augmentation, rng: np.random.Generator
) -> tuple[Float, tuple[int, int]]:
    """Return a window as :func:`random_crop`, and the columns that it was cut from: start, end."""
    total = S_db.shape[1]
    if columns == 0:
        return S_db, (0, total)
    width = columns
    if rng.random() < config.stretch:
        width = round(columns * rng.uniform(0.85, 1.15))
    if rng.random() < config.short:
        width = int(rng.integers(columns // 6, columns))
        start = int(rng.integers(0, max(1, total - width + 1)))
        piece = S_db[:, start : start + width]
        return piece[:, np.arange(columns) % piece.shape[1]], (start, start + piece.shape[1])
    start = int(rng.integers(0, max(1, total - width + 1)))
    piece = S_db[:, np.arange(start, start + width) % total]
    span = start, min(total, start + width)
    if width == columns:
        return piece, span
    at = np.linspace(0, width - 1, columns)
    left = np.minimum(at.astype(int), width - 2)
    weight = (at - left).astype(np.float32)
    return np.asarray(piece[:, left] * (1 - weight) + piece[:, left + 1] * weight), span


def augment_window(
    window: Float, band_hz: Float, top_db: float, config: Augmentation, rng: np.random.Generator
) -> Float:
    """Return a window with random pitch shift, tilt, noise, codec losses, band limits and masks.

    ``augment_pair`` has the parameters, and returns the window before its degradation as well.
    """
    return augment_pair(window, band_hz, top_db, config, rng)[0]


def augment_pair(
    window: Float, band_hz: Float, top_db: float, config: Augmentation, rng: np.random.Generator
) -> tuple[Float, Float]:
    """Return an augmented window, and the same with its pitch shift and tilt alone.

    Parameters
    ----------
    window
        float32 (n_mels, columns) in dB, -top_db..0.
    band_hz
        float32 (n_mels,), centre frequencies of the mel bands.
    top_db
        Floor in dB below the maximum.
    config, rng
        Probabilities and strengths of the augmentation, and the random generator.

    Returns
    -------
    Two float32 (n_mels, columns), -top_db..0 with the maximum at 0: with noise, codec losses, band
    limits and masks, and without. The first is ``window`` itself if the masks cover all of it.
    """
    x = window.copy()
    bands = len(x)
    if rng.random() < config.pitch:
        shift = int(rng.integers(-2, 3))
        x = x[np.clip(np.arange(bands) + shift, 0, bands - 1)]
    if config.tilt_db:
        x += (rng.uniform(-config.tilt_db, config.tilt_db) * np.linspace(-0.5, 0.5, bands))[:, None]
        knots = rng.normal(0, config.tilt_db / 4, 6)
        x += np.interp(np.arange(bands), np.linspace(0, bands - 1, 6), knots)[:, None]
    undegraded = _with_maximum_at_zero(x, top_db)
    _degrade(x, band_hz, config, rng)
    _mask(x, config, rng)
    if not np.isfinite(x.max()):
        return window, undegraded
    return _with_maximum_at_zero(x, top_db), undegraded


def _with_maximum_at_zero(x: Float, top_db: float) -> Float:
    return np.asarray(np.clip(x - x.max(), -top_db, 0), dtype=np.float32)


def _degrade(x: Float, band_hz: Float, config: Augmentation, rng: np.random.Generator) -> None:
    """Add noise to a window in place, and empty its cells as codecs and band limits do."""
    if rng.random() < config.noise:
        colour = rng.uniform(-60, -25) + rng.uniform(-10, 5) * np.linspace(-0.5, 0.5, len(x))
        noise = colour[:, None] + rng.normal(0, 2.5, x.shape)
        x[:] = 10 * np.log10(10 ** (x / 10) + 10 ** (noise / 10))
    if rng.random() < config.floor:
        x[:] = add_noise_floor(x, rng.uniform(-75, config.floor_db))
    if rng.random() < config.coding:
        x[x < x.max(axis=0) - rng.uniform(25, 60)] = -np.inf
    if rng.random() < config.band_limit:
        x[band_hz > rng.uniform(3400, 10500)] = -np.inf
    if rng.random() < config.low_cut:
        x[band_hz < rng.uniform(80, 350)] = -np.inf


def _mask(x: Float, config: Augmentation, rng: np.random.Generator) -> None:
    """Empty random bands and columns of a window in place (SpecAugment, Park et al. 2019)."""
    for axis, size in enumerate(x.shape):
        for _ in range(config.masks):
            width = int(rng.integers(0, config.mask_size + 1))
            start = int(rng.integers(0, size - width + 1))
            at = slice(start, start + width)
            x[(at, slice(None)) if axis == 0 else (slice(None), at)] = -np.inf


def mixup(
    x: Float, y: Float, config: Augmentation, rng: np.random.Generator
) -> tuple[Float, Float]:
    """Mixup: return a batch with each image and target blended with another (Zhang et al. 2018).

    Each image keeps a share of at least a half.
    """
    if not config.mixup_alpha:
        return x, y
    share = rng.beta(config.mixup_alpha, config.mixup_alpha, len(x)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(x))
    a = share[:, None, None, None]
    b = share[:, None]
    return x * a + x[other] * (1 - a), y * b + y[other] * (1 - b)
