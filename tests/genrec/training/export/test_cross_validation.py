"""Average over folds, with presets whose logits are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.images import ImageConfig
from genrec.pipeline import Prediction
from genrec.preset import Calibration
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.dataset import Parts
from genrec.training.export.cross_validation import check_folds, cross_validation
from tests.genrec.training.small import blank_data

GENRES = ["jazz", "rock"] * 10
LEVELS = np.arange(1, 21, dtype=np.uint8)[:, None, None]
DATA = blank_data(GENRES)
DATA = replace(DATA, levels=np.broadcast_to(LEVELS, DATA.levels.shape).copy())


class Fold:
    """Analyzer stand-in of one fold, wrong about some tracks and sure by ``scale``."""

    def __init__(self, split: str, wrong: set[int], scale: float, arch: str = "vgg16") -> None:
        self.wrong, self.scale = wrong, scale
        self.preset = SimpleNamespace(
            name=split, model_id=f"{split}@0", arch=arch, labels=("jazz", "rock"), dimension=2,
            spectrogram=SpectrogramConfig(), image=ImageConfig(), centre=np.zeros(2, np.float32),
            calibration=Calibration(), metrics=lambda: {"split": split},
        )  # fmt: skip

    def predict_spectrogram(self, S_db: np.ndarray) -> Prediction:
        index = round((float(S_db.mean()) / 80 + 1) * 256 - 0.5) - 1
        label = (index + (index in self.wrong)) % 2
        features = np.eye(2, dtype=np.float32)[label]
        return Prediction(features, features * np.float32(self.scale))

    def embedding(self, features: np.ndarray) -> np.ndarray:
        return features


def parts_of(split: str) -> Parts:
    fold = int(split[-1]) - 1
    test = np.arange(10 * fold, 10 * fold + 10)
    return {"train": np.setdiff1d(np.arange(20), test), "valid": np.arange(0), "test": test}


def judge(*folds: Any) -> dict[str, Any]:
    return cross_validation(folds, DATA, parts_of)


def test_mean_deviation_and_temperature_of_two_folds() -> None:
    report = judge(Fold("filtered-fold-1", {0, 1}, 4.0), Fold("filtered-fold-2", {10, 11}, 4.0))
    assert [row["accuracy"] for row in report["folds"]] == [0.8, 0.8]
    assert report["mean"]["accuracy"] == pytest.approx(0.8)
    assert report["deviation"]["accuracy"] == pytest.approx(0)
    # 0.8 of the tracks are right, so the odds of 4 are the calibrated ones.
    assert report["temperature"] == pytest.approx(4 / np.log(4), rel=1e-3)
    assert report["mean"]["ece_by_folds"] == pytest.approx(0, abs=1e-3)
    assert report["ece"] == pytest.approx(0, abs=1e-3)
    assert report["mean"]["ece"] == pytest.approx(1 / (1 + np.exp(-4)) - 0.8, abs=1e-6)


def test_temperature_of_a_fold_is_that_of_the_others() -> None:
    sure, unsure = Fold("filtered-fold-1", {0, 1}, 4.0), Fold("filtered-fold-2", {10}, 4.0)
    first, second = judge(sure, unsure)["folds"]
    # The other fold has 0.9 right, so 0.9 is the probability here, where 0.8 are right.
    assert first["ece_by_folds"] == pytest.approx(0.1, abs=1e-3)
    assert second["ece_by_folds"] == pytest.approx(0.1, abs=1e-3)


def test_presets_that_are_no_folds_of_one_recipe_raise() -> None:
    one, other = Fold("filtered-fold-1", set(), 1), Fold("filtered-fold-2", set(), 1, "resnet50")
    for folds, words in (
        ([one, Fold("paper", set(), 1)], "paper was trained with --split paper"),
        ([one, one], "have the folds filtered-fold-1, filtered-fold-1; pass two to five"),
        ([one], "pass two to five presets"),
        ([one, other], "filtered-fold-1 and filtered-fold-2 differ in network"),
    ):
        with pytest.raises(DataError, match=words):
            check_folds(folds)  # type: ignore[arg-type]
