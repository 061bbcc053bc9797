"""Compose random pieces for ensembles: drums, bass, chords and melody as MIDI notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from genrec.training.synthetic.arrangement import (
    DRUMS,
    FAMILY,
    PROGRESSIONS,
    QUALITIES,
    RHYTHMS,
    SCALES,
    Ensemble,
    Sound,
    draw_sound,
)

BASS, FIRST, PAD, LEAD, SECOND = 0, 1, 3, 4, 5  # channels; 2 is the second chord player
KICK, STICK, SNARE, HAT, OPEN_HAT, CRASH, RIDE = 36, 37, 38, 42, 46, 49, 51
TOMS = (38, 45, 47, 50)


class Note(NamedTuple):
    """MIDI note: start and end in s, channel, key and velocity 1..127."""

    start_s: float
    end_s: float
    channel: int
    key: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A composed piece: notes, General MIDI program per channel, drum kit and recording sound."""

    notes: list[Note]
    programs: dict[int, int]
    kit: int
    sound: Sound


class Chord(NamedTuple):
    """Chord of one bar: pitch class of the root, and its tones in semitones above the root."""

    root: int
    tones: tuple[int, ...]


@dataclass(slots=True)
class Score:
    """State of a composition: the notes so far and the parameters of this piece.

    Attributes
    ----------
    ensemble, rng, seconds
        The ensemble, the random generator, and the length of the piece.
    steps, step_s
        Sixteenths per bar, and seconds per sixteenth.
    loudness
        The ensemble's loudness, varied for this piece.
    transposed
        Transposition in semitones, -6..5; 0 is C.
    """

    ensemble: Ensemble
    rng: np.random.Generator
    seconds: float
    steps: int = 16
    step_s: float = 0.125
    loudness: tuple[float, ...] = ()
    transposed: int = 0
    notes: list[Note] = field(default_factory=list)

    def chance(self, share: float) -> bool:
        """Return True with the probability ``share``."""
        return bool(self.rng.random() < share)

    def at(self, bar: int, step: float) -> float:
        """Return the time of a sixteenth in s from the piece's start, with swing and jitter."""
        late = {2: 2.0, 3: 1.0}.get(int(step) % 4, 0.0) * self.ensemble.swing
        return (bar * self.steps + step + late) * self.step_s + float(self.rng.normal(0, 0.003))

    def add(
        self, bar: int, step: float, length: float, channel: int, key: int, velocity: float
    ) -> None:
        """Append a note of ``length`` sixteenths, unless it starts after the end of the piece."""
        start = max(0.0, self.at(bar, step))
        loud = int(np.clip(velocity + self.rng.normal(0, 6), 8, 127))
        end = start + max(0.03, length * self.step_s)
        if start < self.seconds:
            self.notes.append(Note(start, end, channel, int(np.clip(key, 12, 115)), loud))


def compose(ensemble: Ensemble, take: tuple[int, ...], seconds: float) -> Piece:
    """Return a random piece; key, tempo, melody, instruments and recording vary with the take.

    Parameters
    ----------
    ensemble
        The ensemble.
    take
        Random seed: the same numbers give the same piece.
    seconds
        Length of the piece.
    """
    rng = np.random.default_rng((11, *take))
    score = Score(ensemble, rng, seconds)
    score.steps = len(RHYTHMS[ensemble.rhythm][0]) if ensemble.rhythm else 16
    score.step_s = 15 / (ensemble.bpm * float(rng.uniform(0.9, 1.1)))
    score.loudness = tuple(float(v * rng.uniform(0.85, 1.1)) for v in ensemble.loudness)
    score.transposed = int(rng.integers(-6, 6))
    bars = int(np.ceil(seconds / (score.steps * score.step_s)))
    for bar, chord in enumerate(_harmony(score, bars)):
        _percussion(score, bar)
        _drum(score, bar)
        _bass(score, bar, chord)
        _accompany(score, bar, chord)
    _melody(score, bars)
    sound = draw_sound(rng) if score.chance(0.6) else ensemble.sound
    players = {BASS: ensemble.bass, PAD: ensemble.pad, LEAD: ensemble.lead, SECOND: ensemble.second}
    players |= {FIRST + i: program for i, (program, _) in enumerate(ensemble.chords)}
    programs = {
        ch: _vary_program(program, rng) for ch, program in players.items() if program is not None
    }
    return Piece(score.notes, programs, ensemble.kit, sound)


