"""Random changes of sound: length, level and repetition."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.errors import SilentAudio
from genrec.training.data import changes
from genrec.training.data.changes import PART_S, SR, change, changed_copy
from tests.synth import music


def test_changes_keep_length_and_level() -> None:
    y = music(1, 2.0, SR)
    for seed in range(20):
        changed = change(y, np.random.default_rng(seed))
        assert abs(len(changed) - len(y)) < 0.2 * SR
        assert 0 < np.abs(changed).max() < 1.6
        assert np.isfinite(changed).all()


def test_copy_keeps_length_and_peaks_and_silence() -> None:
    parts = [music(seed, PART_S, SR) * level for seed, level in ((1, 1.0), (2, 0.1))]
    end = parts[0][: SR // 2]
    y = np.concatenate([parts[0], np.zeros(PART_S * SR), parts[1], end])
    y = y.astype(np.float32)
    copy = changed_copy(y, np.random.default_rng(3))
    assert copy.dtype == np.float32
    assert copy.shape == y.shape
    for start in range(0, len(y), PART_S * SR):
        before, after = (each[start : start + PART_S * SR] for each in (y, copy))
        assert np.isclose(np.abs(after).max(), np.abs(before).max(), rtol=1e-3)
    assert np.array_equal(copy[-len(end) :], y[-len(end) :])


def test_most_parts_are_changed_in_different_ways() -> None:
    y = np.tile(music(1, PART_S, SR), 12)
    parts = changed_copy(y, np.random.default_rng(4)).reshape(12, -1)
    alike = np.corrcoef(np.vstack([y[: PART_S * SR], parts]))
    kept = alike[0, 1:] > 0.99999
    assert 6 <= (~kept).sum() < 12  # about one in seven stays as it was
    changed = alike[1:, 1:][~kept][:, ~kept]
    assert (changed[np.triu_indices(len(changed), 1)] < 0.99999).all()


def test_every_change_of_a_second_gives_sound() -> None:
    y = music(1, 1.0, SR)
    for seed in range(60):
        copy = changed_copy(y, np.random.default_rng(seed))
        assert np.isfinite(copy).all()
        assert copy.std() > 0


def test_sound_that_a_codec_leaves_nothing_of_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise SilentAudio("No sound is left.")

    monkeypatch.setattr(changes, "decode", silent)
    y = music(1, 1.0, SR)
    for seed in range(20):
        assert change(y, np.random.default_rng(seed)).std() > 0


def test_copy_repeats_with_its_seed() -> None:
    y = music(1, 2.0, SR)
    first, again, other = (changed_copy(y, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
