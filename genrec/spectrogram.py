"""Log-mel spectrograms that equal librosa's, and their previews."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_range
from genrec.types import PREVIEW_BANDS, PREVIEW_COLUMNS

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrogramConfig:
    """Parameters of the log-mel spectrogram (the front end), named as in librosa.

    The defaults are those of ``librosa.feature.melspectrogram`` except for the hop: 1708 samples
    (77.5 ms) is the hop of the GTZAN archive that the shipped presets were trained on.
    """

    sr: int = 22050
    n_fft: int = 2048
    hop_length: int = 1708
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11025.0
    top_db: float = 80.0

    def __post_init__(self) -> None:
        check_range("sr", self.sr, 1_000, 192_000, whole=True)
        check_range("n_fft", self.n_fft, 16, 2**16, whole=True)
        check_range("hop_length", self.hop_length, 1, 2**16, whole=True)
        check_range("n_mels", self.n_mels, 1, 2_048, whole=True)
        check_range("fmin", self.fmin, 0, self.sr)
        check_range("fmax", self.fmax, self.fmin, self.sr)
        check_range("top_db", self.top_db, 1, 300)

    @property
    def column_s(self) -> float:
        """Hop length in seconds: the time from one column to the next."""
        return self.hop_length / self.sr


def power_spectrogram(y: Float, config: SpectrogramConfig, *, first: int = 0) -> Float:
    """Return the power spectrogram, as ``numpy.abs(librosa.stft(y, ...)) ** 2``.

    Parameters
    ----------
    y
        float32 (n,), mono at ``config.sr``.
    config
        The front end. The window is a periodic Hann window of ``n_fft`` samples. Frames are centred
        and the signal is padded with zeros.
    first
        The sample at the centre of the first frame, 0..n - 1; librosa's is 0.

    Returns
    -------
    float32 (1 + n_fft / 2, 1 + (n - first) // hop_length)
    """
    n_fft, hop = config.n_fft, config.hop_length
    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[first::hop]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    spectrum = np.fft.rfft(frames * window, axis=1)
    power: Float = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power.T


def log_mel(y: Float, config: SpectrogramConfig, mel_basis: Float, *, first: int = 0) -> Float:
    """Return the log-mel spectrogram in dB relative to its maximum.

    Equals ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, ...), ref=np.max, ...)``.

    Parameters
    ----------
    y
        float32 (n,), mono at ``config.sr``.
    config
        The front end.
    mel_basis
        float32 (n_mels, 1 + n_fft / 2), ``librosa.filters.mel`` with the same parameters. A preset
        contains it, so that serving needs no librosa.
    first
        The sample at the centre of the first column, as for `power_spectrogram`.

    Returns
    -------
    float32 (n_mels, columns), -top_db..0; row 0 is the lowest band.
    """
    mel = mel_basis @ power_spectrogram(y, config, first=first)
    db = 10.0 * np.log10(np.maximum(mel, 1e-10))
    return np.asarray(np.maximum(db - db.max(), -config.top_db), dtype=np.float32)


def add_noise_floor(S_db: Float, noise_db: float) -> Float:
    """Return a spectrogram in dB plus the power of stationary noise, equal in all bands.

    Parameters
    ----------
    S_db
        float32 (..., n_mels, columns) in dB, at most 0.
    noise_db
        Level of the noise in dB, below 0.

    Returns
    -------
    float32 (..., n_mels, columns), at least ``noise_db``
    """
    power = 10 ** (S_db / 10) + np.float32(10 ** (noise_db / 10))
    return np.asarray(10 * np.log10(power), dtype=np.float32)


def preview(S_db: Float, top_db: float) -> NDArray[np.uint8]:
    """Return a preview: a small quantised spectrogram that is stored with the analysis and drawn.

    With the default front end, a cell of a 30 s preview is the mean over two bands and about two
    columns.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB, -top_db..0; row 0 is the lowest band.
    top_db
        Dynamic range of the spectrogram in dB.

    Returns
    -------
    uint8 (min(n_mels, 64), min(columns, 200)); 0..255 spans -top_db..0 dB
    """
    rows = _means(S_db.shape[0], min(S_db.shape[0], PREVIEW_BANDS))
    columns = _means(S_db.shape[1], min(S_db.shape[1], PREVIEW_COLUMNS))
    level = 255 * (rows @ S_db @ columns.T / top_db + 1.0)
    return np.clip(np.round(level), 0, 255).astype(np.uint8)


def _means(size: int, new_size: int) -> Float:
    """Return the matrix (new_size, size) that averages ``size`` cells over equal intervals."""
    edges = np.arange(new_size + 1) * size / new_size
    cells = np.arange(size)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.asarray(np.maximum(overlap, 0) * new_size / size, dtype=np.float32)
