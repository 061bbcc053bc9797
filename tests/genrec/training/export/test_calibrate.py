"""What an export adds to a network: temperature, starter catalogue and plots."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.training.evaluation import predict
from genrec.training.evaluation.plots import plot_history
from genrec.training.export import calibrate, starter_catalogue
from tests.genrec.training.small import CONFIG, PNG, played_data


def heard_alike(count: int) -> predict.Predictions:
    each = np.ones((count, 4), np.float32)
    return predict.Predictions(np.arange(count), each, each[:, :2])


def test_without_artists_and_titles_there_is_no_catalogue() -> None:
    nameless = played_data([0, 3], seconds=2, named=False)
    heard = heard_alike(2)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=CONFIG),
        embedding=lambda features: features / 2,
    )
    assert starter_catalogue.starter(analyzer, nameless, heard) is None
    named = starter_catalogue.starter(analyzer, played_data([0, 3], seconds=2), heard)
    assert named is not None
    assert named.titles == ["Song 0", "Song 3"]
    assert named.embeddings.shape == (2, 4)
    assert named.fingerprints.shape[0] == 2  # of different lengths, and in one array


def test_a_recording_stands_once_in_the_catalogue() -> None:
    data = played_data([0, 5, 0], seconds=8)
    heard = heard_alike(3)
    analyzer: Any = SimpleNamespace(
        preset=SimpleNamespace(spectrogram=CONFIG), embedding=lambda each: each
    )
    found = starter_catalogue.starter(analyzer, data, heard)
    assert found is not None
    assert found.titles == ["Song 0", "Song 5"]


def test_the_temperature_is_the_one_that_probabilities_need() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 5))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in p])
    assert calibrate.temperature(honest.astype(np.float32), truth) == pytest.approx(1, abs=0.05)
    loud = (3 * honest).astype(np.float32)
    assert calibrate.temperature(loud, truth) == pytest.approx(3, abs=0.15)


def test_a_history_is_plotted_also_where_it_is_empty(tmp_path: Path) -> None:
    plot_history([], tmp_path / "deep" / "history.png")
    assert (tmp_path / "deep" / "history.png").read_bytes().startswith(PNG)
