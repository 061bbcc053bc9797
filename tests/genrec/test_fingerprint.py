"""Fingerprints match the same recording and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from genrec.fingerprint import (
    LARGEST,
    SAME_RECORDING,
    SAME_SPEED,
    RecordingMatcher,
    fingerprint,
    pack,
    unpack,
)
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.artist_folds import duplicate_pairs
from genrec.training.data.dataset import load_archive
from genrec.training.filterbank import mel_basis
from tests.synth import music

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)
MATCHER = RecordingMatcher(CONFIG)
SR = CONFIG.sr


def fingerprint_of(y: np.ndarray) -> np.ndarray:
    """Return the fingerprint of samples."""
    return fingerprint(log_mel(y.astype(np.float32), CONFIG, BASIS))


def degraded(S_db: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a noisy, smeared half of a spectrogram, sometimes without its upper bands."""
    start = int(rng.integers(0, S_db.shape[1] // 2))
    S_db = S_db[:, start : start + S_db.shape[1] // 2]
    S_db = S_db + rng.normal(0, 1.5, S_db.shape)
    S_db[:, :-1] = (S_db[:, :-1] + S_db[:, 1:]) / 2
    if rng.random() < 0.5:
        S_db[90:] = -80
    S_db = 10 * np.log10(10 ** (S_db / 10) + 10**-4.5)
    return np.asarray(S_db - S_db.max(), dtype=np.float32)


def improvised(seed: int, seconds: float) -> np.ndarray:
    """Return music that never repeats: notes of random pitch, onset and length, and some noise."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 0.003, round(seconds * SR))
    for start in np.cumsum(rng.exponential(0.12, round(seconds * 8))):
        at, n = round(start * SR), round(rng.uniform(0.1, 0.7) * SR)
        t = np.arange(max(0, min(n, len(y) - at))) / SR
        pitch = 80 * 2 ** rng.uniform(0, 5)
        for harmonic in range(1, 5):
            y[at : at + len(t)] += (
                0.1 / harmonic * np.sin(2 * np.pi * pitch * harmonic * t) * np.exp(-4 * t)
            )
    return y.astype(np.float32)


def played_at(speed: float, y: np.ndarray) -> np.ndarray:
    """Return samples played faster and higher by the factor ``speed``."""
    return np.asarray(soxr.resample(y, SR * speed, SR), dtype=np.float32)


def random_values(*shape: int) -> np.ndarray:
    """Return Gaussian 4-bit values."""
    values = np.random.default_rng(0).normal(0, 2.5, shape)
    return np.clip(np.round(values), -LARGEST, LARGEST).astype(np.int8)


def test_excerpt_at_another_level_is_the_same_recording() -> None:
    y = music(0, 30, SR)
    assert MATCHER.same(fingerprint_of(0.3 * y[7 * SR : 20 * SR]), fingerprint_of(y))


def test_other_recording_of_the_same_style_is_not_the_same() -> None:
    assert not MATCHER.same(fingerprint_of(music(0, 30, SR)), fingerprint_of(music(5, 30, SR)))


def test_other_improvisations_are_not_the_same() -> None:
    prints = [fingerprint_of(improvised(seed, 20)) for seed in range(8)]
    for i, query in enumerate(prints):
        assert MATCHER.match(query, prints[i + 1 :]).max(initial=0) < 0.3


def test_loops_at_the_tempo_of_other_loops_are_not_the_same() -> None:
    prints = [fingerprint_of(music(seed, 25, SR)) for seed in (3, 8, 13, 18)]
    for i, query in enumerate(prints):
        assert not any(MATCHER.same(query, other) for other in prints[i + 1 :])
        assert MATCHER.same(query, query)


@pytest.mark.parametrize("late_ms", [5, 25, 39, 58, 100])
def test_late_start_is_the_same_recording(late_ms: int) -> None:
    y = improvised(1, 20)
    late = fingerprint_of(y[SR * late_ms // 1000 :])
    assert MATCHER.match(late, [fingerprint_of(y)], SAME_SPEED)[0] > 0.55


@pytest.mark.parametrize("speed", [0.94, 0.965, 0.98, 1.02, 1.035, 1.06])
def test_other_speed_is_the_same_recording(speed: float) -> None:
    y = improvised(2, 20)
    clip = fingerprint_of(played_at(speed, y))
    assert MATCHER.same(clip, fingerprint_of(y))
    if abs(speed - 1) > 0.05:
        assert not MATCHER.same(clip, fingerprint_of(y), SAME_SPEED)


def test_one_second_gives_a_fingerprint_and_a_finite_match() -> None:
    short = fingerprint_of(music(0, 1.0, SR))
    assert short.shape[0] == 15
    assert short.shape[1] >= 1
    assert np.isfinite(MATCHER.match(short, [fingerprint_of(music(1, 30, SR))])).all()


def test_match_without_others_is_empty() -> None:
    assert MATCHER.match(fingerprint_of(music(0, 5, SR)), []).shape == (0,)


def test_match_of_many_lengths_equals_one_at_a_time() -> None:
    y = music(3, 20, SR)
    others = [fingerprint_of(y[: SR * (3 + i % 17)]) for i in range(70)]
    query = fingerprint_of(y[2 * SR :])
    together = MATCHER.match(query, others)
    alone = [MATCHER.match(query, [other])[0] for other in others[:20]]
    np.testing.assert_allclose(together[:20], alone, atol=1e-4)
    assert len(together) == 70


def test_match_ignores_the_zeros_that_a_starter_catalogue_appends() -> None:
    y = improvised(3, 12)
    whole = fingerprint_of(y)
    padded = np.pad(whole, ((0, 0), (0, 100)))
    query = fingerprint_of(y[6 * SR :])
    np.testing.assert_allclose(
        MATCHER.match(query, [padded]), MATCHER.match(query, [whole]), atol=1e-4
    )


def test_stationary_sound_matches_nothing() -> None:
    flat = np.zeros((15, 190), dtype=np.int8)
    assert not MATCHER.same(flat, fingerprint_of(music(0, 30, SR)))


@pytest.mark.parametrize(("correlation", "same"), [(0.5, True), (0.3, False)])
def test_same_has_its_threshold_at_a_correlation_of_0_4(correlation: float, same: bool) -> None:
    a, noise = np.random.default_rng(0).normal(0, 2, (2, 15, 400))
    b = correlation * a + np.sqrt(1 - correlation**2) * noise
    prints = [pack(np.clip(np.round(x), -LARGEST, LARGEST).astype(np.int8)) for x in (a, b)]
    found = MATCHER.match(prints[0], [prints[1]])
    assert found[0] == pytest.approx(correlation, abs=0.06)
    assert MATCHER.same(*prints) is same


def test_fingerprint_is_the_change_of_band_differences_in_its_deviation() -> None:
    S_db = np.random.default_rng(0).uniform(-80, 0, (128, 41)).astype(np.float32)
    means = np.maximum(S_db, -60).reshape(16, 8, 41).mean(axis=1)
    slope = means[1:] - means[:-1]
    change = (slope[:, 4:] + slope[:, 3:-1] - slope[:, 1:-3] - slope[:, :-4]) / 2
    change -= change.mean(axis=1, keepdims=True)
    expected = np.clip(3 * change / (change.std(axis=1, keepdims=True) + 2), -7, 7)
    assert np.abs(unpack(fingerprint(S_db))[:, :37] - expected).max() < 0.51


@pytest.mark.parametrize("columns", [1, 2, 7, 8])
def test_unpack_returns_what_pack_took(columns: int) -> None:
    values = random_values(15, columns)
    packed = pack(values)
    assert packed.shape == (15, (columns + 1) // 2)
    assert packed.dtype == np.int8
    np.testing.assert_array_equal(unpack(packed)[:, :columns], values)
    assert not unpack(packed)[:, columns:].any()


@pytest.mark.parametrize(("columns", "expected"), [(1, 1), (5, 1), (6, 1), (7, 2), (387, 192)])
def test_fingerprint_packs_two_columns_a_byte(columns: int, expected: int) -> None:
    assert fingerprint(np.zeros((128, columns), np.float32)).shape == (15, expected)


@pytest.mark.parametrize(("seconds", "same"), [(5.5, True), (4.0, False)])
def test_match_needs_five_seconds_in_common(seconds: float, same: bool) -> None:
    columns = round(seconds / CONFIG.column_s)
    a, b = random_values(2, 15, 380)
    b[:, :columns] = a[:, -columns:]
    assert MATCHER.same(pack(a), pack(b)) is same
    assert MATCHER.same(pack(b), pack(a)) is same


@pytest.mark.parametrize(("seconds", "same"), [(2.0, True), (0.5, False)])
def test_short_clip_needs_a_higher_correlation(seconds: float, same: bool) -> None:
    whole = random_values(15, 380)
    cut = whole[:, 100 : 100 + round(seconds / CONFIG.column_s)]
    found = MATCHER.match(pack(cut), [pack(whole)], SAME_SPEED)[0]
    assert found == pytest.approx(np.sqrt(seconds / 5), abs=0.05)
    assert MATCHER.same(pack(cut), pack(whole), SAME_SPEED) is same


@pytest.mark.shared
@pytest.mark.slow
def test_threshold_separates_same_from_other_recordings_of_real_music(shared: Path) -> None:
    data = load_archive(shared / "gtzan")
    twins = {name for pair in duplicate_pairs(shared / "gtzan") for name in pair}
    rng = np.random.default_rng(0)
    alone = [i for i in range(len(data)) if data.names[i] not in twins]
    chosen = rng.permutation(alone)[:60]
    prints = [fingerprint(data.spectrogram(int(i))) for i in chosen]
    same, other = [], []
    for place, index in enumerate(chosen):
        found = MATCHER.match(fingerprint(degraded(data.spectrogram(int(index)), rng)), prints)
        same.append(found[place])
        songs = [data.titles[i] == data.titles[index] for i in chosen]
        other += [f for f, is_song in zip(found, songs, strict=True) if not is_song]
    assert min(same) >= SAME_RECORDING
    assert max(other) < SAME_RECORDING


@pytest.mark.shared
def test_known_duplicates_of_gtzan_are_the_same_recording(shared: Path) -> None:
    data = load_archive(shared / "gtzan")
    place = {name: i for i, name in enumerate(data.names)}
    for a, b in duplicate_pairs(shared / "gtzan"):
        prints = [fingerprint(data.spectrogram(place[name])) for name in (a, b)]
        assert MATCHER.same(*prints), (a, b)
