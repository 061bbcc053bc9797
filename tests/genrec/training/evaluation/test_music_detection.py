"""Music detection on folders of audio files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.evaluation.music_detection import music_detection
from genrec.training.evaluation.robustness_table import music_detection_table
from tests.repository import ROOT
from tests.synth import music, silence, tone, write


class Flatness:
    """Detector stand-in: a steady tone has no music."""

    def probability(self, S_db: np.ndarray) -> float:
        without_ends = S_db[:, 3:-3]  # the tone begins and ends abruptly
        return float(np.median(without_ends.std(axis=1)) > 3)


@pytest.fixture(scope="module")
def analyzer() -> PresetAnalyzer:
    preset = Preset.load(ROOT / "models" / "resnet50")
    calibration = replace(preset.calibration, music_below=0.5)
    return PresetAnalyzer(replace(preset, calibration=calibration, music_detector=Flatness()))


def test_rows_count_groups_refusals_and_wrong_answers(
    tmp_path: Path, analyzer: PresetAnalyzer
) -> None:
    songs, sounds = tmp_path / "songs", tmp_path / "sounds"
    for folder in (songs, sounds / "tones", sounds / "odd"):
        folder.mkdir(parents=True)
    write(songs / "one.wav", music(3, 4.0), 44100)
    write(songs / "two.flac", music(1, 4.0), 44100)
    write(sounds / "tones" / "a.wav", tone(4.0), 44100)
    write(sounds / "odd" / "song.wav", music(3, 4.0), 44100)
    write(sounds / "odd" / "silent.wav", silence(4.0), 44100)
    (sounds / "odd" / "notes.txt").write_text("no sound")
    calls: list[tuple[int, int]] = []
    rows = music_detection(analyzer, [songs], [sounds], lambda *done: calls.append(done))
    keys = ("group", "contains", "files", "refused", "no_music", "wrong")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("songs", "music", 2, 0, 0, 0.0),
        ("sounds/odd", "other", 2, 1, 0, 1.0),
        ("sounds/tones", "other", 1, 0, 1, 0.0),
    ]
    assert calls == [(done, 5) for done in range(1, 6)]
    assert "| sounds/odd | other | 0 of 1 | 1 |" in music_detection_table(rows)
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert not [key for key in keys if f"`{key}`" not in page]


def test_group_of_refused_files_has_no_share(tmp_path: Path, analyzer: PresetAnalyzer) -> None:
    write(tmp_path / "silent.wav", silence(4.0), 44100)
    (row,) = music_detection(analyzer, [], [tmp_path])
    assert (row["refused"], row["no_music"], row["wrong"]) == (1, 0, None)


def test_folder_without_audio_is_refused(tmp_path: Path, analyzer: PresetAnalyzer) -> None:
    with pytest.raises(DataError, match="has no audio file"):
        music_detection(analyzer, [tmp_path], [])
