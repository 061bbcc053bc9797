"""Random changes of sound, as telephones, rooms, codecs and editors make them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import InputRefused
from genrec.training.data.noise import coloured_noise

Float = NDArray[np.float32]
Rng = np.random.Generator

SR = 22050  # Hz; the sound that networks hear
PART_S = 30  # about the length of a clip
_BLOCK = 4096
# Name, container, codec, sample rate, and range of the bit rate in kbit/s.
_CODECS = (
    ("opus", "ogg", "libopus", 48_000, (16, 40)),
    ("mp3", "mp3", "libmp3lame", 22_050, (24, 96)),
    ("aac", "adts", "aac", 44_100, (48, 128)),
)


def changed_copy(y: Float, rng: Rng) -> Float:
    """Return a song whose parts of 30 s each have other random changes, see :func:`change`.

    About one part in seven stays as it was.

    Parameters
    ----------
    y
        float32 (n,), mono at 22,050 Hz.
    rng
        Random generator.

    Returns
    -------
    float32 (n,); each part has the peak that it had before. A silent part, and one shorter than
    1 s at the end, is not changed
    """
    copy = y.copy()
    for start in range(0, len(y), SR * PART_S):
        part = y[start : start + SR * PART_S]
        peak = float(np.abs(part).max())
        if peak and len(part) >= SR:
            changed = change(part, rng)[: len(part)]
            copy[start : start + len(part)] = 0
            scale = peak / (float(np.abs(changed).max()) + 1e-9)
            copy[start : start + len(changed)] = changed * scale
    return copy


def change(y: Float, rng: Rng) -> Float:
    """Return samples after random changes: room, noise, tone control, overload, band and codec.

    Parameters
    ----------
    y
        float32 (n,), mono at 22,050 Hz, not silent.
    rng
        Random generator.

    Returns
    -------
    float32 (about n,), with a peak of at most 1
    """
    if rng.random() < 0.25:
        y = _room(y, rng)
    if rng.random() < 0.25:
        noise = coloured_noise(len(y), rng)
        noise *= _rms(y) * 10 ** (-rng.uniform(8, 45) / 20)
        y = np.asarray(y + noise, dtype=np.float32)
    if rng.random() < 0.25:
        y = _tone_control(y, rng)
    y = y / (np.abs(y).max() + 1e-9)
    if rng.random() < 0.15:
        y = np.tanh(y * rng.uniform(1.5, 10))
    y = np.asarray(y * rng.uniform(0.1, 0.95), dtype=np.float32)
    choice = rng.random()
    if choice < 0.2:
        return _telephone(y, rng)
    if choice < 0.35:
        return _low_pass(y, rng)
    if choice < 0.6:
        return _coded(y, rng)
    return y


def _room(y: Float, rng: Rng) -> Float:
    """Return samples with the echo of a room: noise that decays by 60 dB in 0.1 to 1.2 s."""
    seconds = rng.uniform(0.1, 1.2)
    n = int(SR * seconds)
    echo = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    echo *= rng.uniform(0.1, 1.2) / np.sqrt(np.sum(echo**2))
    echo[0] += 1
    return np.asarray(fftconvolve(y, echo)[: len(y)])


def _tone_control(y: Float, rng: Rng) -> Float:
    """Return samples with gains of up to 12 dB that change slowly with frequency."""
    spectrum = np.fft.rfft(y)
    octave = np.log2(np.maximum(np.arange(len(spectrum)) * (SR / 2 / len(spectrum)), 20) / 20)
    gain = np.interp(octave, np.linspace(0, 9.2, 6), rng.normal(0, 6, 6))
    return np.asarray(np.fft.irfft(spectrum * 10 ** (gain / 20), len(y)))


def _telephone(y: Float, rng: Rng) -> Float:
    """Return samples as a telephone at 8 kHz gives them, in mu law steps (ITU-T G.711)."""
    low = rng.uniform(50, 350)
    filtered = sosfilt(butter(2, (low, 3800), "bandpass", fs=SR, output="sos"), y)
    at_8_khz = soxr.resample(filtered, SR, 8_000)
    coded = np.sign(at_8_khz) * np.log1p(255 * np.minimum(np.abs(at_8_khz), 1)) / np.log(256)
    coded = np.round(coded * 127) / 127
    decoded = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return np.asarray(soxr.resample(decoded, 8_000, SR), dtype=np.float32)


def _low_pass(y: Float, rng: Rng) -> Float:
    """Return samples as a file of a lower sample rate holds them."""
    rate = float(rng.choice((8_000, 11_025, 12_000, 16_000)))
    return np.asarray(soxr.resample(soxr.resample(y, SR, rate), rate, SR), dtype=np.float32)


def _coded(y: Float, rng: Rng) -> Float:
    """Return samples after a lossy codec at a low bit rate; unchanged if it leaves no sound."""
    _, container, codec, rate, kbit_s = _CODECS[int(rng.choice(3, p=(0.55, 0.3, 0.15)))]
    with tempfile.TemporaryDirectory(prefix="genrec-coded-") as folder:
        path = Path(folder) / "clip"
        encode(path, y, SR, container, codec, rate, int(rng.integers(*kbit_s)))
        limits = DecodeLimits(min_seconds=0, max_seconds=60)
        try:
            return decode(path, sr=SR, limits=limits).y
        except InputRefused:
            return y


def encode(
    path: Path, y: Float, sr: int, container: str, codec: str, rate: int, kbit_s: int
) -> None:
    """Write mono samples (n,) with FFmpeg, resampled to ``rate``."""
    y = np.asarray(soxr.resample(y, sr, rate), dtype=np.float32)
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.bit_rate = 1000 * kbit_s
        for start in range(0, len(y), _BLOCK):
            part = np.ascontiguousarray(y[np.newaxis, start : start + _BLOCK])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _rms(y: Float) -> float:
    return float(np.sqrt(np.mean(y**2)))
