"""Cut an excerpt of a sound file as MP3, with the loudness of every other excerpt."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.types import SoundExcerpt

Float = NDArray[np.float32]

EXCERPT_S = 15.0
SR = 44_100
TARGET_LUFS = -18.0  # that of ReplayGain 2: music rarely needs a limiter to reach it
MAX_PEAK = 10 ** (-1 / 20)  # -1 dB re full scale, room for the overshoot of MP3
MAX_GAIN = 10 ** (20 / 20)  # a very quiet recording is mostly noise
FADE_S = 0.05
_STEP_S = 0.5  # between the windows of which the loudest is cut
_BLOCK_S, _HOP_S = 0.4, 0.1
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_OFFSET = -0.691
_LIMITER_S, _LIMITER_BLOCKS = 0.005, 8  # blocks of 5 ms, and 40 ms before and after a peak
_QUALITY = 0.5  # LAME's V5, about 60 kbit/s for one channel


def cut_excerpt(path: Path, limits: DecodeLimits, seconds: float = EXCERPT_S) -> SoundExcerpt:
    """Return the loudest part of the decoded part of a file, as MP3 of one channel.

    Parameters
    ----------
    path
        A sound file on this machine.
    limits
        Limits of the analysis, so that the excerpt lies in the part that is analysed.
    seconds
        Longest length, in seconds.

    Returns
    -------
    SoundExcerpt
        Of ``TARGET_LUFS``, or quieter where ``MAX_GAIN`` is not enough.

    Raises
    ------
    InputRefused
        As `genrec.audio.decode.decode`.
    """
    y = decode(path, sr=SR, limits=limits).y
    y = loudest_part(y, SR, seconds)
    y = with_fades(level(y, SR), SR)
    return SoundExcerpt(encode_mp3(y, SR), y.size / SR)


def loudest_part(y: Float, sr: int, seconds: float) -> Float:
    """Return the window of ``seconds`` with the largest energy, or all of shorter samples.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.
    seconds
        Length of the window.
    """
    length, step = round(seconds * sr), round(_STEP_S * sr)
    if y.size <= length:
        return y
    energy = np.concatenate([[0.0], np.cumsum(np.square(y, dtype=np.float64))])
    starts = np.arange(0, y.size - length + 1, step)
    start = int(starts[np.argmax(energy[starts + length] - energy[starts])])
    return y[start : start + length]


def loudness(y: Float, sr: int) -> float:
    """Return the integrated loudness of one channel in LUFS (ITU-R BS.1770-4).

    The filter is applied to the spectrum of each block, without a window, which changes the result
    by less than 0.1 LU. Samples below the gates give minus infinity.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.
    """
    size, hop = round(_BLOCK_S * sr), round(_HOP_S * sr)
    if y.size < size:
        y = np.pad(y, (0, size - y.size))
    blocks = np.lib.stride_tricks.sliding_window_view(y, size)[::hop]
    weight = k_weighting(np.fft.rfftfreq(size, 1 / sr), sr)
    power = np.array([_weighted_power(block, weight) for block in blocks])
    levels = _OFFSET + 10 * np.log10(np.maximum(power, 1e-12))
    gated = power[levels > _ABSOLUTE_GATE]
    if not gated.size:
        return float("-inf")
    above = _OFFSET + 10 * np.log10(gated.mean()) + _RELATIVE_GATE
    kept = power[(levels > _ABSOLUTE_GATE) & (levels > above)]
    return float(_OFFSET + 10 * np.log10(kept.mean()))


def k_weighting(frequencies: NDArray[np.floating], sr: int) -> NDArray[np.float64]:
    """Return the squared magnitude of BS.1770's filter at some frequencies.

    Its two sections are those of the standard for any sample rate (De Man 2014, "Evaluation of
    implementations of the EBU R128 loudness measurement").

    Parameters
    ----------
    frequencies
        float64 (n,), in Hz.
    sr
        Samples per second.
    """
    z = np.exp(-2j * np.pi * frequencies / sr)
    shelf_k, shelf_q = np.tan(np.pi * 1681.974450955533 / sr), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    shelf = (
        (high + middle * shelf_k / shelf_q + shelf_k**2)
        + 2 * (shelf_k**2 - high) * z
        + (high - middle * shelf_k / shelf_q + shelf_k**2) * z**2
    ) / _denominator(shelf_k, shelf_q, z)
    pass_k, pass_q = np.tan(np.pi * 38.13547087602444 / sr), 0.5003270373238773
    # The standard's high-pass has a numerator of 1, -2, 1, so its denominator is normalised.
    norm = 1 + pass_k / pass_q + pass_k**2
    highpass = norm * (1 - 2 * z + z**2) / _denominator(pass_k, pass_q, z)
    return np.asarray(np.square(np.abs(shelf * highpass)), dtype=np.float64)


def level(y: Float, sr: int) -> Float:
    """Return samples of ``TARGET_LUFS``, or quieter where ``MAX_GAIN`` forbids it, limited.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.
    """
    y = y - y.mean()
    if not y.any():
        return y
    wanted = 10 ** ((TARGET_LUFS - loudness(y, sr)) / 20)
    return limit(np.asarray(y * min(wanted, MAX_GAIN), dtype=np.float32), sr)


def limit(y: Float, sr: int) -> Float:
    """Return samples whose peaks are lowered to ``MAX_PEAK`` by a gain that changes slowly.

    The gain of a block is the smallest that its neighbours need, and then a mean over them, so it
    falls before a peak. What interpolation leaves above the limit is clipped.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.
    """
    size = round(_LIMITER_S * sr)
    count = -(-y.size // size)
    peaks = np.abs(np.pad(y, (0, count * size - y.size))).reshape(count, size).max(axis=1)
    if peaks.max() <= MAX_PEAK:
        return y
    needed = np.pad(MAX_PEAK / np.maximum(peaks, MAX_PEAK), 2 * _LIMITER_BLOCKS, mode="edge")
    width = 2 * _LIMITER_BLOCKS + 1
    lowest = np.lib.stride_tricks.sliding_window_view(needed, width).min(axis=1)
    gain = np.lib.stride_tricks.sliding_window_view(lowest, width).mean(axis=1)
    centres = (np.arange(count) + 0.5) * size
    y = y * np.interp(np.arange(y.size), centres, gain)
    return np.asarray(np.clip(y, -MAX_PEAK, MAX_PEAK), dtype=np.float32)


def with_fades(y: Float, sr: int) -> Float:
    """Return samples that begin and end with a fade of ``FADE_S``, without a click.

    Parameters
    ----------
    y
        float32 (n,), mono.
    sr
        Samples per second.
    """
    size = min(round(FADE_S * sr), y.size // 2)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    y = y.copy()
    y[:size] *= ramp
    y[y.size - size :] *= ramp[::-1]
    return y


def encode_mp3(y: Float, sr: int) -> bytes:
    """Return samples as an MP3 of one channel and variable bit rate, without tags.

    Parameters
    ----------
    y
        float32 (n,), -1..1.
    sr
        Samples per second: a rate that MP3 has.
    """
    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", sr, 1, "MPEG_LAYER_III", format="MP3",
        compression_level=_QUALITY, bitrate_mode="VARIABLE",
    ) as file:  # fmt: skip
        for start in range(0, y.size, sr):  # libsndfile keeps a block of any size on its stack
            file.write(y[start : start + sr])
    return out.getvalue()


def _weighted_power(block: Float, weight: NDArray[np.float64]) -> float:
    """Return the mean square of a block after a filter, by Parseval's theorem."""
    spectrum = np.square(np.abs(np.fft.rfft(block))) * weight
    inner = spectrum.sum() * 2 - spectrum[0]
    if block.size % 2 == 0:
        inner -= spectrum[-1]
    return float(inner) / block.size**2


def _denominator(k: float, q: float, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.asarray((1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2)
