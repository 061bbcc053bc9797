"""Network images: windows of a log-mel spectrogram, scaled and resized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_range
from genrec.onsets import SPREAD_S, onset_strength, window_starts
from genrec.spectrogram import add_noise_floor

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

# Six windows of a clip of 15 to 30 s; with fewer, each onset that a codec shifts counts more.
MIN_WINDOWS = 6
CHANNELS = ("copies", "haar")
SCALINGS = ("picture", "centred")
SOURCES = ("audio", "picture")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """Parameters of windows and network images.

    Attributes
    ----------
    columns
        Spectrogram columns in one window; 0 takes the whole spectrogram as one window.
    hop_columns
        Largest number of columns from one window's start to the next.
    height, width
        Size of the image in pixels: mel bands by time.
    channels
        ``copies``: three equal channels, as in the paper, for networks pretrained on photographs.
        ``haar``: one level of the Haar wavelet. Each 2x2 block of the window becomes its mean, its
        change over time (onsets) and its change over frequency (partials). So a quarter of the
        pixels keeps nearly all the information.
    scaling
        ``picture``: -top_db..0 dB becomes 0..1, the paper's 1/255. ``centred``: each window's mean
        level is subtracted and 20 dB become 1, so that the level of a window matters less.
    noise_db
        Level of the noise floor added to each window, in dB relative to the spectrogram's maximum;
        0 adds none. Codecs empty quiet bands or fill them with noise. On 94 GTZAN excerpts a floor
        of -60 dB halves the largest change that Vorbis or a 64 kbit/s MP3 makes to a window.
    source
        ``audio``: images are made of spectrograms. ``picture``: of plotted spectrograms in PNG or
        JPEG files, whole and in their colours, see :mod:`genrec.pictures`; only ``height`` and
        ``width`` matter then.
    """

    columns: int = 128
    hop_columns: int = 64
    height: int = 64
    width: int = 64
    channels: str = "haar"
    scaling: str = "centred"
    noise_db: float = -60.0
    source: str = "audio"

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise ValueError(f"channels={self.channels!r}: expected one of {CHANNELS}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling={self.scaling!r}: expected one of {SCALINGS}")
        if self.source not in SOURCES:
            raise ValueError(f"source={self.source!r}: expected one of {SOURCES}")
        check_range("columns", self.columns, 0, 2**16, whole=True)
        check_range("hop_columns", self.hop_columns, 1, 2**16, whole=True)
        check_range("height", self.height, 1, 2_048, whole=True)
        check_range("width", self.width, 1, 2_048, whole=True)
        check_range("noise_db", self.noise_db, -300, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.height, self.width, 3


def window_count(columns: int, config: ImageConfig) -> int:
    """Return the number of windows of a spectrogram: at least 6, at most ``hop_columns`` apart."""
    spread = int(np.ceil((columns - config.columns) / config.hop_columns))
    return max(MIN_WINDOWS, 1 + spread)


def is_short(columns: int, config: ImageConfig) -> bool:
    """Return whether the windows of a spectrogram wrap around its end: up to 14.9 s they do.

    Otherwise there would be too little room for windows in different places.
    """
    return columns < config.columns + config.hop_columns


def window_choices(columns: int, config: ImageConfig) -> int:
    """Return the number of columns at which a window may begin: 0, 1, ... in order."""
    return columns if is_short(columns, config) else 1 + columns - config.columns


def windows(S_db: Float, config: ImageConfig, starts: Ints | None = None) -> Float:
    """Return windows of a spectrogram. Those of a short one wrap around its end, see `is_short`.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns), in dB.
    config
        Window length and largest hop between windows.
    starts
        int (windows,): first column of each window. By default the strongest rise from one column
        to the next in each share of the spectrogram, see :mod:`genrec.onsets`.

    Returns
    -------
    float32 (windows, n_mels, config.columns), or (1, n_mels, columns) where ``columns`` is 0
    """
    columns = S_db.shape[1]
    if config.columns == 0:
        return S_db[np.newaxis]
    if starts is None:
        levels_db = 10 * np.log10(np.sum(10 ** (S_db / 10), axis=0))
        strength = onset_strength(levels_db, SPREAD_S)
        choices = window_choices(columns, config)
        starts = window_starts(strength, choices, window_count(columns, config))
    at = (starts[:, np.newaxis] + np.arange(config.columns)) % columns
    return np.ascontiguousarray(S_db[:, at].transpose(1, 0, 2))


def images(S_windows: Float, config: ImageConfig, *, top_db: float) -> Float:
    """Return the network images of a spectrogram's windows: scaled, resized, three channels.

    Parameters
    ----------
    S_windows
        float32 (windows, n_mels, columns) in dB, -top_db..0.
    config
        Size, channels, scaling and noise floor of the images.
    top_db
        Dynamic range of the spectrogram in dB.

    Returns
    -------
    float32 (windows, height, width, 3)
    """
    if config.noise_db:
        S_windows = add_noise_floor(S_windows, config.noise_db)
    if config.scaling == "picture":
        scaled = S_windows / top_db + 1.0
    else:
        scaled = (S_windows - S_windows.mean(axis=(1, 2), keepdims=True)) / 20.0
    if config.channels == "haar":
        return _haar(_resize(scaled, 2 * config.height, 2 * config.width))
    resized = _resize(scaled, config.height, config.width)
    return np.repeat(resized[..., np.newaxis], 3, axis=-1)


def _haar(x: Float) -> Float:
    """Return one level of the Haar wavelet without diagonal: (n, 2h, 2w) -> (n, h, w, 3)."""
    a, b = x[:, 0::2, 0::2], x[:, 0::2, 1::2]  # b is one column after a
    c, d = x[:, 1::2, 0::2], x[:, 1::2, 1::2]  # c and d are one band above
    mean, over_time, over_frequency = (a + b + c + d) / 4, (b + d - a - c) / 2, (c + d - a - b) / 2
    return np.stack([mean, over_time, over_frequency], axis=-1).astype(np.float32)


def _resize(x: Float, height: int, width: int) -> Float:
    """Return bilinearly resized matrices: (n, rows, columns) -> (n, height, width)."""
    if x.shape[1:] == (height, width):
        return x
    rows, columns = _interpolation(x.shape[1], height), _interpolation(x.shape[2], width)
    return np.asarray(rows @ x @ columns.T, dtype=np.float32)


def _interpolation(size: int, new_size: int) -> Float:
    """Return the matrix (new_size, size) of linear interpolation between pixel centres."""
    at = np.clip((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0, size - 1)
    left = np.minimum(at.astype(int), max(size - 2, 0))
    weight = (at - left).astype(np.float32)
    matrix = np.zeros((new_size, size), dtype=np.float32)
    matrix[np.arange(new_size), left] = 1 - weight
    matrix[np.arange(new_size), np.minimum(left + 1, size - 1)] += weight
    return matrix
