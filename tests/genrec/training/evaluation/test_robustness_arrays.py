"""Robustness on spectrograms: the changes and the table."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.pipeline import Prediction
from genrec.spectrogram import SpectrogramConfig
from genrec.training.evaluation.robustness_arrays import (
    ARRAY_CHANGES,
    UNCHANGED,
    apply_change,
    robustness_arrays,
)
from genrec.training.filterbank import band_centres
from tests.genrec.training.small import played_data
from tests.repository import ROOT

CONFIG = SpectrogramConfig()
HZ = band_centres(CONFIG)
DATA = played_data([0, 3], seconds=12)
S_DB = DATA.spectrogram(0)


@pytest.mark.parametrize("name", ARRAY_CHANGES)
def test_apply_change_has_its_effect(name: str) -> None:
    before = S_DB.copy()
    x = apply_change(S_DB, name, HZ, CONFIG)
    assert np.array_equal(S_DB, before)  # the input is not modified
    assert x.dtype == np.float32
    floor = before.min()
    assert x.max() == pytest.approx(before.max(), abs=1e-4)
    assert x.min() >= floor
    seconds = x.shape[1] * CONFIG.column_s
    assert seconds == pytest.approx({"10 s": 10, "5 s": 5}.get(name, 12), abs=0.2)
    silent = (x == floor).all(axis=1)
    if name == "up to 8 kHz":
        assert silent[HZ > 8_000].all()
    if name == "300 to 3,400 Hz":
        assert silent[(HZ < 300) | (HZ > 3_400)].all()
        assert not silent[(HZ > 400) & (HZ < 3_000)].any()
    if name == "even noise, -20 dB":
        assert x.min() > -21
    if name == "like MP3, 64 kbit/s":
        assert x[HZ > 10_000].mean() < before[HZ > 10_000].mean() - 5
        quiet = (before < before.max(axis=0) - 61) & (HZ < 10_000)[:, None]
        assert quiet.any()
        assert (x[quiet] == floor).all()
    if name in (UNCHANGED, "20 dB quieter"):
        np.testing.assert_allclose(x, before, atol=1e-4)


def test_apply_change_to_silence_is_silent() -> None:
    low = np.full((128, 20), -CONFIG.top_db, dtype=np.float32)
    assert (apply_change(low, "up to 8 kHz", HZ, CONFIG) == -CONFIG.top_db).all()
    nothing_passes = np.full(128, 20_000, dtype=np.float32)
    assert (apply_change(S_DB, "up to 8 kHz", nothing_passes, CONFIG) == S_DB.min()).all()


class Treble:
    """Analyzer stand-in that predicts the second genre if all bands above 9 kHz are empty."""

    preset = SimpleNamespace(labels=tuple(DATA.labels), spectrogram=CONFIG)

    def predict_spectrogram(self, S_db: np.ndarray) -> Prediction:
        dark = float(S_db[HZ > 9_000].max() <= S_db.min())
        return Prediction(np.zeros(2, np.float32), np.array([1 - dark, dark], np.float32))


def test_robustness_arrays_compares_with_the_unchanged_tracks() -> None:
    analyzer: Any = Treble()
    calls: list[tuple[int, int]] = []
    first = np.array([DATA.genres.index(DATA.labels[0])])
    rows = robustness_arrays(analyzer, DATA, first, lambda *done: calls.append(done))
    assert [row["change"] for row in rows] == list(ARRAY_CHANGES)
    assert calls == [(1, 1)]
    by = {row["change"]: row for row in rows}
    assert by[UNCHANGED] == {
        "change": "none", "tracks": 1, "accuracy": 1.0, "difference": 0.0, "genre_kept": 1.0,
    }  # fmt: skip
    assert (by["up to 8 kHz"]["accuracy"], by["up to 8 kHz"]["difference"]) == (0.0, -1.0)
    assert by["up to 8 kHz"]["genre_kept"] == 0.0
    assert by["10 s"]["difference"] == 0.0
    json.dumps(rows, allow_nan=False)
    assert robustness_arrays(analyzer, DATA, first[:0]) == []


def test_genre_kept_is_independent_of_accuracy() -> None:
    analyzer: Any = Treble()
    both = robustness_arrays(analyzer, DATA, np.array([0, 1]))
    by = {row["change"]: (row["accuracy"], row["genre_kept"]) for row in both}
    assert by["20 dB quieter"] == (0.5, 1.0)
    assert by["up to 8 kHz"] == (0.5, 0.0)


def test_robustness_arrays_keys_are_documented() -> None:
    documented = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    analyzer: Any = Treble()
    for key in ("robustness_arrays", *robustness_arrays(analyzer, DATA, np.array([0]))[0]):
        assert f"`{key}`" in documented
