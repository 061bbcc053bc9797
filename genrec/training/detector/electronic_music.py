"""Electronic music of sines and noise: a drum machine, a bass and plucked chords."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec.training.synthetic.arrangement import PROGRESSIONS, QUALITIES, RHYTHMS

Float = NDArray[np.float64]
Rng = np.random.Generator


def electronic(seconds: float, sr: int, rng: Rng) -> NDArray[np.float32]:
    """Return a random piece, float32 (n,); one time in six without drums, bass or chords each."""
    slow = rng.random() < 0.4
    n, step_s = round(seconds * sr), 15 / (rng.uniform(40, 80) if slow else rng.uniform(55, 180))
    has_drums, has_bass, has_chords = rng.random(3) > 1 / 6
    if not (has_drums or has_bass):
        has_chords = True
    rhythm = RHYTHMS[str(rng.choice(list(RHYTHMS)))]
    chords = [_chord(text) for text in PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]]
    drums, y, played = _drum_machine(sr, rng), np.zeros(n), np.zeros(n)
    if slow:  # a ballad: a bass drum at the bar, a snare in its middle, few chords
        rhythm = ("x" + "." * 15, "." * 8 + "x" + "." * 7, "." * 16)
    share = rng.uniform(0.02, 0.2, (2, 1)) if slow else rng.uniform(0.1, 0.7, (2, 1))
    bass_steps, chord_steps = rng.random((2, len(rhythm[0]))) < share
    chord_steps[0] = bass_steps[0] = True
    chord_steps[8 % len(rhythm[0])] |= slow
    key, held = int(rng.integers(30, 48)), rng.uniform(1, 10)
    brightness = rng.uniform(0.02, 0.3) if slow else rng.uniform(0.05, 0.95)
    for step in range(int(seconds / step_s) + 1):
        at, (bar, i) = round(step * step_s * sr), divmod(step, len(rhythm[0]))
        root, tones = chords[bar % len(chords)]
        for pattern, drum in zip(rhythm, drums, strict=True):
            if has_drums and pattern[i] == "x":
                _mix(y, drum * rng.uniform(0.7, 1), at)
        if has_bass and bass_steps[i]:
            _mix(y, 0.5 * _note(key + root, 3 * step_s, sr, 0.2), at)
        if has_chords and chord_steps[i]:
            for tone in tones:
                note = _note(key + 12 + root + tone, held * step_s, sr, brightness)
                _mix(played, 0.3 * note, at)
    drive = float(rng.choice((0, 0, 1.5, 8)))
    y += np.tanh(played * (1 + drive)) if drive else played
    return np.asarray(y, dtype=np.float32)


def _chord(text: str) -> tuple[int, tuple[int, ...]]:
    """Return root and tones of a chord such as ``9:m``."""
    root, _, quality = text.partition(":")
    return int(root), QUALITIES[quality]


def _drum_machine(sr: int, rng: Rng) -> tuple[Float, Float, Float]:
    """Return the samples of bass drum, snare and hi-hat."""
    t = np.arange(round(0.3 * sr)) / sr
    low, fall, long = rng.uniform(35, 70), rng.uniform(3, 15), rng.uniform(0.03, 0.2)
    kick = np.sin(2 * np.pi * (low * t + fall * (1 - np.exp(-t / 0.04)))) * np.exp(-t / long)
    decay = np.exp(-t / rng.uniform(0.02, 0.15))
    tone = np.sin(2 * np.pi * rng.uniform(150, 250) * t)
    snare = (rng.normal(0, 0.3, t.size) + rng.uniform(0, 0.5) * tone) * decay
    hat = np.diff(rng.normal(0, 0.15, t.size), prepend=0) * np.exp(-t / rng.uniform(0.01, 0.08))
    return kick, snare, hat


def _note(key: float, seconds: float, sr: int, brightness: float) -> Float:
    """Return a plucked note; ``key`` is a MIDI number, ``brightness`` 0..1 sets the overtones."""
    hz = 440 * 2 ** ((key - 69) / 12)
    t = np.arange(round(seconds * sr)) / sr
    y = np.zeros_like(t)
    for k in range(1, min(13, int(sr / 2 / hz))):
        y += brightness ** (k - 1) / k * np.sin(2 * np.pi * k * hz * t)
    return np.asarray(y * np.exp(-2 * t / seconds) * np.minimum(1, t / 0.005))


def _mix(y: Float, sound: Float, at: int) -> None:
    """Add a sound to samples from ``at`` on, in place."""
    part = sound[: max(0, y.size - at)]
    y[at : at + part.size] += part
