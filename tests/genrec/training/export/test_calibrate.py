"""Temperature, starter catalogue, model card and plots of an export."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.preset import Preset
from genrec.training.evaluation import predict
from genrec.training.evaluation.plots import plot_history
from genrec.training.export import calibrate, catalogue, model_card
from tests.genrec.training.small import CONFIG, PNG, played_data
from tests.repository import ROOT


def same_predictions(count: int) -> predict.Predictions:
    each = np.ones((count, 4), np.float32)
    return predict.Predictions(np.arange(count), each, each[:, :2])


def test_starter_catalogue_without_artists_and_titles_is_none() -> None:
    nameless = played_data([0, 3], seconds=2, named=False)
    predictions = same_predictions(2)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=CONFIG),
        embedding=lambda features: features / 2,
    )
    assert catalogue.starter_catalogue(analyzer, nameless, predictions) is None
    named = catalogue.starter_catalogue(analyzer, played_data([0, 3], seconds=2), predictions)
    assert named is not None
    assert named.titles == ["Song 0", "Song 3"]
    assert named.embeddings.shape == (2, 4)
    assert named.fingerprints.shape[0] == 2  # different lengths, one array


def test_starter_catalogue_drops_duplicate_recordings() -> None:
    data = played_data([0, 5, 0], seconds=8)
    predictions = same_predictions(3)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=CONFIG), embedding=lambda each: each
    )
    found = catalogue.starter_catalogue(analyzer, data, predictions)
    assert found is not None
    assert found.titles == ["Song 0", "Song 5"]


def test_temperature_recovers_the_scale_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in p])
    assert calibrate.temperature(logits.astype(np.float32), truth) == pytest.approx(1, abs=0.05)
    scaled = (3 * logits).astype(np.float32)
    assert calibrate.temperature(scaled, truth) == pytest.approx(3, abs=0.15)


def test_plot_history_without_epochs_writes_a_png(tmp_path: Path) -> None:
    plot_history([], tmp_path / "deep" / "history.png")
    assert (tmp_path / "deep" / "history.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_shipped_model_cards_are_made_from_their_metrics(name: str) -> None:
    folder = ROOT / "models" / name
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    expected = model_card.card(Preset.load(folder), metrics)
    assert (folder / "README.md").read_text(encoding="utf-8") == expected


def test_card_names_start_taggers_packages_and_licences() -> None:
    folder = ROOT / "models" / "resnet50"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    package = {"name": "some-game", "songs": 3, "hours": 0.2, "licences": ["CC0", "GPL-2+"]}
    start = {"name": "mine@1a2b", "weights": "none", "teachers": [], "labels": 10}
    sources = {"teachers": ["MSD_musicnn (ISC)"], "packages": [package]}
    sources |= {"lineage": [start | {"synthetic": False}]}
    text = model_card.card(Preset.load(folder), metrics | {"sources": sources})
    assert "`genrec train` from the weights of `mine@1a2b`, taught by" in text
    data = text.partition("## Data")[2].partition("## Limits")[0]
    assert "the tagger MSD_musicnn (ISC).\n" in data
    assert "\n| some-game | 3 | 0.2 | CC0, GPL-2+ |\n" in data
