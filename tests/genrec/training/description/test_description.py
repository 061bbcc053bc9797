"""Fit and judge the music description: scores, annotations, and the reach on real excerpts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from genrec.errors import DataError
from genrec.music_description import DescriptionModel
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import load_archive
from genrec.training.description.annotations import fitting_part, read_annotations
from genrec.training.description.judge_description import judge_description, template_key
from genrec.training.description.scores import (
    key_figures,
    mirex_key,
    tempo_figures,
    tempo_right,
)
from genrec.types import SURE_KEY, SURE_TEMPO

EXCERPTS = 60


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (120, (True, True)), (124.7, (True, True)), (125, (False, False)), (60, (False, True)),
        (240, (False, True)), (40, (False, True)), (360, (False, True)), (90, (False, False)),
    ],
)  # fmt: skip
def test_tempo_accuracies_have_their_tolerance(found: float, right: tuple[bool, bool]) -> None:
    assert tempo_right(found, 120) == right


@pytest.mark.parametrize(
    ("found", "annotated", "score"),
    [
        (0, 0, 1.0), (7, 0, 0.5), (5, 0, 0.0), (21, 0, 0.3), (12, 0, 0.2), (0, 21, 0.3),
        (9, 21, 0.2), (16, 21, 0.5), (1, 0, 0.0),
    ],
)  # fmt: skip
def test_mirex_score_of_near_keys(found: int, annotated: int, score: float) -> None:
    assert mirex_key(found, annotated) == score


def test_figures_leave_out_what_is_not_annotated() -> None:
    tempi = tempo_figures([(120, 0.9, 120), (60, 0.4, 120), (99, 0.9, float("nan"))])
    assert (tempi["clips"], tempi["accuracy_1"], tempi["accuracy_2"]) == (2, 0.5, 1.0)
    assert tempi["shown"]["0.7"] == {"share": 0.5, "accuracy_1": 1.0, "accuracy_2": 1.0}
    keys = key_figures([(0, 0.9, 0), (7, 0.2, 0), (1, 0.9, -1)])
    assert (keys["clips"], keys["exact"], keys["mirex"]) == (2, 0.5, 0.75)


def archive(folder: Path) -> Path:
    """Write an archive of pulses and tones with their tempo and key; the last has audio."""
    rng = np.random.default_rng(0)
    levels = np.zeros((EXCERPTS, 128, 120), dtype=np.uint8)
    rows = ["excerpt,tempo_bpm,key"]
    for i in range(EXCERPTS):
        columns_a_beat = (5, 6, 8)[i % 3]
        levels[i] = rng.integers(0, 40, (128, 120))
        levels[i, :, ::columns_a_beat] = 255
        levels[i, 20 + i % 12] = 250
        bpm = 60 / (columns_a_beat * 1708 / 22050)
        rows.append(f"e{i:02d},{bpm:.2f},{('C major', 'A minor', '')[i % 3]}")
    names = [f"e{i:02d}" for i in range(EXCERPTS)]
    np.savez(
        folder / "logmel.npz",
        levels=levels,
        excerpts=np.array(names),
        genres=np.array(["rock"] * EXCERPTS),
        range_db=np.full(EXCERPTS, 80, dtype=np.float32),
    )
    artists = [f"{name},artist {i // 2}" for i, name in enumerate(names)]
    (folder / "tracks.csv").write_text("\n".join(["excerpt,artist", *artists]), encoding="utf-8")
    (folder / "annotations.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "duplicates.json").write_text(f'[["{names[-1]}", "e00"]]', encoding="utf-8")
    (folder / "audio").mkdir()
    (folder / "audio" / f"{names[-1]}.wav").write_bytes(b"")
    return folder


def test_judged_excerpts_their_artists_and_duplicates_are_not_fitted(tmp_path: Path) -> None:
    data = archive(tmp_path)
    part = fitting_part(data, load_archive(data))
    assert part.tolist() == list(range(1, EXCERPTS - 2))


def test_command_fits_tempo_on_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.training.description.train_description.FOLDS", 2)
    monkeypatch.setattr("genrec.training.description.fit_description._ITERATIONS", 30)
    out = tmp_path / "weights.npz"
    command = ["train-description", "--data", str(archive(tmp_path)), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["excerpts"] == EXCERPTS - 3
    assert report["tempo"]["30 s"]["accuracy_1"] > 0.9
    assert DescriptionModel.load(out).tempo_weights.any()


@pytest.mark.parametrize("cell", ["e00,fast,C major", "e00,120,H major"])
def test_wrong_annotations_are_an_error(cell: str, tmp_path: Path) -> None:
    data = archive(tmp_path)
    (data / "annotations.csv").write_text(f"excerpt,tempo_bpm,key\n{cell}\n", encoding="utf-8")
    with pytest.raises(DataError, match="annotations"):
        read_annotations(data, load_archive(data))


def test_few_annotations_are_an_error(tmp_path: Path) -> None:
    data = archive(tmp_path)
    head = "\n".join((data / "annotations.csv").read_text(encoding="utf-8").splitlines()[:20])
    (data / "annotations.csv").write_text(head, encoding="utf-8")
    result = CliRunner().invoke(app, ["train-description", "--data", str(data), "--out", "x.npz"])
    assert isinstance(result.exception, DataError)
    assert "may be fitted on" in str(result.exception)


def test_template_key_of_a_triad() -> None:
    chromagram = np.zeros((12, 4), dtype=np.float32)
    chromagram[[2, 6, 9]] = 1
    assert template_key(chromagram) == 2


@pytest.mark.slow
@pytest.mark.shared
def test_tempo_and_key_are_not_below_librosa(analyzer: PresetAnalyzer, shared: Path) -> None:
    found = judge_description(analyzer, shared / "gtzan")
    ours, theirs = found["tempo"]["genrec"], found["tempo"]["librosa beat_track"]
    assert ours["accuracy_1"] >= theirs["accuracy_1"]
    assert ours["accuracy_2"] >= theirs["accuracy_2"]
    keys = found["key"]
    for name in ("librosa chroma_stft", "librosa chroma_cqt", "librosa chroma_cens"):
        assert keys["genrec"]["exact"] >= keys[name]["exact"]
        assert keys["genrec"]["mirex"] >= keys[name]["mirex"]
    assert ours["shown"][f"{SURE_TEMPO:g}"]["accuracy_1"] >= 0.85
    assert keys["genrec"]["shown"][f"{SURE_KEY:g}"]["mirex"] >= 0.7
