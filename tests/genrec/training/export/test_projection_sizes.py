"""Sizes of the embedding, with the shipped network and synthetic music."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bot.cli.recipe_choice import sizes_table
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.evaluation import albums as album_module
from genrec.training.export.projection_sizes import mean_over_folds, projection_sizes
from genrec.training.teachers.answers import ANSWERS, TeacherAnswers
from tests.genrec.training.small import played_data, write_archive
from tests.repository import ROOT
from tests.synth import music


def test_rows_have_every_figure_that_can_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album_module, "MIN_BYTES", 1000)
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "resnet50"))
    data = played_data(range(16), seconds=3)
    parts = {"train": np.arange(12), "valid": np.arange(12, 16), "test": np.arange(0)}
    plain = projection_sizes(analyzer, data, parts, sizes=(2, 4, 64))
    assert [row["size"] for row in plain] == [2, 4]  # twelve tracks span eleven axes
    assert {row["same_album"] for row in plain} == {row["four_of_five"] for row in plain} == {None}
    assert "| 2 | 0." in sizes_table(plain)

    files = {}
    for i in range(3):
        path = tmp_path / f"album{i % 2}" / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, music(i, 3, 22050), 22050)
        files[data.names[i]] = path
    heard = projection_sizes(
        analyzer, replace(data, audio=files), parts, sizes=(4,), albums=tmp_path
    )
    assert 0 <= heard[0]["same_album"] <= 1
    assert 0 <= heard[0]["four_of_five"] <= 1
    assert 0.5 < heard[0]["cosine"] <= 1


def test_fold_is_judged_by_its_test_part() -> None:
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "resnet50"))
    data = played_data(range(16), seconds=3)
    ends = {"first": np.arange(12, 14), "last": np.arange(14, 16)}
    of_valid, of_test, the_same = (
        projection_sizes(
            analyzer, data, {"train": np.arange(12), "valid": valid, "test": test},
            sizes=(4,), judged=judged,
        )
        for valid, test, judged in (
            (ends["first"], ends["last"], "valid"),
            (ends["first"], ends["last"], "test"),
            (ends["last"], ends["first"], "valid"),
        )
    )  # fmt: skip
    assert of_test == the_same
    assert of_test != of_valid


def test_mean_over_folds_has_the_sizes_and_figures_of_all() -> None:
    row = {"size": 2, "precision_at_5_artist_filtered": 0.5, "same_album": None}
    other = row | {"precision_at_5_artist_filtered": 0.7, "same_album": 0.1}
    assert mean_over_folds([[row, row | {"size": 4}], [other]]) == [
        {"size": 2, "precision_at_5_artist_filtered": pytest.approx(0.6), "same_album": None}
    ]


def test_embedding_that_reads_a_tagger_is_judged_in_the_same_way(tmp_path: Path) -> None:
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "resnet50"))
    data = played_data(range(16), seconds=3)
    parts = {"train": np.arange(12), "valid": np.arange(12, 16), "test": np.arange(0)}
    write_archive(tmp_path, data)
    layer = np.random.default_rng(0).normal(0, 1, (16, 6)).astype(np.float16)
    TeacherAnswers(
        teacher="tagger", tags=["rock"], excerpts=np.array(data.names),
        start_s=np.zeros(16, np.float32), patch_s=3.0,
        probabilities=np.zeros((16, 1), np.float16), layer=layer,
    ).save(tmp_path / ANSWERS)  # fmt: skip
    files = {}
    for i in range(3):
        files[data.names[i]] = tmp_path / f"{i}.wav"
        soundfile.write(files[data.names[i]], music(i, 3, 22050), 22050)
    data = replace(data, audio=files)
    rows = projection_sizes(analyzer, data, parts, sizes=(2, 4), unlabelled=[tmp_path])
    plain = projection_sizes(analyzer, data, parts, sizes=(2, 4))
    assert [row["size"] for row in rows] == [2, 4]
    assert all(0 <= row["precision_at_5_artist_filtered"] <= 1 for row in rows)
    for read, without in zip(rows, plain, strict=True):
        assert read["cosine"] != pytest.approx(without["cosine"], abs=1e-4)
