"""`genrec reproduce`: experiments, results, figures and the page, quick."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.dataset import split
from tests.genrec.training.keras_needed import MARKS  # isort: split

from genrec.training.milestones import Outputs, outputs_path
from genrec.training.reproduce import results
from genrec.training.reproduce.experiments import EXPERIMENTS, TrainingBudget, quick_parts
from genrec.training.reproduce.reproduce import STEPS, reproduce
from tests.genrec.training.small import blank_data, played_data

pytestmark = MARKS

DATA = played_data([5 * i + style for style in (0, 3) for i in range(10)], seconds=2)
QUICK = TrainingBudget(epochs=(1, 2), quick=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the page after the CNN, written again after ResNet50's head."""
    out = tmp_path_factory.mktemp("paper")
    parts = split(DATA, out, "paper")
    lines: list[str] = []
    for only in (("cnn", "page"), ("resnet50-head", "page")):
        reproduce(DATA, parts, "paper", out, QUICK, only=only, verbose=0, log=lines.append)
    text = (out / "README.md").read_text(encoding="utf-8")
    return SimpleNamespace(out=out, parts=parts, text=text, lines=lines)


def test_page_has_the_paper_beside_the_results(page: SimpleNamespace) -> None:
    assert "| **vgg16, the paper** |" in page.text
    for figure in ("0.8408", "0.4827", "0.6094", "1.2762", "0.6286", "1.0383", "0.3438", "1.8529"):
        assert figure in page.text
    rows = [line for line in page.text.splitlines() if line.startswith("| cnn | all | random |")]
    assert [row.split("|")[4].strip() for row in rows] == ["1", "2"]
    assert "| resnet50 | last dense layer | random | 2 |" in page.text
    assert "| vgg16 | last" not in page.text  # not trained yet
    assert "A quick run" in page.text
    assert "| macro average |" in page.text
    assert "| weighted average |" in page.text
    assert 'Model: "cnn"' in page.text
    assert "Total params" in page.text


def test_page_counts_the_tracks_of_each_part(page: SimpleNamespace) -> None:
    assert "| ballad | 6 | 1 | 1 | 8 |" in page.text
    assert "| all | 12 | 2 | 2 | 16 |" in page.text


def test_every_figure_of_the_page_exists(page: SimpleNamespace) -> None:
    files = re.findall(r"\]\((figures/[^)]+)\)", page.text)
    assert {"figures/examples.webp", "figures/networks.webp", "figures/curves.webp"} < set(files)
    assert {"figures/cnn-raw.webp", "figures/cnn-centred.webp"} < set(files)
    for file in files:
        assert (page.out / file).stat().st_size > 1000


