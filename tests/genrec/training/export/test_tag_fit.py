"""Sound tags are fitted: which are shown, how they are calibrated, and how they are judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.preset import METRICS, Preset, save_tags
from genrec.training.evaluation.predict import predict_all
from genrec.training.evaluation.tag_agreement import tag_agreement
from genrec.training.export.model_card import add_to_card
from genrec.training.export.tag_fit import (
    LEAST_PRECISION,
    SURE,
    TOP,
    fit_preset_tags,
    fit_tags,
)
from genrec.training.teachers.answers import TeacherAnswers
from genrec.training.teachers.shown_tags import NOT_SHOWN, candidates
from tests.genrec.training.small import played_data
from tests.repository import ROOT

D = 16


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def unit_rows(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def answered(rows: np.ndarray, noise: tuple[float, ...]) -> np.ndarray:
    """Return answers for a tag of each amount of noise in the log odds."""
    rng = np.random.default_rng(7)
    weights = rng.standard_normal((D, len(noise)))
    log_odds = 6 * rows @ weights - 3 + rng.standard_normal((len(rows), len(noise))) * noise
    return logistic(log_odds).astype(np.float32)


def groups(count: int) -> list[str]:
    return [f"artist {i // 3}" for i in range(count)]


def test_tags_that_agree_are_shown_and_noise_is_not() -> None:
    rows = unit_rows(400)
    found = fit_tags(rows, answered(rows, (0.2, 0.5, 50.0)), ["Mellow", "folk", "sad"], groups(400))
    assert found.reading.shown == ("mellow", "folk")
    figures = {row["tag"]: row for row in found.figures}
    assert figures["mellow"]["correlation"] > figures["folk"]["correlation"] > 0.9
    assert abs(figures["sad"]["correlation"]) < 0.3
    assert not figures["sad"]["shown"]
    assert found.excerpts == 400


def test_shown_tags_are_right_for_new_excerpts_as_often_as_the_folds_say() -> None:
    every = unit_rows(1_400)
    answers = answered(every, (1.0, 2.0))
    found = fit_tags(every[:400], answers[:400], ["mellow", "folk"], groups(400))
    reading = found.reading
    assert (reading.thresholds >= np.float32(SURE)).all()
    has = reading.probabilities(every[400:]) >= reading.thresholds
    for i, tag in enumerate(reading.shown):
        row = next(row for row in found.figures if row["tag"] == tag)
        right = answers[400:, i] >= row["least_answer"]
        assert np.mean(answers[:400, i] >= row["least_answer"]) == pytest.approx(TOP, abs=0.01)
        assert row["precision"] >= LEAST_PRECISION
        assert right[has[:, i]].mean() == pytest.approx(row["precision"], abs=0.1)
        assert np.corrcoef(reading.answers(every[400:])[:, i], answers[400:, i])[0, 1] > 0.75


def test_tag_that_only_the_artist_tells_is_not_shown() -> None:
    """An embedding that names the artist predicts a random tag of known artists alone."""
    rng = np.random.default_rng(1)
    artists = np.repeat(np.arange(D), 20)
    rows = np.eye(D, dtype=np.float32)[artists] + 0.01 * unit_rows(len(artists))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    by_artist = rng.permutation(np.linspace(0.05, 0.9, D))[artists]
    answers = np.stack([by_artist, logistic(9 * rows @ unit_rows(1, 5)[0])], axis=1)
    both = ["mellow", "folk"]
    known = fit_tags(rows, answers, both, [str(i % 100) for i in range(len(rows))])
    assert "mellow" in known.reading.shown
    with pytest.raises(DataError, match="No tag is read well enough"):
        fit_tags(rows, answers[:, :1], both[:1], [str(each) for each in artists])


def test_genres_opinions_and_decades_are_no_tags() -> None:
    tags = ["Hip-Hop", "jazz", "sexy", "80s", "female vocalist", "female vocalists", "funk"]
    names, answers = candidates(tags, np.tile(np.arange(7.0) / 10, (3, 1)), ["jazz", "metal"])
    assert names == ["female vocalists", "funk"]
    assert answers.tolist() == [[0.5, pytest.approx(0.6)]] * 3
    never = [name for group in NOT_SHOWN.values() for name in group]
    assert len(never) == len(set(never))
    assert all(name == name.casefold() for name in never)


def test_calm_is_the_mean_of_its_parts_in_log_odds() -> None:
    tags = ["ambient", "chill", "chillout", "Mellow", "easy listening"]
    names, answers = candidates(
        tags, np.array([[0.5, 0.5, 0.5, 0.5, 0.5], [0.1, 0.1, 0.9, 0.9, 0.5]])
    )
    assert names == ["ambient", "mellow", "easy listening", "calm"]
    assert answers[:, 3] == pytest.approx([0.5, 0.5])
    assert "calm" not in candidates(tags[1:], np.full((2, 4), 0.5))[0]


def test_too_few_excerpts_are_refused() -> None:
    rows = unit_rows(49)
    with pytest.raises(DataError, match="49 training excerpts, and tags need 50"):
        fit_tags(rows, answered(rows, (0.1,)), ["mellow"], groups(49))


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> PresetAnalyzer:
    folder = tmp_path_factory.mktemp("presets") / "resnet50"
    shutil.copytree(ROOT / "models" / "resnet50", folder)
    return PresetAnalyzer(Preset.load(folder))


@pytest.mark.slow
def test_fitted_preset_keeps_its_model_id_and_agrees_on_other_excerpts(
    analyzer: PresetAnalyzer,
) -> None:
    data = played_data(range(90), seconds=3)
    parts = {"train": np.arange(70), "valid": np.arange(70, 70), "test": np.arange(70, 90)}
    features = predict_all(analyzer, data, np.arange(90)).features
    embeddings = np.array([analyzer.embedding(each) for each in features])
    # Tags along the directions in which these excerpts differ most.
    axes = np.linalg.svd(embeddings - embeddings.mean(axis=0), full_matrices=False)[2][:2]
    answers = TeacherAnswers(
        teacher="a tagger",
        tags=["mellow", "folk"],
        excerpts=np.array(data.names[:88]),
        start_s=np.zeros(88, dtype=np.float32),
        patch_s=3.0,
        probabilities=logistic(6 * (embeddings - embeddings.mean(axis=0)) @ axes.T)[:88].astype(
            np.float16
        ),
        layer=np.zeros((88, 0), dtype=np.float16),
    )
    fitted = fit_preset_tags(analyzer, data, parts, answers)
    assert fitted.excerpts == 70
    assert fitted.reading.shown == ("mellow", "folk")
    saved = save_tags(analyzer.preset, fitted.reading)
    assert saved.model_id == analyzer.preset.model_id
    add_to_card(
        saved,
        {"tags": {"teacher": "a tagger", "excerpts": 70, "folds": fitted.figures}},
        dropped=("tag_agreement",),
    )
    card = (saved.folder / "README.md").read_text(encoding="utf-8")
    assert "the tagger a tagger" in card
    assert "| mellow | 0." in card or "| mellow | 1." in card

    judged = tag_agreement(PresetAnalyzer(saved), data, parts["test"], answers)
    assert judged["tracks"] == 18
    assert judged["correlation"] > 0.8
    assert [row["tag"] for row in judged["tags"]] == ["mellow", "folk"]
    for row in judged["tags"]:
        assert 0 <= row["right"] <= row["given"] <= 18
    add_to_card(saved, {"tag_agreement": judged})
    card = (saved.folder / "README.md").read_text(encoding="utf-8")
    assert f"| {judged['correlation']:.2f} (18 tracks) |" in card


def test_preset_without_tags_is_not_judged(analyzer: PresetAnalyzer) -> None:
    from dataclasses import replace

    without = PresetAnalyzer.__new__(PresetAnalyzer)
    without.preset = replace(analyzer.preset, tags=None)
    with pytest.raises(DataError, match="genrec fit-tags"):
        tag_agreement(without, played_data(range(2), seconds=3), np.arange(2), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_shipped_tags_are_those_of_the_card(name: str) -> None:
    folder = ROOT / "models" / name
    preset = Preset.load(folder)
    assert preset.tags is not None
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    shown = [row for row in metrics["tags"]["folds"] if row["shown"]]
    assert {row["tag"] for row in shown} == {*preset.tags.shown}
    assert all(row["correlation"] >= 0.6 and row["precision"] >= 0.8 for row in shown)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"| {row['tag']} | {row['correlation']:.2f} |" in card for row in shown)
    never = {name for group in NOT_SHOWN.values() for name in group} | {*preset.labels}
    assert not never & {*preset.tags.shown}


@pytest.mark.shared
def test_answers_to_the_test_part_fit_no_tags(tmp_path: Path) -> None:
    shared = ROOT.parent / "shared"
    file, data = str(shared / "teacher" / "gtzan_msd_tags.npz"), str(shared / "gtzan")
    out = str(tmp_path / "test.npz")
    options = ["--data", data, "--split", "paper"]
    run = CliRunner().invoke(app, ["published-answers", file, out, *options, "--part", "test"])
    assert run.exit_code == 0, run.output
    assert "68 of 90 test excerpts" in run.output
    shutil.copytree(ROOT / "models" / "resnet50", tmp_path / "resnet50")
    with pytest.raises(DataError, match="may only judge"):
        CliRunner().invoke(
            app,
            ["fit-tags", "--preset", str(tmp_path / "resnet50"), "--data", data, "--answers", out],
            catch_exceptions=False,
            standalone_mode=False,
        )
