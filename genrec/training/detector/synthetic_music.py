"""Synthetic music that is easily mistaken for other sounds: drum solos, choirs, pads, song, rap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft

from genrec.training.data.noise import coloured_noise
from genrec.training.detector.electronic_music import electronic
from genrec.training.synthetic.arrangement import (
    LEADS,
    RHYTHMS,
    SCALES,
    Ensemble,
    Sound,
    draw_ensemble,
)
from genrec.training.synthetic.composer import compose
from genrec.training.synthetic.renderer import apply_sound, render

Float = NDArray[np.float32]
Rng = np.random.Generator

SR = 22050
CHOIR, SYNTH_VOICES = (52, 53, 54), (85, 91)  # General MIDI programs
PADS = (48, 49, 50, 51, 52, 88, 89, 90, 91, 92, 93, 94, 95)


def play(ensemble: Ensemble, seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return a random piece of an ensemble, float32 (n,) at 22,050 Hz."""
    piece = compose(ensemble, (int(rng.integers(2**31)),), seconds)
    return apply_sound(render(piece, seconds, soundfont), piece.sound, rng)


def ensemble(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return music of a random ensemble."""
    return play(_random_ensemble(rng), seconds, soundfont, rng)


def drums(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return a drum solo."""
    drawn = replace(_alone(_random_ensemble(rng)), rhythm=str(rng.choice(list(RHYTHMS))))
    return play(drawn, seconds, soundfont, rng)


def beat(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return drums and perhaps a bass, as under rap."""
    drawn = _random_ensemble(rng)
    rhythm = str(rng.choice(("hiphop", "trap", "half", "rock", "funk", "four", "break")))
    drawn = replace(_alone(drawn), rhythm=rhythm, bpm=rng.uniform(70, 120), bass=drawn.bass)
    return play(drawn, seconds, soundfont, rng)


def choir(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return one to four parts of a choir without instruments."""
    drawn = replace(_alone(_random_ensemble(rng)), rhythm=None, percussion=())
    voices = [int(v) for v in rng.choice(CHOIR + SYNTH_VOICES, 3)]
    parts = int(rng.integers(1, 4))
    strum = str(rng.choice(("long", "quarters", "eighths", "comping")))
    return play(
        replace(
            drawn,
            lead=voices[0],
            second=voices[1] if parts > 1 else None,
            chords=((voices[2], strum),) if parts > 2 else (),
        ),
        seconds,
        soundfont,
        rng,
    )


def pads(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return ambient music: slow chords of pads, often in much reverb and some noise."""
    drawn = replace(_alone(_random_ensemble(rng)), rhythm=None, percussion=())
    first, second = (int(p) for p in rng.choice(PADS, 2))
    sound = replace(drawn.sound, room=rng.uniform(0.5, 0.95), noise_db=rng.uniform(-80, -30))
    slow = replace(
        drawn,
        pad=first,
        chords=((second, "long"),) if rng.random() < 0.5 else (),
        bpm=rng.uniform(40, 80),
        bars=int(rng.integers(1, 4)),
        sound=sound,
    )
    return play(slow, seconds, soundfont, rng)


def solo(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return a melody of one instrument."""
    drawn = replace(_alone(_random_ensemble(rng)), rhythm=None, percussion=())
    drawn = replace(drawn, lead=int(rng.choice(LEADS)), density=rng.uniform(0.3, 0.95))
    return play(drawn, seconds, soundfont, rng)


def lo_fi(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return music as from a worn tape or record: wow, narrow band, hiss and crackle."""
    drawn = _random_ensemble(rng)
    sound = Sound(drive=1.0, room=0.4, low_hz=150, high_hz=rng.uniform(2500, 6000), noise_db=-90)
    y = play(replace(drawn, sound=sound), seconds, soundfont, rng)
    t = np.arange(len(y))
    wow = rng.uniform(0, 40) * np.sin(2 * np.pi * rng.uniform(0.3, 2) * t / SR)
    y = np.asarray(np.interp(t + wow, t, y), dtype=np.float32)
    crackle = (rng.random(len(y)) < rng.uniform(1, 30) / SR) * rng.normal(0, 1, len(y))
    hiss = coloured_noise(len(y), rng, rng.uniform(-4, 2)) * 10 ** (-rng.uniform(15, 40) / 20)
    return np.asarray(y + rng.uniform(0, 0.7) * crackle + 0.3 * hiss, dtype=np.float32)


def noise_music(seconds: float, soundfont: Path, rng: Rng) -> Float:
    """Return music under harsh distortion, and noise in its rhythm or as loud as itself."""
    y = play(_random_ensemble(rng), seconds, soundfont, rng)
    y = np.asarray(np.tanh(y * rng.uniform(5, 40)), dtype=np.float32)
    noise = np.tanh(2 * coloured_noise(len(y), rng, rng.uniform(-6, 3)))
    if rng.random() < 0.5:
        period = SR * 15 / rng.uniform(60, 180)
        pattern = rng.uniform(0, 1, 16) * (rng.random(16) < 0.6)
        noise *= np.exp(-3 * (np.arange(len(y)) / period % 1))
        noise *= pattern[(np.arange(len(y)) / period).astype(int) % 16]
    return np.asarray(y + rng.uniform(0.2, 1.2) * noise, dtype=np.float32)


def sing(speech: Float, rng: Rng) -> Float:
    """Return speech turned into song: its spectral envelopes, slower, on the notes of a melody.

    A channel vocoder. The excitation is a pulse train with vibrato, in one to four parts, and noise
    where the speech has no voice.

    Parameters
    ----------
    speech
        float32 (n,), mono at 22,050 Hz, at least 0.2 s.
    rng
        Random generator.

    Returns
    -------
    float32 (about 1 to 3 n,)
    """
    _, _, spectrum = stft(speech, SR, nperseg=1024, noverlap=768)
    log = np.log(np.abs(spectrum) + 1e-5)
    cepstrum = np.fft.irfft(log, axis=0)
    cepstrum[30:-29] = 0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=0).real)
    slower = np.interp(
        np.arange(0, envelope.shape[1] - 1, 1 / rng.uniform(1.1, 3.0)),
        np.arange(envelope.shape[1]),
        np.arange(envelope.shape[1]),
    )
    left = slower.astype(int)
    weight = slower - left
    envelope = envelope[:, left] * (1 - weight) + envelope[:, left + 1] * weight
    n = envelope.shape[1] * 256
    low, high = envelope[10:70].mean(axis=0), envelope[150:].mean(axis=0)
    voiced = np.repeat(np.convolve(low > 2 * high, np.ones(5) / 5, "same"), 256)
    excitation = _melody_pulses(n, rng) * voiced + 0.3 * rng.standard_normal(n) * (1 - voiced)
    _, _, source = stft(excitation, SR, nperseg=1024, noverlap=768)
    frames = min(source.shape[1], envelope.shape[1])
    _, y = istft(source[:, :frames] * envelope[:, :frames], SR, nperseg=1024, noverlap=768)
    return np.asarray(y / (np.abs(y).max() + 1e-9), dtype=np.float32)


def _melody_pulses(n: int, rng: Rng) -> NDArray[np.float64]:
    """Return pulse trains (n,) on the notes of a melody in a scale, in one to four parts."""
    scale = SCALES[str(rng.choice(list(SCALES)))]
    length = int(SR * rng.uniform(0.2, 0.9))
    steps = np.cumsum(rng.choice((-2, -1, -1, 0, 1, 1, 2), n // length + 2))
    long = rng.random(len(steps)) < 0.4
    steps[1:][long[1:]] = steps[:-1][long[1:]]
    base, y = rng.uniform(90, 300), np.zeros(n)
    t = np.arange(n) / SR
    for part in range(int(rng.choice((1, 1, 2, 3, 4)))):
        degree = steps + 2 * part
        keys = np.array([scale[d % len(scale)] + 12 * (d // len(scale)) for d in degree])
        keys = np.clip(keys, -12, 19)
        glide = max(1, int(SR * rng.uniform(0.02, 0.12)))
        curve = np.repeat(keys, length)[: n + glide].astype(float)
        sums = np.cumsum(np.pad(curve, (glide, 0), "edge"))
        curve = ((sums[glide:] - sums[:-glide]) / glide)[:n]
        curve += rng.uniform(0, 0.4) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t)
        phase = np.cumsum(base * 2 ** (curve / 12)) / SR
        y += np.diff(np.floor(phase), prepend=0)
    return y * 5


def rap(speech: Float, beat: Float, rng: Rng) -> Float:
    """Return speech over a beat, both float32; as long as the shorter."""
    return over(speech, beat, rng.uniform(-6, 9))


def over(speech: Float, music: Float, louder_db: float) -> Float:
    """Return speech over music, where it is louder by ``louder_db``; as long as the shorter."""
    n = min(len(speech), len(music))
    speech, music = speech[:n], music[:n]
    gain = 10 ** (louder_db / 20) * _rms(music) / (_rms(speech) + 1e-9)
    return np.asarray(music + gain * speech, dtype=np.float32)


def _alone(drawn: Ensemble) -> Ensemble:
    """Return an ensemble without its players; drums and percussion stay."""
    return replace(drawn, chords=(), bass=None, pad=None, lead=None, second=None)


def _random_ensemble(rng: Rng) -> Ensemble:
    return draw_ensemble(int(rng.integers(2**31)))


def _rms(y: Float) -> float:
    return float(np.sqrt(np.mean(y**2)))


PLAYED: dict[str, Callable[[float, Path, Rng], Float]] = {
    "ensemble": ensemble,
    "drums": drums,
    "beat": beat,
    "choir": choir,
    "pads": pads,
    "solo": solo,
    "lofi": lo_fi,
    "noise-music": noise_music,
    "electronic": lambda seconds, soundfont, rng: electronic(seconds, SR, rng),
}
"""Function (seconds, soundfont, random generator) of each kind of music; returns (n,)."""
