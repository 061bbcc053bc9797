"""Evaluation metrics against values computed by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError, UnreadableAudio
from genrec.images import ImageConfig
from genrec.pipeline import Prediction
from genrec.preset import Calibration
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.dataset import Dataset, Parts
from genrec.training.evaluation.evaluate import (
    EmbeddedPredictions,
    accuracy,
    calibration,
    evaluate,
    neighbours,
)
from genrec.training.evaluation.metrics import softmax
from genrec.types import GenreScore
from tests.genrec.training.small import blank_data
from tests.repository import ROOT


def cosine(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def unit_vectors(degrees: list[float]) -> np.ndarray:
    """Return unit vectors at these angles, float32 (n, 2)."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def predictions(indices: list[int], degrees: list[float]) -> EmbeddedPredictions:
    logits = np.zeros((len(indices), 2), np.float32)
    return EmbeddedPredictions(
        np.array(indices), unit_vectors(degrees), logits, unit_vectors(degrees)
    )


# --- accuracy


def test_accuracy_per_class_and_confusion_matrix() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2])
    found = accuracy(truth, predicted, ("jazz", "pop", "rock", "metal"))
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["confusion_matrix"] == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found["per_class"]["jazz"] == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3}
    )
    assert found["per_class"]["pop"] == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2}
    )
    assert found["per_class"]["metal"]["support"] == 0
    # A genre without tracks does not count in the mean.
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


# --- calibration


def tracks_of(p: float, right: int, wrong: int) -> tuple[list[int], list[list[float]]]:
    """Return true labels and logits of tracks that are predicted label 0 with probability ``p``."""
    logits = [[math.log(p / (1 - p)), 0.0]] * (right + wrong)
    return [0] * right + [1] * wrong, logits


def calibration_of(
    *groups: tuple[list[int], list[list[float]]], below: float = 0.5
) -> dict[str, float]:
    truth = np.array([t for group, _ in groups for t in group])
    logits = np.array([row for _, rows in groups for row in rows], dtype=np.float32)
    preset = SimpleNamespace(calibration=Calibration(temperature=1.7, unsure_below=below))
    return calibration(truth, logits, preset)


def test_calibrated_probabilities_have_zero_ece() -> None:
    found = calibration_of(tracks_of(0.8, 8, 2))
    assert found["ece"] == pytest.approx(0, abs=1e-6)
    assert found["nll"] == pytest.approx(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)), abs=1e-6)
    assert found["temperature"] == 1.7


def test_ece_is_the_gap_weighted_by_bin_size() -> None:
    assert calibration_of(tracks_of(0.8, 5, 5))["ece"] == pytest.approx(0.3, abs=1e-6)
    mixed = calibration_of(tracks_of(0.85, 6, 4), tracks_of(0.95, 30, 0))
    assert mixed["ece"] == pytest.approx(0.25 * 0.25 + 0.75 * 0.05, abs=1e-6)


def test_unsure_tracks_are_excluded_from_accuracy_when_sure() -> None:
    found = calibration_of(tracks_of(0.6, 1, 3), tracks_of(0.9, 5, 1), below=0.7)
    assert found["unsure_share"] == pytest.approx(4 / 10)
    assert found["accuracy_when_sure"] == pytest.approx(5 / 6)
    none_sure = calibration_of(tracks_of(0.6, 1, 3), below=0.7)
    assert (none_sure["unsure_share"], none_sure["accuracy_when_sure"]) == (1.0, 0.0)


