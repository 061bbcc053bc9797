"""Changes of a clip that should keep its result: codings, noise, silence, late starts and more.

Each change names its reference: the change whose result is compared with. For most it is the
unchanged clip. For ten seconds of music with silence around them it is the ten seconds alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.training.evaluation.clip_files import (
    FRAGMENTED,
    NO_INFO_FRAME,
    Edit,
    WriteClip,
    as_wav,
    at_16_khz,
    telephone,
    unchanged,
    with_ffmpeg,
    with_libsndfile,
)

Float = NDArray[np.float32]
Place = Literal["before", "after", "inside"]

UNCHANGED = "none"
SHORT, SHORT_S = "10 s", 10.0
COMMON_CHANGES = (
    "MP3",
    "MP3 64 kbit/s",
    "Vorbis",
    "AAC 128 kbit/s",
    "Opus 96 kbit/s",
    "16 kHz",
    "noise at 20 dB",
)
"""Common changes of a clip's audio, which should not change its result."""
LATE_MS = (5, 10, 25, 50, 100, 1000)
OFFSETS = (0.01, 0.03, 0.1)
SPEED_PERCENT = (1, 2, 4, 6)
ROOM_DBFS, RUMBLE_DBFS, HUM_DBFS = -55.0, -26.0, -30.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a clip: ``write`` writes the changed clip to a file.

    ``reference`` is the name of the change whose result the result is compared with.
    """

    write: WriteClip
    reference: str = UNCHANGED


def select_changes(patterns: str | None) -> tuple[str, ...]:
    """Return the names of `CHANGES` that match, and those of their references, in order.

    Parameters
    ----------
    patterns
        Names or patterns with ``*``, separated by commas; None selects all changes.

    Raises
    ------
    DataError
        A pattern matches no change.
    """
    if patterns is None:
        return tuple(CHANGES)
    wanted = {UNCHANGED}
    for pattern in (each.strip() for each in patterns.split(",")):
        found = [name for name in CHANGES if fnmatchcase(name, pattern)]
        if not found:
            raise DataError(
                f"No change is named {pattern!r}; expected some of: {', '.join(CHANGES)}."
            )
        wanted.update(found)
    wanted.update([CHANGES[name].reference for name in wanted])
    return tuple(name for name in CHANGES if name in wanted)


def _floats(y: NDArray[np.floating]) -> Float:
    return np.asarray(y, dtype=np.float32)


def _middle(y: Float, sr: int, seconds: float) -> Float:
    wanted = min(len(y), round(seconds * sr))
    start = (len(y) - wanted) // 2
    return y[start : start + wanted]


def _shorter(seconds: float) -> Edit:
    return lambda y, sr: _middle(y, sr, seconds)


def _late(ms: int) -> Edit:
    return lambda y, sr: y[sr * ms // 1000 :]


def _offset(offset: float) -> Edit:
    return lambda y, sr: _floats(y / 2 + offset)


def _faster(percent: int) -> Edit:
    """Return an edit that plays samples faster, tempo and pitch together; negative is slower."""
    return lambda y, sr: _floats(soxr.resample(y, sr * (1 + percent / 100), sr))


def _at_level(x: NDArray[np.floating], dbfs: float) -> Float:
    """Return samples scaled to an RMS level in dB re 1."""
    rms = max(float(np.sqrt(np.mean(np.square(x)))), 1e-12)
    return _floats(x * 10 ** (dbfs / 20) / rms)


def _tone(hz: float, dbfs: float, amplitudes: tuple[float, ...] = (1.0,)) -> Edit:
    """Return an edit that adds harmonics of ``hz``, together at an RMS level in dB re 1."""

    def add(y: Float, sr: int) -> Float:
        phase = 2 * np.pi * hz * np.arange(len(y)) / sr
        harmonics = [a * np.sin(n * phase) for n, a in enumerate(amplitudes, start=1)]
        return _floats(y + _at_level(np.sum(harmonics, axis=0), dbfs))

    return add


def _white_noise(y: Float, sr: int) -> Float:  # noqa: ARG001
    """Return samples plus white noise at a signal-to-noise ratio of 20 dB."""
    noise = np.random.default_rng(0).normal(0, 1, len(y))
    return _floats(y + noise * np.sqrt(np.mean(y**2)) / 10)


def room_noise(n: int, sr: int, dbfs: float = ROOM_DBFS) -> Float:
    """Return pink noise as of a quiet room.

    Parameters
    ----------
    n, sr
        Number of samples and sample rate in Hz.
    dbfs
        RMS level in dB re 1.

    Returns
    -------
    float32 (n,); its power density falls with the frequency above 20 Hz, and is 0 below
    """
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(0, 1, n))
    hz = np.fft.rfftfreq(n, 1 / sr)
    pink = np.fft.irfft(np.where(hz >= 20, spectrum / np.sqrt(np.maximum(hz, 20)), 0), n)
    return _at_level(pink, dbfs)


def _in_room(y: Float, sr: int) -> Float:
    return _floats(y + room_noise(len(y), sr))


def _with_gap(place: Place, seconds: float, *, noise: bool) -> Edit:
    """Return an edit that puts silence or room noise around or into ten seconds of music."""

    def insert(y: Float, sr: int) -> Float:
        y, n = _middle(y, sr, SHORT_S), round(seconds * sr)
        gap = room_noise(n, sr) if noise else np.zeros(n, np.float32)
        cut = {"before": 0, "inside": len(y) // 2, "after": len(y)}[place]
        return np.concatenate([y[:cut], gap, y[cut:]])

    return insert


def _inverted(y: Float, sr: int) -> Float:  # noqa: ARG001
    """Return stereo samples (n, 2) whose right channel is the left one with opposite sign."""
    return np.stack([y, -y], axis=1)


def _changes() -> Iterator[tuple[str, Change]]:
    yield UNCHANGED, Change(as_wav(unchanged))
    yield from _codings()
    yield "telephone", Change(telephone)
    yield "noise at 20 dB", Change(as_wav(_white_noise))
    yield "room noise", Change(as_wav(_in_room))
    yield "20 dB quieter", Change(as_wav(lambda y, sr: y * np.float32(0.1)))
    for ms in LATE_MS:
        yield f"begun {ms} ms later", Change(as_wav(_late(ms)))
    yield from _below_music()
    for percent in SPEED_PERCENT:
        yield f"{percent} % faster", Change(as_wav(_faster(percent)))
        yield f"{percent} % slower", Change(as_wav(_faster(-percent)))
    yield SHORT, Change(as_wav(_shorter(SHORT_S)))
    yield "5 s", Change(as_wav(_shorter(5)))
    yield from _gaps()


def _codings() -> Iterator[tuple[str, Change]]:
    yield "FLAC", Change(with_libsndfile("FLAC", "PCM_16"))
    yield "MP3", Change(with_libsndfile("MP3", "MPEG_LAYER_III"))
    yield "MP3 64 kbit/s", Change(with_ffmpeg("mp3", "libmp3lame", 64))
    without_info = with_ffmpeg("mp3", "libmp3lame", 128, options=NO_INFO_FRAME)
    yield "MP3 without Info frame", Change(without_info)
    yield "Vorbis", Change(with_libsndfile("OGG", "VORBIS"))
    yield "AAC 128 kbit/s", Change(with_ffmpeg("mp4", "aac", 128))
    yield "fragmented AAC", Change(with_ffmpeg("mp4", "aac", 128, options=FRAGMENTED))
    yield "Opus 96 kbit/s", Change(with_ffmpeg("webm", "libopus", 96, rate=48_000))
    yield "16 kHz", Change(at_16_khz)
    yield "inverted stereo WAV", Change(as_wav(_inverted))
    yield "inverted stereo AAC", Change(with_ffmpeg("mp4", "aac", 128, edit=_inverted))
    yield "inverted stereo Vorbis", Change(with_libsndfile("OGG", "VORBIS", _inverted))


def _below_music() -> Iterator[tuple[str, Change]]:
    for offset in OFFSETS:
        yield f"offset {offset}", Change(as_wav(_offset(offset)))
    yield "12 Hz rumble", Change(as_wav(_tone(12, RUMBLE_DBFS)))
    yield "50 Hz hum", Change(as_wav(_tone(50, HUM_DBFS)))
    harmonics = (1.0, 0.5, 0.5, 0.25, 0.25)
    yield "60 Hz hum and harmonics", Change(as_wav(_tone(60, HUM_DBFS, harmonics)))


def _gaps() -> Iterator[tuple[str, Change]]:
    for word, noise in (("silence", False), ("room noise", True)):
        for seconds in (20, 5):
            for place in ("before", "after", "inside"):
                edit = _with_gap(place, seconds, noise=noise)
                yield f"10 s with {seconds} s of {word} {place}", Change(as_wav(edit), SHORT)


CHANGES = MappingProxyType(dict(_changes()))
"""Changes by name. A reference has itself or the unchanged clip as reference."""
