"""Mel filter bank of a front end, from librosa. Presets have a copy: serving needs no librosa."""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from genrec.spectrogram import SpectrogramConfig

Float = NDArray[np.float32]


def mel_basis(config: SpectrogramConfig) -> Float:
    """Return a front end's mel filter bank, float32 (n_mels, 1 + n_fft / 2), from librosa."""
    basis = librosa.filters.mel(
        sr=config.sr,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    return np.asarray(basis, dtype=np.float32)


def band_centres(config: SpectrogramConfig) -> Float:
    """Return the mel bands' centre frequencies in Hz, float32 (n_mels,), on Slaney's scale."""
    edges = librosa.mel_frequencies(n_mels=config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)
    return np.asarray(edges[1:-1], dtype=np.float32)
