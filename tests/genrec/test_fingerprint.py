"""Fingerprints match the same recording and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.fingerprint import COLUMNS_EACH, SAME_RECORDING, fingerprint, match, same_recording
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.dataset import load_archive
from genrec.training.filterbank import mel_basis
from tests.genrec.training.small import duplicate_pairs
from tests.synth import music

CONFIG = SpectrogramConfig()
BASIS = mel_basis(CONFIG)
COLUMN_S = CONFIG.column_s * COLUMNS_EACH
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


def test_excerpt_at_another_level_is_the_same_recording() -> None:
    y = music(0, 30, SR)
    assert same_recording(
        fingerprint_of(0.3 * y[7 * SR : 20 * SR]), fingerprint_of(y), column_s=COLUMN_S
    )


def test_other_recording_of_the_same_style_is_not_the_same() -> None:
    assert not same_recording(
        fingerprint_of(music(0, 30, SR)), fingerprint_of(music(5, 30, SR)), column_s=COLUMN_S
    )


def test_one_second_gives_a_fingerprint_and_a_finite_match() -> None:
    short = fingerprint_of(music(0, 1.0, SR))
    assert short.shape[0] == 15
    assert short.shape[1] >= 1
    assert np.isfinite(match(short, [fingerprint_of(music(1, 30, SR))], column_s=COLUMN_S)).all()


def test_match_without_others_is_empty() -> None:
    assert match(fingerprint_of(music(0, 5, SR)), [], column_s=COLUMN_S).shape == (0,)


def test_stationary_sound_matches_nothing() -> None:
    flat = np.zeros((15, 190), dtype=np.int8)
    assert not same_recording(flat, fingerprint_of(music(0, 30, SR)), column_s=COLUMN_S)


@pytest.mark.parametrize(("correlation", "same"), [(0.46, True), (0.34, False)])
def test_same_recording_has_its_threshold_at_a_correlation_of_0_4(
    correlation: float, same: bool
) -> None:
    rng = np.random.default_rng(0)
    a, noise = rng.normal(0, 30, (2, 15, 400))
    b = correlation * a + np.sqrt(1 - correlation**2) * noise
    prints = [np.clip(np.round(x), -127, 127).astype(np.int8) for x in (a, b)]
    found = match(prints[0], [prints[1]], column_s=COLUMN_S)
    assert found[0] == pytest.approx(correlation, abs=0.03)
    assert same_recording(*prints, column_s=COLUMN_S) is same


def test_fingerprint_is_the_change_of_band_differences_in_its_deviation() -> None:
    S_db = np.random.default_rng(0).uniform(-80, 0, (128, 41)).astype(np.float32)
    means = np.maximum(S_db[:, :40], -60).reshape(16, 8, 20, 2).mean(axis=(1, 3))
    change = (means[1:, 1:] - means[:-1, 1:]) - (means[1:, :-1] - means[:-1, :-1])
    change -= change.mean(axis=1, keepdims=True)
    expected = 32 * change / (change.std(axis=1, keepdims=True) + 2)
    assert np.abs(fingerprint(S_db) - expected).max() < 0.51


@pytest.mark.parametrize(("columns", "expected"), [(1, 1), (3, 1), (4, 1), (5, 1), (6, 2)])
def test_fingerprint_of_few_columns_has_at_least_one(columns: int, expected: int) -> None:
    assert fingerprint(np.zeros((128, columns), np.float32)).shape == (15, expected)


@pytest.mark.parametrize(("common", "same"), [(10, True), (9, False)])
def test_match_includes_the_first_and_the_last_shift(common: int, same: bool) -> None:
    a, b = np.clip(np.random.default_rng(0).normal(0, 30, (2, 15, 60)), -127, 127).astype(np.int8)
    b[:, -common:] = a[:, :common]
    assert same_recording(a, b, column_s=0.5) is same  # 5 s are ten columns
    assert same_recording(b, a, column_s=0.5) is same


@pytest.mark.parametrize(("seconds", "same"), [(5.5, True), (4.5, False)])
def test_match_needs_five_seconds_in_common(seconds: float, same: bool) -> None:
    rng = np.random.default_rng(0)
    columns = round(seconds / COLUMN_S)
    a, b = np.clip(rng.normal(0, 30, (2, 15, 190)), -127, 127).astype(np.int8)
    b[:, :columns] = a[:, -columns:]
    assert same_recording(a, b, column_s=COLUMN_S) is same


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
        found = match(
            fingerprint(degraded(data.spectrogram(int(index)), rng)), prints, column_s=COLUMN_S
        )
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
        assert same_recording(*prints, column_s=COLUMN_S), (a, b)