def test_html_page_has_the_same_tables_and_figures(page: SimpleNamespace) -> None:
    seen: dict[str, int] = {}

    class Counter(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen[tag] = seen.get(tag, 0) + 1
            source = dict(attrs).get("src") if tag == "img" else None
            assert source is None or (page.out / source).exists()

    Counter().feed((page.out / "index.html").read_text(encoding="utf-8"))
    assert seen["img"] == page.text.count("![")
    assert seen["table"] == page.text.count("| --- |\n") or seen["table"] >= 5


def test_finished_experiments_are_not_trained_again(page: SimpleNamespace) -> None:
    path = outputs_path(page.out / "runs" / "cnn", 2)
    before = path.stat().st_mtime_ns
    reproduce(DATA, page.parts, "paper", page.out, QUICK, only=("cnn",), verbose=0)
    assert path.stat().st_mtime_ns == before
    away = path.rename(path.with_suffix(".away"))
    other = replace(QUICK, seed=2)
    with pytest.raises(DataError, match="other settings: seed is 1 there and 2 here"):
        reproduce(DATA, page.parts, "paper", page.out, other, only=("cnn",), verbose=0)
    away.rename(path)


def test_unknown_part_names_the_parts(tmp_path: Path) -> None:
    parts = split(DATA, tmp_path, "paper")
    with pytest.raises(DataError, match="no part 'vgg19'; choose from cnn, vgg16-head"):
        reproduce(DATA, parts, "paper", tmp_path, QUICK, only=("vgg19",))
    assert STEPS[-1] == "page"
    assert not (tmp_path / "runs").exists()


def test_settings_are_the_papers() -> None:
    budget = TrainingBudget(weights=(("vgg16", "photographs.h5"),))
    for experiment in EXPERIMENTS:
        settings = budget.settings(experiment, DATA, "paper")
        assert settings.image.shape == (224, 224, 3)
        assert (settings.batch, settings.learning_rate, settings.epochs) == (64, 1e-3, 30)
        assert settings.trainable == experiment.trainable
        assert settings.weights == ("photographs.h5" if experiment.arch == "vgg16" else "none")
    assert budget.epochs == (20, 30)


def test_quick_parts_take_few_tracks_of_each_genre() -> None:
    data = blank_data(["blues"] * 30 + ["rock"] * 3)
    parts = {
        "train": np.array([*range(25), 30]),
        "valid": np.array([25, 26, 31]),
        "test": np.array([27, 28, 29, 32]),
    }
    found = quick_parts(data, parts)
    assert found["train"].tolist() == [0, 1, 2, 3, 4, 5, 30]
    assert (found["valid"].tolist(), found["test"].tolist()) == ([25, 31], [27, 32])


# --- results


def outputs() -> tuple[Outputs, dict[str, np.ndarray]]:
    """Return made outputs: four training tracks, one validation track, two test tracks."""
    features = np.array(
        [[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [1, 1], [1, 0.05], [0, 2]], dtype=np.float32
    )
    logits = np.array([[2, 0], [2, 0], [0, 2], [2, 0], [0, 0], [3, 0], [0, 3]], dtype=np.float32)
    parts = {
        "train": np.array([0, 1, 2, 3]), "valid": np.array([4]), "test": np.array([5, 6]),
    }  # fmt: skip
    return Outputs(np.arange(7), features, logits), parts


def test_part_metrics_are_accuracy_and_mean_cross_entropy() -> None:
    found, parts = outputs()
    data = blank_data(["a", "a", "b", "b", "a", "a", "b"])
    metrics = results.part_metrics(found, data, parts)
    assert metrics["train"]["accuracy"] == 0.75
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert metrics["train"]["loss"] == pytest.approx((3 * right + wrong) / 4)
    assert (metrics["test"]["accuracy"], metrics["test"]["tracks"]) == (1.0, 2)
    assert metrics["valid"]["loss"] == pytest.approx(np.log(2))


def test_recommendations_are_the_cosines_of_the_formula() -> None:
    found, parts = outputs()
    (answer,) = results.recommendations(found, found.features, np.array([6]), parts)
    assert answer.query == 6
    assert answer.tracks.tolist() == [2, 3, 4, 1, 0]
    expected = [1, 0.9 / np.hypot(0.1, 0.9), np.sqrt(0.5), 0.1 / np.hypot(0.9, 0.1), 0]
    np.testing.assert_allclose(answer.similarities, expected, atol=1e-6)
    centred = results.centred_features(found, parts)
    np.testing.assert_allclose(centred[:5].mean(axis=0), 0, atol=1e-6)


def test_similarity_spread_shows_what_centring_changes() -> None:
    found, parts = outputs()
    data = blank_data(["a", "a", "b", "b", "a", "a", "b"])
    shifted = Outputs(found.indices, found.features + 50, found.logits)
    raw = results.similarity_spread(shifted, shifted.features, data, parts)
    centred = results.similarity_spread(
        shifted, results.centred_features(shifted, parts), data, parts
    )
    assert raw["unrelated"] > 0.999
    assert centred["unrelated"] < 0
    assert raw["precision_at_5"] == pytest.approx(0.5)  # all five are recommended


def test_one_per_genre_is_the_first_by_name() -> None:
    data = blank_data(["rock", "blues", "rock", "blues"])
    assert results.one_per_genre(data, np.array([3, 2, 1])).tolist() == [1, 2]