def _vary_program(program: int, rng: np.random.Generator) -> int:
    """Return the program or, one time in four, a random one of its instrument family."""
    if rng.random() < 0.75:
        return program
    return program // FAMILY * FAMILY + int(rng.integers(FAMILY))


def _harmony(score: Score, bars: int) -> Iterator[Chord]:
    line = PROGRESSIONS[score.ensemble.progression]
    shift = int(score.rng.integers(len(line)))
    for bar in range(bars):
        root, quality = line[(bar // score.ensemble.bars + shift) % len(line)].split(":")
        yield Chord((int(root) + score.transposed) % 12, QUALITIES[quality])


def _percussion(score: Score, bar: int) -> None:
    for place, key in enumerate(score.ensemble.percussion):
        for step in range(place % 2, score.steps, 2 if place == 0 else 4):
            if score.chance(0.7):
                score.add(bar, step, 0.5, DRUMS, key, 80 * score.loudness[1])


def _drum(score: Score, bar: int) -> None:
    ensemble, (drums, hats) = score.ensemble, score.loudness[:2]
    if ensemble.rhythm is None:
        return
    snare = STICK if ensemble.rhythm == "bossa" else SNARE
    hat = {"swing": RIDE, "four": OPEN_HAT}.get(ensemble.rhythm, HAT)
    for key, row in zip((KICK, snare, hat), RHYTHMS[ensemble.rhythm], strict=True):
        for step in (at for at, mark in enumerate(row) if mark == "x"):
            strong = 110 * drums if key != hat else (70 + 18 * (step % 4 == 0)) * hats
            if key != snare or score.chance(0.95):
                score.add(bar, step, 0.5, DRUMS, key, strong)
    if bar % 8 == 7 or (bar % 4 == 3 and score.chance(0.4)):
        for step in range(score.steps - 4, score.steps):
            score.add(bar, step, 0.5, DRUMS, int(score.rng.choice(TOMS)), 100 * drums)
    if bar % 8 == 0 and score.chance(0.4):
        score.add(bar, 0, 8, DRUMS, CRASH, 100 * hats)


def _bass(score: Score, bar: int, chord: Chord) -> None:
    if score.ensemble.bass is None:
        return
    fifth = 7 if score.chance(0.7) else -5
    walk = score.rng.choice(chord.tones, 4)
    # (sixteenth, length, semitones above the root)
    lines: dict[str, list[tuple[float, float, int]]] = {
        "roots": [(0, 7, 0), (8, 7, 0)],
        "eighths": [(i, 1.8, 0) for i in range(0, score.steps, 2)],
        "sixteenths": [(i, 0.9, 0) for i in range(score.steps)],
        "octaves": [(i, 1.5, 12 * (i // 2 % 2)) for i in range(0, score.steps, 2)],
        "fifths": [(0, 6, 0), (8, 6, fifth)],
        "long": [(0, score.steps, 0)],
        "syncopated": [(0, 2, 0), (3, 2, 0), (6, 2, 12), (10, 2, 7), (13, 2, 10)],
        "walking": [(4 * i, 3.8, int(walk[i]) if i else 0) for i in range(score.steps // 4)],
    }
    for step, length, above in lines[score.ensemble.bass_line]:
        key = 36 + chord.root + above
        if step < score.steps:
            score.add(bar, step, length, BASS, key - 12 * (key > 60), 100 * score.loudness[2])


def _accompany(score: Score, bar: int, chord: Chord) -> None:
    ensemble = score.ensemble
    for player, (_, strum) in enumerate(ensemble.chords):
        base = 48 + chord.root + 12 * player - 12 * (chord.tones == QUALITIES["5"])
        loud = 82 * score.loudness[3 + player]
        for step, length, tones in _strums(score, strum, chord):
            roll = float(score.rng.uniform(0, 0.02)) / score.step_s
            for place, tone in enumerate(tones):
                score.add(bar, step + place * roll, length, FIRST + player, base + tone, loud)
    if ensemble.pad is not None:
        for tone in chord.tones[:3]:
            score.add(bar, 0, score.steps, PAD, 48 + chord.root + tone, 62 * score.loudness[4])


def _strums(
    score: Score, strum: str, chord: Chord
) -> Iterator[tuple[float, float, tuple[int, ...]]]:
    """Yield the chords in a bar as (sixteenth, length in sixteenths, semitones above the root)."""
    steps, legato = score.steps, score.ensemble.legato
    if strum in ("arpeggio", "alberti"):
        order = (0, 2, 1, 2) if strum == "alberti" else (0, 1, 2, 3)
        pace = 1 if score.step_s > 0.158 else 2  # slower than 95 bpm
        for place, at in enumerate(range(0, steps, pace)):
            high = 12 if strum == "arpeggio" and place % 8 > 3 else 0
            tone = chord.tones[order[place % 4] % len(chord.tones)]
            yield at, 3 * legato, (tone + high,)
        return
    comping = [i for i in range(steps) if score.chance(0.22)]
    hits: dict[str, list[tuple[float, float]]] = {
        "long": [(0, steps)],
        "quarters": [(i, 3 * legato) for i in range(0, steps, 4)],
        "offbeats": [(i, 2 * legato) for i in range(2, steps, 4)],
        "skank": [(i + late, 1 - 0.2 * late) for i in range(4, steps, 8) for late in (0, 1)],
        "eighths": [(i, 1.8 * legato) for i in range(0, steps, 2)],
        "sixteenths": [(i, 0.8) for i in range(steps) if i % 4 != 1],
        "comping": [(i, float(score.rng.uniform(1, 4))) for i in comping],
        "stabs": [(0, 1.5), (6, 1.5), (11, 1)],
    }
    for step, length in hits[strum]:
        yield step, length, chord.tones


def _melody(score: Score, bars: int) -> None:
    """Append a melody of motifs that repeat or change, in steps and small leaps of the scale."""
    ensemble = score.ensemble
    if ensemble.lead is None:
        return
    scale = SCALES[ensemble.scale]
    motif, degree = _motif(score), int(score.rng.integers(5))
    for bar in range(bars):
        if not score.chance(0.88):  # a bar's rest
            continue
        if score.chance(0.5):
            motif = _motif(score)
        ends = [*(step for step, _ in motif), score.steps][1:]
        for (step, move), end in zip(motif, ends, strict=True):
            degree = int(np.clip(degree + move, -4, 2 * len(scale)))
            octave, place = divmod(degree, len(scale))
            key = ensemble.register + score.transposed + 12 * octave + scale[place]
            length = (end - step) * min(1.0, ensemble.legato)
            score.add(bar, step, length, LEAD, key, 96 * score.loudness[5])
            if ensemble.second is not None:
                below = int(score.rng.choice((3, 4, 5, 12)))
                score.add(bar, step, length, SECOND, key - below, 80 * score.loudness[5])


def _motif(score: Score) -> list[tuple[int, int]]:
    """Return a random bar's notes as (sixteenth, interval in scale steps), denser on the beat."""
    weight = {0: 0.9, 2: 0.55}
    return [
        (step, int(score.rng.integers(-3, 4)))
        for step in range(score.steps)
        if score.chance(score.ensemble.density * weight.get(step % 4, 0.3))
    ]
