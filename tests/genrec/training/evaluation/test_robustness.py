"""Robustness on audio files: the changes and the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.audio.decode import decode
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.evaluation.robustness import CHANGES, UNCHANGED, robustness
from tests.genrec.training.small import blank_data
from tests.repository import ROOT
from tests.synth import music

SR = 22050
Y = music(3, 12.0, SR)


def levels(path: Path) -> tuple[np.ndarray, float]:
    """Return the power spectrum of a decoded file, and its length in seconds."""
    y = decode(path, sr=SR).y
    return np.abs(np.fft.rfft(y, n=20 * SR)) ** 2, len(y) / SR


@pytest.mark.parametrize("change", CHANGES)
def test_change_writes_a_file_with_its_effect(tmp_path: Path, change: str) -> None:
    for name in (UNCHANGED, change):
        CHANGES[name](tmp_path / name.replace("/", " "), Y, SR)
    power, seconds = levels(tmp_path / change.replace("/", " "))
    before, _ = levels(tmp_path / UNCHANGED)
    assert seconds == pytest.approx({"10 s": 10, "5 s": 5}.get(change, 12), abs=0.2)
    hz = np.fft.rfftfreq(20 * SR, 1 / SR)
    above = power[hz > 8_500].sum() / before[hz > 8_500].sum()
    if change in ("16 kHz", "telephone"):
        assert above < 0.01
    if change == "telephone":
        assert power[hz < 150].sum() < 0.05 * before[hz < 150].sum()
    if change == "noise at 20 dB":
        assert power.sum() / before.sum() == pytest.approx(1.01, abs=0.005)
    if change == "20 dB quieter":
        assert power.sum() / before.sum() == pytest.approx(0.01, rel=0.01)


def test_robustness_compares_with_the_unchanged_clip(tmp_path: Path) -> None:
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "vgg16"))
    path = tmp_path / "clip.wav"
    soundfile.write(path, Y, SR, subtype="FLOAT")
    genre = analyzer.analyze(path).scores[0].label
    other = next(label for label in analyzer.preset.labels if label != genre)
    data = blank_data([genre, other, other])
    data = replace(data, audio={data.names[0]: path, data.names[1]: path})
    calls: list[tuple[int, int]] = []
    rows = robustness(analyzer, data, np.arange(3), lambda *done: calls.append(done))
    assert [row["change"] for row in rows] == list(CHANGES)
    clips = 2 * len(CHANGES)
    assert calls == [(done, clips) for done in range(1, clips + 1)]
    first = rows[0]
    assert first["clips"] == 2  # the third has no audio
    assert first["accuracy"] == 0.5
    assert first["genre_kept"] == first["four_of_five"] == 1.0
    assert first["cosine_min"] == pytest.approx(1.0, abs=1e-5)
    lossless, quieter = rows[1], next(r for r in rows if r["change"] == "20 dB quieter")
    assert min(lossless["cosine_min"], quieter["cosine_min"]) > 0.99
    assert min(row["cosine_min"] for row in rows) < 0.99


def test_robustness_without_audio_is_empty() -> None:
    analyzer = PresetAnalyzer(Preset.load(ROOT / "models" / "vgg16"))
    assert robustness(analyzer, blank_data(["jazz"]), np.arange(1)) == []
