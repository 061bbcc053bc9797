"""Log-mel spectrograms in librosa's terms, and the images of them that a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.types import PREVIEW_BANDS, PREVIEW_COLUMNS

Float = NDArray[np.float32]

CHANNELS = ("copies", "haar")
SCALINGS = ("picture", "centred")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrogramConfig:
    """The front end, named as librosa names it.

    The defaults are ``librosa.feature.melspectrogram``'s but for the hop: 1708 samples (77.5 ms)
    is the column spacing of the GTZAN archive the shipped presets were trained on.
    """

    sr: int = 22050
    n_fft: int = 2048
    hop_length: int = 1708
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11025.0
    top_db: float = 80.0

    @property
    def column_s(self) -> float:
        """Seconds from one column to the next."""
        return self.hop_length / self.sr


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How a spectrogram becomes network images.

    Attributes
    ----------
    columns
        Spectrogram columns in one window; 0 takes the whole excerpt as one window.
    hop_columns
        Columns from one window's start to the next, at most.
    height, width
        Size of the image in pixels: mel bands by time.
    channels
        ``copies``: the picture three times, as the paper feeds photograph networks.
        ``haar``: each 2x2 block of the window becomes its mean, its change over time (onsets) and
        its change over frequency (partials), so a quarter of the pixels keeps nearly all of it.
    scaling
        ``picture``: -top_db..0 dB becomes 0..1, the paper's 1/255. ``centred``: each window's mean
        level is removed and 20 dB become 1, so that loudness and tilt of the recording matter less.
    noise_db
        Level of an even noise that each window is heard in, in dB below the excerpt's maximum; 0
        leaves it out. Codecs empty quiet bands, or fill them with noise of their own: on 94 GTZAN
        excerpts -60 dB halves the largest change that Vorbis or a 64 kbit/s MP3 makes to a window.
    """

    columns: int = 128
    hop_columns: int = 64
    height: int = 64
    width: int = 64
    channels: str = "haar"
    scaling: str = "centred"
    noise_db: float = -60.0

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise ValueError(f"channels is {self.channels!r}; it must be one of {CHANNELS}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling is {self.scaling!r}; it must be one of {SCALINGS}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.height, self.width, 3


def power_spectrogram(y: Float, config: SpectrogramConfig) -> Float:
    """Return the power spectrogram, as ``numpy.abs(librosa.stft(y, ...)) ** 2``.

    Parameters
    ----------
    y
        float32 (n,), mono at ``config.sr``.
    config
        The front end; a periodic Hann window of ``n_fft`` samples, frames centred, zeros outside.

    Returns
    -------
    float32 (1 + n_fft / 2, 1 + n // hop_length)
    """
    n_fft, hop = config.n_fft, config.hop_length
    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    spectrum = np.fft.rfft(frames * window, axis=1)
    power: Float = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power.T


def log_mel(y: Float, config: SpectrogramConfig, mel_basis: Float) -> Float:
    """Return the log-mel spectrogram in dB below its own maximum.

    Equals ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, ...), ref=np.max, ...)``.

    Parameters
    ----------
    y
        float32 (n,), mono at ``config.sr``.
    config
        The front end.
    mel_basis
        float32 (n_mels, 1 + n_fft / 2), ``librosa.filters.mel`` of the same numbers; a preset
        carries it, so that serving needs no librosa.

    Returns
    -------
    float32 (n_mels, columns), -top_db..0; row 0 is the lowest band.
    """
    mel = mel_basis @ power_spectrogram(y, config)
    db = 10.0 * np.log10(np.maximum(mel, 1e-10))
    return np.asarray(np.maximum(db - db.max(), -config.top_db), dtype=np.float32)


def windows(S_db: Float, config: ImageConfig) -> Float:
    """Cut a spectrogram into windows that cover it evenly.

    An excerpt shorter than one window is repeated until it fills one.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns).
    config
        Window length and the largest step between windows.

    Returns
    -------
    float32 (windows, n_mels, config.columns), or (1, n_mels, columns) where ``columns`` is 0
    """
    width = config.columns
    if width == 0:
        return S_db[np.newaxis]
    columns = S_db.shape[1]
    if columns <= width:
        return np.asarray(S_db[np.newaxis, :, np.arange(width) % columns])
    count = 1 + int(np.ceil((columns - width) / config.hop_columns))
    starts = np.round(np.linspace(0, columns - width, count)).astype(int)
    return np.stack([S_db[:, start : start + width] for start in starts])


def tta_variants(S_db: Float) -> tuple[Float, Float]:
    """Return a spectrogram begun a third later and a band higher, and two thirds and a band lower.

    What is cut off at the front follows at the end. It is nearly the same to us, and less so to a
    network: what a network says of all three, taken together, is steadier.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns).

    Returns
    -------
    two float32 (n_mels, columns)
    """
    third = S_db.shape[1] // 3
    later, last = np.roll(S_db, -third, axis=1), np.roll(S_db, -2 * third, axis=1)
    return np.vstack([later[:1], later[:-1]]), np.vstack([last[1:], last[-1:]])


def images(patches: Float, config: ImageConfig, *, top_db: float) -> Float:
    """Turn windows of a spectrogram into what the network sees.

    Parameters
    ----------
    patches
        float32 (windows, n_mels, columns) in dB, -top_db..0.
    config
        Size, channels and scaling of the images.
    top_db
        Depth of the spectrogram below its maximum in dB.

    Returns
    -------
    float32 (windows, height, width, 3)
    """
    if config.noise_db:
        patches = add_noise_floor(patches, config.noise_db)
    if config.scaling == "picture":
        scaled = patches / top_db + 1.0
    else:
        scaled = (patches - patches.mean(axis=(1, 2), keepdims=True)) / 20.0
    if config.channels == "haar":
        return _haar(_resize(scaled, 2 * config.height, 2 * config.width))
    picture = _resize(scaled, config.height, config.width)
    return np.repeat(picture[..., np.newaxis], 3, axis=-1)


def add_noise_floor(S_db: Float, noise_db: float) -> Float:
    """Add the power of an even noise to a spectrogram in dB: a floor without an edge.

    Parameters
    ----------
    S_db
        float32 (..., n_mels, columns) in dB, at most 0.
    noise_db
        Level of the noise in dB, below 0.

    Returns
    -------
    float32, of the same shape, above ``noise_db``
    """
    power = 10 ** (S_db / 10) + np.float32(10 ** (noise_db / 10))
    return np.asarray(10 * np.log10(power), dtype=np.float32)


def preview(S_db: Float, top_db: float) -> NDArray[np.uint8]:
    """Return a coarse picture of a spectrogram, small enough to be sent and kept with an answer.

    With the default front end, 30 s become means over two bands and about two columns each.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB, -top_db..0; row 0 is the lowest band.
    top_db
        Depth of the spectrogram below its maximum in dB.

    Returns
    -------
    uint8 (min(n_mels, 64), min(columns, 200)); 0..255 spans -top_db..0 dB
    """
    rows = _means(S_db.shape[0], min(S_db.shape[0], PREVIEW_BANDS))
    columns = _means(S_db.shape[1], min(S_db.shape[1], PREVIEW_COLUMNS))
    level = 255 * (rows @ S_db @ columns.T / top_db + 1.0)
    return np.clip(np.round(level), 0, 255).astype(np.uint8)


def _haar(x: Float) -> Float:
    """One level of the Haar wavelet without its diagonal: (w, 2h, 2w) -> (w, h, w, 3)."""
    a, b = x[:, 0::2, 0::2], x[:, 0::2, 1::2]  # b follows a in time
    c, d = x[:, 1::2, 0::2], x[:, 1::2, 1::2]  # c and d lie one band above
    mean, over_time, over_frequency = (a + b + c + d) / 4, (b + d - a - c) / 2, (c + d - a - b) / 2
    return np.stack([mean, over_time, over_frequency], axis=-1).astype(np.float32)


def _resize(x: Float, height: int, width: int) -> Float:
    """Resize pictures bilinearly: (n, rows, columns) -> (n, height, width)."""
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


def _means(size: int, new_size: int) -> Float:
    """Return the matrix (new_size, size) of means over equal stretches, which may cut cells."""
    edges = np.arange(new_size + 1) * size / new_size
    cells = np.arange(size)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.asarray(np.maximum(overlap, 0) * new_size / size, dtype=np.float32)