def test_softmax_of_large_logits_is_finite() -> None:
    p = softmax(np.array([[1000.0, 1000.0 - math.log(3)], [-1e30, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(p, [[0.75, 0.25], [0, 1]], atol=1e-3)


# --- neighbours

GENRES = ["jazz", "jazz", "jazz", "rock", "jazz", "rock", "jazz", "rock"]
ARTISTS = ["ann", "ann", "ann", "bob", "cy", "dan", "eve", "flo"]


def test_neighbours_with_and_without_artist_filter() -> None:
    data = blank_data(GENRES, artists=ARTISTS)
    query = predictions([0], [0])
    pool = predictions([1, 2, 3, 4, 5, 6, 7], [10, 20, 30, 40, 50, 60, 70])
    found = neighbours(data, query, pool)
    share = 5 / 7  # of the tracks are returned once without ann's two
    assert found == pytest.approx(
        {
            "catalogue": 7,
            "precision_at_5": 3 / 5,  # jazz jazz rock jazz rock
            "precision_at_5_artist_filtered": 2 / 5,  # rock jazz rock jazz rock
            "same_artist_share": 2 / 5,
            "mean_cosine_unrelated": (cosine(30) + cosine(50) + cosine(70)) / 3,
            "mean_cosine_nearest": sum(cosine(d) for d in (30, 40, 50, 60, 70)) / 5,
            "hubness_skew": (1 - 2 * share) / math.sqrt(share * (1 - share)),
            "never_share": 2 / 7,
        },
        abs=1e-6,
    )


def test_neighbours_exclude_the_query_itself() -> None:
    found = neighbours(
        blank_data(["jazz", "jazz", "rock"]), *[predictions([0, 1, 2], [0, 10, 90])] * 2
    )
    assert found["precision_at_5"] == pytest.approx((1 + 1 + 0) / 6)
    assert found["same_artist_share"] == 0  # unknown artists do not match
    assert found["mean_cosine_nearest"] == pytest.approx(
        (cosine(10) + cosine(90) + cosine(80)) / 3, abs=1e-6
    )
    assert (found["never_share"], found["hubness_skew"]) == (0, 0)


def test_neighbours_with_only_the_artists_tracks_are_empty() -> None:
    data = blank_data(["jazz", "jazz"], artists=["ann", "ann"])
    found = neighbours(data, predictions([0], [0]), predictions([1], [10]))
    assert (found["precision_at_5"], found["precision_at_5_artist_filtered"]) == (1.0, 0.0)
    assert (found["mean_cosine_nearest"], found["mean_cosine_unrelated"]) == (0.0, 0.0)
    json.dumps(found, allow_nan=False)


# --- the whole report


class FixedPredictions:
    """Analyzer stand-in with a fixed prediction per track of a `numbered` data set."""

    def __init__(self, features: np.ndarray, logits: np.ndarray) -> None:
        self.features, self.logits = features, logits
        self.preset = SimpleNamespace(
            name="known",
            model_id="known@0123456789ab",
            spectrogram=SpectrogramConfig(),
            image=ImageConfig(),
            labels=("jazz", "rock"),
            dimension=features.shape[1],
            centre=np.zeros(features.shape[1], np.float32),
            calibration=Calibration(temperature=2.0),
        )

    def predict_spectrogram(self, S_db: np.ndarray) -> Prediction:
        level = round((float(S_db.mean()) / 80 + 1) * 256 - 0.5)
        return Prediction(self.features[level - 1], self.logits[level - 1])

    def embedding(self, features: np.ndarray) -> np.ndarray:
        return features

    def analyze(self, path: Path) -> Any:
        if path.suffix == ".broken":
            raise UnreadableAudio("No sound could be decoded.")
        return SimpleNamespace(scores=(GenreScore(path.stem, 0.9),))


def numbered(data: Dataset, **changed: Any) -> Dataset:
    """Return a data set in which all levels of track i are i + 1."""
    levels = np.arange(1, len(data) + 1, dtype=np.uint8)[:, None, None]
    return replace(data, levels=np.broadcast_to(levels, data.levels.shape).copy(), **changed)


DATA = numbered(blank_data(["jazz", "rock", "jazz", "rock", "jazz"]))
PARTS: Parts = {
    "train": np.array([0, 1]),
    "valid": np.array([], dtype=np.int64),
    "test": np.array([2, 3, 4]),
}
LOGIT = 2 * math.log(4)  # 0.8 at a temperature of 2
KNOWN = FixedPredictions(
    unit_vectors([0, 90, 5, 80, 50]),
    np.array([[0, 0], [0, 0], [LOGIT, 0], [0, LOGIT], [0, LOGIT]], dtype=np.float32),
)


def test_evaluate_one_part_with_neighbours_from_the_others() -> None:
    calls: list[tuple[int, int]] = []
    audio = {DATA.names[2]: Path("jazz.wav"), DATA.names[3]: Path("jazz.wav")}
    report = evaluate(
        KNOWN, replace(DATA, audio=audio), PARTS, progress=lambda *at: calls.append(at)
    )
    assert (report["preset"], report["model_id"]) == ("known", "known@0123456789ab")
    assert (report["part"], report["tracks"], report["labels"]) == ("test", 3, ["jazz", "rock"])
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert report["confusion_matrix"] == [[1, 1], [0, 1]]
    assert report["calibration"]["ece"] == pytest.approx(0.8 - 2 / 3, abs=1e-6)
    assert report["neighbours"]["catalogue"] == 2
    assert report["neighbours"]["precision_at_5"] == pytest.approx(3 / 6)
    # Tracks at 5, 80 and 50 degrees; those of other genres at 90, 0 and 90 degrees.
    unrelated = [cosine(85), cosine(80), cosine(40)]
    assert report["raw_cosine_unrelated"] == pytest.approx(np.mean(unrelated), abs=1e-6)
    assert report["similarity"]["unrelated"][::5] == pytest.approx(sorted(unrelated), abs=1e-6)
    assert sum(row["tracks"] for row in report["reliability"]) == 3
    assert report["audio"] == {"tracks": 2, "accuracy": 0.5, "accuracy_arrays": 1.0}
    assert calls == [(done, 5) for done in range(1, 6)]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_evaluate_split_all_uses_the_part_as_catalogue() -> None:
    nothing = np.array([], dtype=np.int64)
    parts = {"train": nothing, "valid": nothing, "test": np.arange(5)}
    report = evaluate(KNOWN, DATA, parts, audio=False)
    assert report["neighbours"]["catalogue"] == 5
    assert report["audio"] is None


def test_evaluate_without_twins_leaves_duplicates_of_other_parts_out() -> None:
    names = DATA.names
    assert evaluate(KNOWN, DATA, PARTS)["without_twins"] is None
    within = replace(DATA, duplicates=[(names[2], names[3]), (names[0], names[1])])
    assert evaluate(KNOWN, within, PARTS)["without_twins"] is None
    across = replace(DATA, duplicates=[(names[4], names[0]), (names[2], names[3])])
    found = evaluate(KNOWN, across, PARTS)["without_twins"]
    assert found == {"tracks": 2, "accuracy": 1.0}  # the wrong one, track 4, is left out
    excluded = {**PARTS, "train": np.setdiff1d(PARTS["train"], [0])}
    assert evaluate(KNOWN, across, excluded)["without_twins"] is None


def test_evaluate_of_unusable_data_raises() -> None:
    with pytest.raises(DataError, match="no valid part"):
        evaluate(KNOWN, DATA, PARTS, part="valid")
    with pytest.raises(
        DataError, match=r"known has no genre polka; it was trained on jazz, rock\."
    ):
        evaluate(KNOWN, replace(DATA, genres=["polka", *DATA.genres[1:]]), PARTS)
    with pytest.raises(DataError, match="64 mel bands"):
        evaluate(KNOWN, replace(DATA, levels=DATA.levels[:, :64]), PARTS)
    broken = replace(DATA, audio={DATA.names[2]: Path("it.broken")})
    with pytest.raises(DataError, match=r"it\.broken cannot be analysed: No sound"):
        evaluate(KNOWN, broken, PARTS)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from keys(inner)


def test_report_keys_are_documented() -> None:
    audio = {DATA.names[2]: Path("jazz.wav")}
    report = evaluate(KNOWN, replace(DATA, audio=audio), PARTS)
    documented = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    genres = set(report["labels"])
    assert [key for key in keys(report) if key not in genres and f"`{key}`" not in documented] == []
