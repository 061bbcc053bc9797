"""Random ensembles of synthetic music: instruments, rhythm, tempo, harmony and recording.

Classifying pieces by ensemble is the pretraining task, in place of ImageNet: it depends on
instruments, rhythm, tempo, harmony and density, and needs no licensed music. Programs, channels and
keys are those of General MIDI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAMILY, DRUMS = 8, 9  # programs per instrument family; the drum channel
ENSEMBLE = "band-"  # before the number of an ensemble: its folder, and so its label


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of ranges: ``"0-3 7"`` is 0, 1, 2, 3, 7."""
    ends = (part.partition("-") for part in text.split())
    return tuple(n for first, _, last in ends for n in range(int(first), int(last or first) + 1))


BASSES = _numbers("32-39 43 58 87")
CHORDS = _numbers("0-7 11 16-19 21 22 24-30 46 48 50 61 62 80 81 88-90 105")
PADS = _numbers("16 19 48-54 60 61 88-95")
LEADS = _numbers("0 4 11-13 21 22 24-27 29 30 40-42 52-54 56 57 59 60 64-75 78-86 104-106 110")
DISTORTED = (29, 30)
KITS = (0, 0, 0, 8, 16, 24, 25, 32, 40, 48)
PERCUSSION = (39, 54, 56, 60, 63, 69, 70, 75, 76, 82)

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "blues": (0, 3, 5, 6, 7, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "chromatic": tuple(range(12)),
}
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "5": (0, 7, 12),
    "9": (0, 4, 10, 14),
    "m9": (0, 3, 10, 14),
    "sus": (0, 5, 7),
    "dim": (0, 3, 6),
}
PROGRESSIONS = tuple(
    tuple(line.split())
    for line in (
        "0:7 0:7 0:7 0:7 5:7 5:7 0:7 0:7 7:7 5:7 0:7 7:7",  # twelve-bar blues
        "0: 7: 9:m 5:",
        "0: 5: 7: 0:",
        "2:m7 7:7 0:maj7 9:m7",
        "0:m 8: 3: 10:",
        "0:m7 5:9",
        "0:5 3:5 5:5 6:5",
        "0:5 1:5 0:5 10:5",
        "0:m 0:m 5:m 7:",
        "0: 9:m 5: 7:",
        "0:m9",
        "0:7",
        "0: 10: 5: 0:",
        "0:maj7 5:maj7",
        "0:m 10: 8: 7:",
        "0: 2:m 7: 0:",
        "0: 4:m 5: 7:sus",
        "0:dim 7:7 0:m 5:m",
    )
)
POWER = (6, 7)  # progressions in power chords
RHYTHMS = {  # sixteenths of a bar: bass drum, snare, hi-hat
    "four": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "disco": ("x...x...x...x...", "....x.......x...", "xxxxxxxxxxxxxxxx"),
    "rock": ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "stomp": ("x..x..x...x.....", "....x.......x..x", "x.x.x.x.x.x.x.x."),
    "hiphop": ("x......x..x.....", "....x.......x...", "x.x.x.x.x.x.x.xx"),
    "trap": ("x.....x...x..x..", "........x.......", "xxx.x.xxx.x.xxxx"),
    "one drop": ("........x.......", "........x.......", "x.x.x.x.x.x.x.x."),
    "steppers": ("x...x...x...x...", "........x.......", "..x...x...x...x."),
    "swing": ("x...............", "................", "x...x..xx...x..x"),
    "shuffle": ("x.......x.......", "....x.......x...", "x..xx..xx..xx..x"),
    "train": ("x...x...x...x...", "..x...x...x...x.", "x.xxx.xxx.xxx.xx"),
    "two beat": ("x.......x.......", "....x.......x...", "....x.......x..."),
    "blast": ("x.x.x.x.x.x.x.x.", ".x.x.x.x.x.x.x.x", "x.x.x.x.x.x.x.x."),
    "double": ("xxxxxxxxxxxxxxxx", "....x.......x...", "x...x...x...x..."),
    "funk": ("x..x....x.x..x..", "....x..x.x..x...", "xxxxxxxxxxxxxxxx"),
    "bossa": ("x..xx..xx..xx..x", "x..x..x...x..x..", "xxxxxxxxxxxxxxxx"),
    "break": ("x.x.......xx....", "....x..x.x..x..x", "x.x.x.x.x.x.x.x."),
    "half": ("x.........x.....", "........x.......", "x.x.x.x.x.x.x.x."),
    "march": ("x.......x.......", "x..xx.x.x.xxx.xx", "................"),
    "waltz": ("x...........", "....x...x...", "x...x...x..."),
}
FAST = ("blast", "double", "train", "swing", "break", "two beat")
SLOW = ("trap", "half", "hiphop", "one drop")
HEAVY = ("blast", "double")
BASS_LINES = (
    "roots",
    "eighths",
    "sixteenths",
    "octaves",
    "fifths",
    "long",
    "syncopated",
    "walking",
)
STRUMS = (
    "long",
    "quarters",
    "offbeats",
    "skank",
    "eighths",
    "sixteenths",
    "comping",
    "stabs",
    "arpeggio",
    "alberti",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Recording sound: tanh drive, reverb room size 0..1, pass band in Hz, noise in dB re peak."""

    drive: float
    room: float
    low_hz: float
    high_hz: float
    noise_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """An ensemble: the parameters that all its pieces share.

    Programs are General MIDI's 0..127; None is an absent instrument.

    Attributes
    ----------
    bpm, rhythm, swing
        Quarters per minute, a name in RHYTHMS, and the delay of the fourth sixteenth of a beat in
        sixteenths. The third, the off-beat, is delayed twice as much.
    kit, percussion
        Drum kit program, and keys of further percussion.
    chords
        One (program, name in STRUMS) per chord player.
    progression, bars
        Index in PROGRESSIONS, and bars per chord.
    density, register, legato
        Of the melody: share of beats with a note (off-beats have fewer), MIDI key of its tonic
        before transposition, and sounding share of a note.
    loudness
        Relative loudness of drums, hi-hat and percussion, bass, first chords, second chords and
        pad, melody.
    """

    bpm: float
    rhythm: str | None
    kit: int
    swing: float
    percussion: tuple[int, ...]
    bass: int | None
    bass_line: str
    chords: tuple[tuple[int, str], ...]
    pad: int | None
    lead: int | None
    second: int | None
    scale: str
    progression: int
    bars: int
    density: float
    register: int
    legato: float
    loudness: tuple[float, ...]
    sound: Sound


def draw_ensemble(number: int) -> Ensemble:
    """Return a random ensemble; ``number`` is the random seed."""
    rng = np.random.default_rng((7, number))

    def one(of: tuple[int, ...], chance: float = 1.0) -> int | None:
        return int(rng.choice(of)) if rng.random() < chance else None

    rhythm = None if rng.random() < 0.22 else str(rng.choice(list(RHYTHMS)))
    heavy = rhythm in HEAVY and rng.random() < 0.8
    lead, pad = one(LEADS, 0.65), one(PADS, 0.35)
    players = int(rng.choice((0, 1, 1, 1, 2, 2)))
    if heavy or (lead is None and pad is None):
        players = max(players, 1)
    instruments = rng.choice(DISTORTED if heavy else CHORDS, players)
    late = rhythm in ("swing", "shuffle") or rng.random() < 0.12
    return Ensemble(
        bpm=_tempo(rhythm, rng),
        rhythm=rhythm,
        kit=int(rng.choice(KITS)),
        swing=float(rng.uniform(0.1, 0.17)) if late else 0.0,
        percussion=tuple(int(r) for r in rng.choice(PERCUSSION, rng.choice((0, 0, 0, 1, 2)))),
        bass=one(BASSES, 0.9 if rhythm else 0.45),
        bass_line=str(rng.choice(BASS_LINES)),
        chords=tuple((int(i), str(rng.choice(STRUMS))) for i in instruments),
        pad=pad,
        lead=lead,
        second=None if lead is None else one(LEADS, 0.25),
        scale=str(rng.choice(list(SCALES))),
        progression=int(rng.choice(POWER if heavy else range(len(PROGRESSIONS)))),
        bars=int(rng.choice((1, 1, 2))),
        density=float(rng.uniform(0.15, 0.95)),
        register=int(rng.choice((55, 60, 67, 72, 79))),
        legato=float(rng.uniform(0.3, 1.1)),
        loudness=tuple(float(x) for x in rng.uniform(0.55, 1.0, 6)),
        sound=draw_sound(rng),
    )


def draw_sound(rng: np.random.Generator) -> Sound:
    """Return a random recording sound, drawn from ``rng``."""
    return Sound(
        drive=float(rng.choice((0.0, 0.0, 0.0, 0.3, 1.0, 3.0))),
        room=float(rng.uniform(0, 0.9)),
        low_hz=float(rng.choice((0, 0, 0, 60, 150))),
        high_hz=float(rng.choice((11025, 11025, 11025, 8000, 5500, 4000))),
        noise_db=float(rng.choice((-90, -90, -60, -45))),
    )


def _tempo(rhythm: str | None, rng: np.random.Generator) -> float:
    slowest, fastest = (66, 150)
    if rhythm in FAST:
        slowest, fastest = (110, 200)
    elif rhythm in SLOW:
        slowest, fastest = (60, 100)
    return float(rng.uniform(slowest, fastest))
