"""Decode a file in a test and compare it with the music that it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.audio.decode import decode
from tests.synth import Samples, music

SR = 32000
SONG = music(3, 6, SR)


def likeness(y: Samples, original: Samples) -> float:
    """Return the correlation of a sound with the part of another that is most like it."""
    n = 2 ** (y.size + original.size).bit_length()
    found = np.fft.irfft(np.fft.rfft(y, n) * np.fft.rfft(original, n).conj(), n)
    shift = int(np.argmax(found))
    shift -= n if shift > n // 2 else 0
    a, b = y[max(0, shift) :], original[max(0, -shift) :]
    count = min(a.size, b.size)
    return float(found.max() / (np.linalg.norm(a[:count]) * np.linalg.norm(b[:count])))


def assert_decodes(
    data: bytes, folder: Path, *, seconds: float = 6, original: Samples = SONG
) -> Samples:
    """Decode a file, compare it with its music and return the samples."""
    path = folder / "clip"
    path.write_bytes(data)
    y = decode(path, sr=SR).y
    assert y.size / SR == pytest.approx(seconds, abs=0.2)
    assert likeness(y, original) > 0.94
    return y
