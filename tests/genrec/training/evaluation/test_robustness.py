"""Robustness on audio files: the rows, and the table of the model cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from genrec.errors import DataError, SilentAudio
from genrec.pipeline import PresetAnalyzer
from genrec.preset import METRICS, Preset
from genrec.training.evaluation.clip_changes import CHANGES, select_changes
from genrec.training.evaluation.robustness import robustness, with_audio
from genrec.training.evaluation.robustness_table import SHOWN, robustness_table
from genrec.training.export.model_card import add_to_card
from tests.genrec.training.small import blank_data
from tests.repository import ROOT
from tests.synth import music

SR = 22050
Y = music(3, 12.0, SR)
CHOSEN = select_changes("FLAC,20 dB quieter,10 s with 20 s of silence after")


@pytest.fixture(scope="module")
def analyzer() -> PresetAnalyzer:
    """Return a shipped preset to which every clip is music, also the synthetic one of a test."""
    preset = Preset.load(ROOT / "models" / "vgg16")
    calibration = replace(preset.calibration, music_below=0.0)
    return PresetAnalyzer(replace(preset, calibration=calibration))


def clip(folder: Path) -> Path:
    path = folder / "clip.wav"
    soundfile.write(path, Y, SR, subtype="FLOAT")
    return path


def test_robustness_compares_with_the_reference(tmp_path: Path, analyzer: PresetAnalyzer) -> None:
    path = clip(tmp_path)
    genre = analyzer.analyze(path).scores[0].label
    other = next(label for label in analyzer.preset.labels if label != genre)
    data = blank_data([genre, other, other])
    data = replace(data, audio={data.names[0]: path, data.names[1]: path})
    indices = with_audio(data, np.arange(3))
    assert indices == [0, 1]  # the third has no audio
    calls: list[tuple[int, int]] = []
    rows = robustness(analyzer, data, indices, lambda *done: calls.append(done), CHOSEN)
    json.dumps(rows, allow_nan=False)
    by = {row["change"]: row for row in rows}
    assert tuple(by) == CHOSEN
    assert calls == [(done, 10) for done in range(1, 11)]
    first = by["none"]
    assert (first["clips"], first["refused"], first["accuracy"]) == (2, 0, 0.5)
    assert first["genre_kept"] == first["four_of_five"] == 1.0
    assert first["cosine_min"] == pytest.approx(1.0, abs=1e-5)
    assert min(by["FLAC"]["cosine_min"], by["20 dB quieter"]["cosine_min"]) > 0.99
    assert by["10 s"]["reference"] == "none"
    assert by["10 s with 20 s of silence after"]["reference"] == "10 s"


def test_a_row_measures_against_its_reference_and_not_the_unchanged_clip(
    tmp_path: Path, analyzer: PresetAnalyzer
) -> None:
    data = blank_data(["jazz"])
    data = replace(data, audio={data.names[0]: clip(tmp_path)})
    changes = ("none", "10 s", "10 s with 5 s of silence after")
    embeddings = []
    analyze = analyzer.analyze

    def recorded(path: Path) -> Any:
        embeddings.append(analyze(path).embedding)
        return analyze(path)

    watched: Any = type("Watched", (), {"analyze": staticmethod(recorded)})()
    watched.preset, watched.limits = analyzer.preset, analyzer.limits
    rows = robustness(watched, data, [0], changes=changes)
    unchanged, ten, padded = embeddings
    assert rows[1]["cosine_min"] == pytest.approx(float(ten @ unchanged), abs=1e-5)
    assert rows[2]["cosine_min"] == pytest.approx(float(padded @ ten), abs=1e-5)


class Refusing:
    """Analyzer stand-in that refuses every clip after the first ``accepted`` ones."""

    def __init__(self, analyzer: PresetAnalyzer, accepted: int) -> None:
        self.preset, self.limits = analyzer.preset, analyzer.limits
        self.inner, self.accepted = analyzer, accepted

    def analyze(self, path: Path) -> Any:
        self.accepted -= 1
        if self.accepted < 0:
            raise SilentAudio("This clip is silent.")
        return self.inner.analyze(path)


def test_a_refused_clip_is_counted_and_keeps_nothing(
    tmp_path: Path, analyzer: PresetAnalyzer
) -> None:
    data = blank_data([analyzer.preset.labels[0]])
    data = replace(data, audio={data.names[0]: clip(tmp_path)})
    refusing: Any = Refusing(analyzer, 1)
    row = robustness(refusing, data, [0], changes=("none", "FLAC"))[1]
    assert (row["refused"], row["genre_kept"], row["four_of_five"]) == (1, 0.0, 0.0)
    assert (row["accuracy"], row["cosine_median"], row["cosine_min"]) == (0.0, None, None)
    refusing = Refusing(analyzer, 0)
    with pytest.raises(DataError, match=rf"{data.names[0]} cannot be analysed: .*silent"):
        robustness(refusing, data, [0])


def test_a_clip_without_music_is_counted_and_keeps_nothing(
    tmp_path: Path, analyzer: PresetAnalyzer
) -> None:
    data = blank_data([analyzer.preset.labels[0]])
    data = replace(data, audio={data.names[0]: clip(tmp_path)})
    calibration = replace(analyzer.preset.calibration, music_below=0.5)
    deaf = type("Deaf", (), {"probability": lambda self, S_db: float(S_db.shape[1] < 140)})()
    judging = PresetAnalyzer(replace(analyzer.preset, calibration=calibration, music_detector=deaf))
    rows = robustness(judging, data, [0], changes=("none", "FLAC", "10 s"))
    assert [row["no_music"] for row in rows] == [1, 1, 0]
    assert [row["genre_kept"] for row in rows] == [0.0, 0.0, 0.0]
    assert [row["four_of_five"] for row in rows] == [0.0, 0.0, 0.0]
    assert rows[1]["cosine_min"] > 0.99


def test_robustness_without_excerpts_is_empty(analyzer: PresetAnalyzer) -> None:
    data = blank_data(["jazz"])
    assert with_audio(data, np.arange(1)) == []
    assert robustness(analyzer, data, []) == []


def test_with_audio_takes_the_first_of_each_genre_by_name(tmp_path: Path) -> None:
    data = blank_data(["jazz", "rock", "jazz", "jazz", "rock"])
    data = replace(data, names=["j3", "r1", "j1", "j2", "r2"])
    data = replace(data, audio={name: tmp_path for name in data.names if name != "r1"})
    assert with_audio(data, np.arange(5)) == [0, 2, 3, 4]
    assert with_audio(data, np.arange(5), 2) == [2, 3, 4]
    assert with_audio(data, np.arange(3), 1) == [2]


def rows(share: float | None, changes: tuple[str, ...] = SHOWN) -> list[dict[str, Any]]:
    return [
        {
            "change": change,
            "reference": CHANGES[change].reference,
            "clips": 30,
            "genre_kept": 29 / 30,
            "four_of_five": share,
        }
        for change in changes
    ]


def test_robustness_table_counts_clips_and_names_the_reference() -> None:
    table = robustness_table({"a": rows(28 / 30), "b": rows(None)}).splitlines()
    assert len(table) == 2 + len(SHOWN)
    assert table[0].startswith(
        "| change | compared with | a: genre | a: 4 of 5 tracks | b: genre |"
    )
    assert "| telephone | the unchanged clip | 29 of 30 | 28 of 30 | 29 of 30 | - |" in table
    assert any("of silence after | the 10 s alone | 29 of 30" in line for line in table)


def test_robustness_table_has_only_changes_of_all_presets() -> None:
    table = robustness_table({"a": rows(1.0, SHOWN[:2]), "b": rows(1.0, SHOWN[1:3])})
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [f"| {SHOWN[1]}"]


def test_changes_of_the_table_exist() -> None:
    assert set(SHOWN) < set(CHANGES)


def test_add_to_card_writes_metrics_and_model_card(
    tmp_path: Path, analyzer: PresetAnalyzer
) -> None:
    preset = replace(analyzer.preset, folder=tmp_path)
    with pytest.raises(DataError, match=r"metrics.json is missing; write it with"):
        add_to_card(preset, {"robustness": rows(1.0)})
    text = (analyzer.preset.folder / METRICS).read_text(encoding="utf-8")
    (tmp_path / METRICS).write_text(text, encoding="utf-8")
    add_to_card(preset, {"robustness": rows(28 / 30)})
    metrics = json.loads((tmp_path / METRICS).read_text(encoding="utf-8"))
    assert metrics == {**json.loads(text), "robustness": rows(28 / 30)}
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "## Robustness" in card
    assert "| telephone | the unchanged clip | 29 of 30 | 28 of 30 |" in card


def test_robustness_keys_are_documented() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    keys = ("accuracy", "refused", "no_music", "cosine_median", "cosine_min", *rows(1.0)[0])
    assert not [key for key in keys if f"`{key}`" not in page]


def test_readme_has_the_robustness_of_the_shipped_presets() -> None:
    shipped = {
        name: json.loads((ROOT / "models" / name / METRICS).read_text(encoding="utf-8"))
        for name in ("resnet50", "vgg16")
    }
    measured = {name: m["robustness"] for name, m in shipped.items() if "robustness" in m}
    assert measured, "run genrec evaluate --robustness --write-card, as docs/training.md shows"
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- robustness -->\n")[2].partition("<!-- /robustness -->")[0]
    assert shown == robustness_table(measured)
