"""Synthetic music in five styles, for the demo, the doctor and the tests.

``music(seed, seconds, sr)`` uses the style ``STYLES[seed % len(STYLES)]``. The same seed gives the
same samples. Other seeds of a style differ in key, chord progression and tempo.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SECONDS = 30.0
SR = 44100


@dataclass(frozen=True)
class Style:
    """A style of music; each character of a pattern is a sixteenth note, and ``x`` is a hit."""

    name: str
    bpm: float
    kick: str
    snare: str
    hat: str
    chords: str
    bass: str
    brightness: float
    drive: float
    minor: bool


# Tempo, drum pattern, brightness and distortion differ enough to distinguish the spectrograms.
STYLES = (
    Style("disco", 120, "x...x...x...x...", "....x.......x...", "..x...x...x...x.",
          "x..x..x.x..x..x.", "x.x.x.x.x.x.x.x.", 0.6, 0.0, False),
    Style("metal", 170, "x.x.x.x.x.x.x.x.", "....x.......x...", "x.x.x.x.x.x.x.x.",
          "xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.", 0.95, 8.0, True),
    Style("reggae", 72, "........x.......", "........x.......", "x.x.x.x.x.x.x.x.",
          "....x.......x...", "x..x....x.x.....", 0.3, 0.0, False),
    Style("ballad", 60, "x...............", "........x.......", "................",
          "x.......x.......", "x.......x.......", 0.1, 0.0, True),
    Style("hiphop", 92, "x..x......x.....", "....x.......x...", "x.xxx.x.x.xxx.x.",
          "x...............", "x..x......x.....", 0.2, 1.5, True),
)  # fmt: skip
PROGRESSIONS = ((0, 5, 7, 0), (0, 9, 5, 7), (0, 3, 8, 10), (0, 7, 9, 5))


def flac(seed: int) -> bytes:
    """Return ``SECONDS`` of music of ``seed`` as the bytes of a FLAC file."""
    file = io.BytesIO()
    soundfile.write(file, music(seed, SECONDS, SR), SR, format="FLAC")
    return file.getvalue()


@contextmanager
def clip_file(seed: int = 0) -> Iterator[Path]:
    """Yield the path of a temporary FLAC file with the music of ``seed``."""
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        path = Path(folder) / "demo.flac"
        path.write_bytes(flac(seed))
        yield path


def music(seed: int, seconds: float, sr: int = SR) -> Samples:
    """Return drums, bass and chords in the style of ``seed``, float32 (n,), with a peak of 0.8."""
    style = STYLES[seed % len(STYLES)]
    rng = np.random.default_rng(seed)
    key = 36 + int(rng.integers(12))
    progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    step_s = 60 / (style.bpm * rng.uniform(0.95, 1.05)) / 4
    drums, chords = _drums(sr, rng), np.zeros(round(seconds * sr))
    y = np.zeros_like(chords)
    for step in range(int(seconds / step_s) + 1):
        at, i = round(step * step_s * sr), step % 16
        root = key + progression[step // 16 % len(progression)]
        for pattern, drum in zip((style.kick, style.snare, style.hat), drums, strict=True):
            if pattern[i] == "x":
                _add(y, drum, at)
        if style.bass[i] == "x":
            _add(y, 0.5 * _pluck(root, 3 * step_s, sr, 0.2), at)
        if style.chords[i] == "x":
            for interval in (12, 15 if style.minor else 16, 19):
                length_s = step_s * (1 if style.drive > 2 else 6)
                _add(chords, 0.25 * _pluck(root + interval, length_s, sr, style.brightness), at)
    y += np.tanh(chords * (1 + style.drive)) if style.drive else chords
    return np.asarray(0.8 * y / np.abs(y).max(), np.float32)


def _drums(sr: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], ...]:
    t = np.arange(round(0.25 * sr)) / sr
    kick = np.sin(2 * np.pi * (45 * t + 8 * (1 - np.exp(-t / 0.04)))) * np.exp(-t / 0.08)
    decay = np.exp(-t / 0.06)
    snare = rng.normal(0, 0.3, t.size) * decay + 0.3 * np.sin(1200 * t) * decay
    hat = np.diff(rng.normal(0, 0.15, t.size), prepend=0) * np.exp(-t / 0.02)
    return kick, snare, hat


def _pluck(note: float, seconds: float, sr: int, brightness: float) -> NDArray[np.float64]:
    """Return a decaying note (MIDI number); ``brightness`` 0..1 sets the level of its overtones."""
    hz = 440 * 2 ** ((note - 69) / 12)
    t = np.arange(round(seconds * sr)) / sr
    y = np.zeros_like(t)
    for n in range(1, 13):
        if n * hz < sr / 2:
            y += brightness ** (n - 1) / n * np.sin(2 * np.pi * n * hz * t)
    return y * np.exp(-2 * t / seconds) * np.minimum(1, t / 0.005)


def _add(y: NDArray[np.float64], sound: NDArray[np.float64], at: int) -> None:
    part = sound[: max(0, y.size - at)]
    y[at : at + part.size] += part
