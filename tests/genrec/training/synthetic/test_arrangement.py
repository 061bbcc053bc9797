"""Random ensembles and their pieces: deterministic, varied, and in time and tune."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from genrec.training.synthetic.arrangement import (
    BASS_LINES,
    DRUMS,
    PROGRESSIONS,
    QUALITIES,
    RHYTHMS,
    SCALES,
    STRUMS,
    Ensemble,
    Sound,
    draw_ensemble,
)
from genrec.training.synthetic.composer import BASS, FIRST, KICK, LEAD, SECOND, Piece, compose

SECONDS = 12.0
CLEAN = Sound(drive=0.0, room=0.0, low_hz=0.0, high_hz=11025.0, noise_db=-90.0)
TRIO = Ensemble(
    bpm=120.0,
    rhythm="four",
    kit=0,
    swing=0.0,
    percussion=(),
    bass=33,
    bass_line="roots",
    chords=((0, "long"),),
    pad=None,
    lead=73,
    second=None,
    scale="major",
    progression=1,
    bars=1,
    density=0.7,
    register=60,
    legato=0.9,
    loudness=(0.8,) * 6,
    sound=CLEAN,
)


def keys(piece: Piece, channel: int) -> list[int]:
    return [note.key for note in piece.notes if note.channel == channel]


def times(piece: Piece, key: int) -> np.ndarray:
    return np.array(sorted(n.start_s for n in piece.notes if (n.channel, n.key) == (DRUMS, key)))


def test_draw_ensemble_is_deterministic_and_unique_per_number() -> None:
    ensembles = [draw_ensemble(number) for number in range(200)]
    assert ensembles == [draw_ensemble(number) for number in range(200)]
    assert len(set(ensembles)) == 200


def test_draw_ensemble_covers_all_choices() -> None:
    ensembles = [draw_ensemble(number) for number in range(300)]
    assert {b.rhythm for b in ensembles} == {None, *RHYTHMS}
    assert {b.scale for b in ensembles} == set(SCALES)
    assert {b.progression for b in ensembles} == set(range(len(PROGRESSIONS)))
    assert {strum for b in ensembles for _, strum in b.chords} == set(STRUMS)
    for share, count in (
        (0.22, sum(b.rhythm is None for b in ensembles)),
        (0.35, sum(b.pad is not None for b in ensembles)),
        (0.65, sum(b.lead is not None for b in ensembles)),
    ):
        assert count / len(ensembles) == pytest.approx(share, abs=0.1)
    assert all(b.chords or b.lead is not None or b.pad is not None for b in ensembles)
    players = [p for b in ensembles for p in (b.bass, b.pad, b.lead, *(i for i, _ in b.chords))]
    assert all(0 <= p <= 127 for p in players if p is not None)


@pytest.mark.parametrize("number", range(40))
def test_compose_notes_are_valid_midi(number: int) -> None:
    piece = compose(draw_ensemble(number), (number, 0), SECONDS)
    assert piece.notes
    assert {n.channel for n in piece.notes} <= {DRUMS, *piece.programs}
    for note in piece.notes:
        assert 0 <= note.start_s < SECONDS
        assert note.end_s > note.start_s
        assert 0 <= note.key <= 127
        assert 1 <= note.velocity <= 127


def test_compose_is_deterministic_and_varies_with_the_take() -> None:
    assert compose(TRIO, (3, 1), SECONDS) == compose(TRIO, (3, 1), SECONDS)
    takes = [compose(TRIO, (3, take), SECONDS) for take in range(20)]
    assert len({tuple(piece.notes) for piece in takes}) == 20
    tempi = [np.diff(times(piece, KICK)).mean() for piece in takes]
    assert min(tempi) == pytest.approx(0.5 / 1.1, rel=0.05)  # 120 bpm, 10 % more or less
    assert max(tempi) == pytest.approx(0.5 / 0.9, rel=0.05)
    assert len({min(keys(piece, BASS)) % 12 for piece in takes}) > 4  # another key


def test_compose_varies_programs_within_their_family() -> None:
    sent = Counter(compose(TRIO, (5, take), 1.0).programs[LEAD] for take in range(200))
    assert sent[73] / 200 == pytest.approx(0.78, abs=0.1)
    assert set(sent) <= set(range(72, 80))  # pipes


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_drums_follow_their_rhythm(rhythm: str) -> None:
    piece = compose(replace(TRIO, rhythm=rhythm, bpm=100.0), (1, 0), SECONDS)
    row = RHYTHMS[rhythm][0]
    kicks = times(piece, KICK)
    # The tempo varies with the take; fit it to the hits by least squares.
    hits = [i for i, mark in enumerate(row) if mark == "x"]
    steps = np.array([bar * len(row) + i for bar in range(40) for i in hits])[: len(kicks)]
    step_s = float((kicks @ steps) / (steps @ steps))
    assert 0.9 < 15 / 100.0 / step_s < 1.1
    np.testing.assert_allclose(kicks, steps * step_s, atol=0.02)


def test_swing_delays_off_beats() -> None:
    straight, swung = (
        compose(replace(TRIO, swing=swing, rhythm="disco", lead=None), (1, 0), SECONDS)
        for swing in (0.0, 0.2)
    )
    gaps = [
        np.diff(times(piece, 42))[:32].reshape(-1, 4).mean(axis=0) for piece in (straight, swung)
    ]
    assert gaps[0] == pytest.approx(gaps[0].mean(), rel=0.05)
    assert gaps[1][1] > 1.2 * gaps[0][1]  # from the second sixteenth to the third
    assert gaps[1][3] < 0.9 * gaps[0][3]


@pytest.mark.parametrize("strum", ["arpeggio", "alberti"])
@pytest.mark.parametrize("bpm", [70.0, 140.0])
def test_broken_chords_have_all_chord_tones(strum: str, bpm: float) -> None:
    piece = compose(replace(TRIO, bpm=bpm, chords=((0, strum),), progression=11), (2, 0), SECONDS)
    tones = 3 if strum == "alberti" else 4  # of a seventh chord
    assert len({key % 12 for key in keys(piece, FIRST)}) == tones


@pytest.mark.parametrize("progression", range(len(PROGRESSIONS)))
def test_chords_follow_the_progression(progression: int) -> None:
    ensemble = replace(TRIO, progression=progression, bass=None, lead=None, rhythm=None)
    piece = compose(ensemble, (2, 0), SECONDS)
    starts = sorted({round(n.start_s, 1) for n in piece.notes})
    bar_s = np.diff(starts).max()
    line = [chord.split(":") for chord in PROGRESSIONS[progression]]
    played: dict[int, set[int]] = {}
    for note in piece.notes:
        played.setdefault(round(note.start_s / bar_s), set()).add(note.key % 12)
    written = [{(int(r) + t) % 12 for t in QUALITIES[q]} for r, q in line]
    assert any(
        all(
            {(key + up) % 12 for key in written[(bar + shift) % len(line)]} == tones
            for bar, tones in played.items()
        )
        for shift in range(len(line))
        for up in range(12)
    )


@pytest.mark.parametrize("scale", SCALES)
def test_melody_stays_in_its_scale(scale: str) -> None:
    used = {key % 12 for key in keys(compose(replace(TRIO, scale=scale), (4, 0), 40.0), LEAD)}
    tunes = [{(note + up) % 12 for note in SCALES[scale]} for up in range(12)]
    assert any(used <= tune for tune in tunes)
    assert len(used) >= min(5, len(SCALES[scale]))


def test_second_melody_is_in_thirds_fourths_or_octaves() -> None:
    piece = compose(replace(TRIO, second=40), (4, 0), SECONDS)
    first, second = keys(piece, LEAD), keys(piece, SECOND)
    assert len(first) == len(second) > 10
    assert {a - b for a, b in zip(first, second, strict=True)} <= {3, 4, 5, 12}


@pytest.mark.parametrize("strum", STRUMS)
def test_strums_differ(strum: str) -> None:
    notes = {
        each: [
            (round(n.start_s, 1), n.key)
            for n in compose(replace(TRIO, chords=((0, each),)), (6, 0), SECONDS).notes
            if n.channel == FIRST
        ]
        for each in STRUMS
    }
    this = notes.pop(strum)
    assert this
    assert this not in notes.values()


@pytest.mark.parametrize("line", BASS_LINES)
@pytest.mark.parametrize("rhythm", ["rock", "waltz"])
def test_bass_range_fits_its_line(line: str, rhythm: str) -> None:
    piece = compose(replace(TRIO, bass_line=line, rhythm=rhythm), (7, 0), SECONDS)
    bass = keys(piece, BASS)
    assert bass
    assert 30 <= min(bass) <= max(bass) <= 64
    widest = {"octaves": 12, "syncopated": 12, "roots": 9, "long": 9}.get(line, 7)
    assert max(bass) - min(bass) >= widest
