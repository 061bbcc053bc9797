"""The same recording is known again, other recordings are not taken for it."""

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


def of(y: np.ndarray) -> np.ndarray:
    return fingerprint(log_mel(y.astype(np.float32), CONFIG, BASIS))


def worse(S_db: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut out half, smear it by half a column, add noise, and sometimes take the treble away."""
    start = int(rng.integers(0, S_db.shape[1] // 2))
    S_db = S_db[:, start : start + S_db.shape[1] // 2]
    S_db = S_db + rng.normal(0, 1.5, S_db.shape)
    S_db[:, :-1] = (S_db[:, :-1] + S_db[:, 1:]) / 2
    if rng.random() < 0.5:
        S_db[90:] = -80
    S_db = 10 * np.log10(10 ** (S_db / 10) + 10**-4.5)
    return np.asarray(S_db - S_db.max(), dtype=np.float32)


def test_a_cut_at_another_level_is_the_same_recording() -> None:
    y = music(0, 30, SR)
    assert same_recording(of(0.3 * y[7 * SR : 20 * SR]), of(y), column_s=COLUMN_S)


def test_another_recording_of_the_same_style_is_not() -> None:
    assert not same_recording(of(music(0, 30, SR)), of(music(5, 30, SR)), column_s=COLUMN_S)


def test_short_clips_give_a_fingerprint_and_no_false_match() -> None:
    short = of(music(0, 1.0, SR))
    assert short.shape[0] == 15
    assert short.shape[1] >= 1
    assert np.isfinite(match(short, [of(music(1, 30, SR))], column_s=COLUMN_S)).all()


def test_nothing_to_compare_gives_nothing() -> None:
    assert match(of(music(0, 5, SR)), [], column_s=COLUMN_S).shape == (0,)


def test_a_steady_sound_matches_nothing() -> None:
    flat = np.zeros((15, 190), dtype=np.int8)
    assert not same_recording(flat, of(music(0, 30, SR)), column_s=COLUMN_S)


@pytest.mark.shared
@pytest.mark.slow
def test_threshold_parts_same_from_other_on_real_music(shared: Path) -> None:
    data = load_archive(shared / "gtzan")
    twins = {name for pair in duplicate_pairs(shared / "gtzan") for name in pair}
    rng = np.random.default_rng(0)
    alone = [i for i in range(len(data)) if data.names[i] not in twins]
    chosen = rng.permutation(alone)[:60]
    prints = [fingerprint(data.spectrogram(int(i))) for i in chosen]
    same, other = [], []
    for place, index in enumerate(chosen):
        found = match(
            fingerprint(worse(data.spectrogram(int(index)), rng)), prints, column_s=COLUMN_S
        )
        same.append(found[place])
        songs = [data.titles[i] == data.titles[index] for i in chosen]
        other += [f for f, is_song in zip(found, songs, strict=True) if not is_song]
    assert min(same) >= SAME_RECORDING
    assert max(other) < SAME_RECORDING


@pytest.mark.shared
def test_every_known_duplicate_is_found(shared: Path) -> None:
    data = load_archive(shared / "gtzan")
    place = {name: i for i, name in enumerate(data.names)}
    for a, b in duplicate_pairs(shared / "gtzan"):
        prints = [fingerprint(data.spectrogram(place[name])) for name in (a, b)]
        assert same_recording(*prints, column_s=COLUMN_S), (a, b)
