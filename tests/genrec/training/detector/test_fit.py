"""The fit separates clips, holds groups out and sets the threshold by missed music."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from genrec.music_detector import MUSIC_BELOW

pytest.importorskip("fluidsynth", reason="FluidSynth is not installed", exc_type=ImportError)
fit = importlib.import_module("genrec.training.detector.fit")
_data = importlib.import_module("genrec.training.detector.detector_data")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "NETWORKS", 2)
    monkeypatch.setattr(fit, "UNITS", 8)
    monkeypatch.setattr(fit, "_EPOCHS", 300)  # of few clips


def clips(seed: int = 0) -> Any:
    """Return clips of 12 groups, whose first feature tells music."""
    rng = np.random.default_rng(seed)
    groups = [f"music-{i}" for i in range(6)] + [f"speech-{i}+x" for i in range(6)]
    names = np.array([name for name in groups for _ in range(20)])
    music = np.char.startswith(names, "music")
    X = rng.normal(0, 1, (len(names), 5))
    X[:, 0] += np.where(music, 4, -4)
    return _data.ClipFeatures(
        X=X.astype(np.float32),
        groups=names,
        numbers=np.arange(len(names)),
        music=music,
        seconds=rng.uniform(1, 30, len(names)).astype(np.float32),
    )


def test_fitted_detector_separates_clips() -> None:
    data = clips()
    detector = fit.fit_detector(data.X, data.music)
    found = np.array([detector.probability_of(x) for x in data.X])
    assert np.mean((found >= MUSIC_BELOW) == data.music) > 0.97


def test_folds_hold_out_whole_keys_once() -> None:
    data = clips()
    masks = np.array(list(fit.folds(data)))
    assert (masks.sum(axis=0) == 1).all()
    for name in np.unique(data.groups):
        assert masks[:, data.groups == name].any(axis=1).sum() == 1


def test_bias_misses_the_chosen_share_of_recorded_music() -> None:
    data = clips()
    log_odds = np.random.default_rng(3).normal(0, 2, len(data.X)).astype(np.float32)
    bias = fit.choose_bias(data, log_odds)
    missed = np.mean(log_odds[data.music] + bias < 0)
    assert missed == pytest.approx(fit.MISSED, abs=1.5 / data.music.sum())


def test_report_counts_each_kind() -> None:
    data = _data.joined_features([clips(0), clips(1)])
    log_odds = np.where(data.music, 1.0, -1.0).astype(np.float32)
    found = fit.report(data, log_odds, 0.0)
    assert found["kinds"]["music"] == {"clips": 240, "no_music": 0.0}
    assert found["kinds"]["speech"] == {"clips": 240, "no_music": 1.0}
    assert found["auc"] == 1.0
