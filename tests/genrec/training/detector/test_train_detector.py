"""``genrec train-detector`` from folders to a detector, and synthetic music made of speech."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from genrec.errors import DataError
from genrec.music_detector import MusicDetector
from genrec.music_features import BANDS
from tests.synth import music, tone, write

pytest.importorskip("fluidsynth", reason="FluidSynth is not installed", exc_type=ImportError)
renderer = importlib.import_module("genrec.training.synthetic.renderer")
synthetic_music = importlib.import_module("genrec.training.detector.synthetic_music")

FONTS = [
    f / n for f in renderer.SOUNDFONT_FOLDERS for n in renderer.SOUNDFONTS if (f / n).is_file()
]
needs_soundfont = pytest.mark.skipif(not FONTS, reason="no General MIDI soundfont is installed")
SR = 22050


def folders(root: Path) -> list[str]:
    """Write two groups of music and two of speech, and return the command's options."""
    for i in range(2):
        for folder, y in (("music/music-", music(i, 4.0, SR)), ("other/speech-", tone(4.0, SR))):
            (root / f"{folder}{i}").mkdir(parents=True)
            write(root / f"{folder}{i}" / "a.wav", y, SR)
    return ["--music", str(root / "music"), "--other", str(root / "other")]


@pytest.mark.alone
@pytest.mark.slow
@needs_soundfont
def test_command_writes_a_detector_and_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrec.training.detector.fit.NETWORKS", 1)
    monkeypatch.setattr("genrec.training.detector.fit._EPOCHS", 5)
    out = tmp_path / "detector.npz"
    options = folders(tmp_path)
    command = ["train-detector", *options, "--clips", "1", "--out", str(out)]
    result = CliRunner().invoke(app, [*command, "--cache", str(tmp_path / "cache"), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert report["kinds"].keys() == {"music", "played", "speech", "synthetic"}
    assert report["other"]["clips"] + report["kinds"]["played"]["clips"] < report["clips"]
    detector = MusicDetector.load(out)
    assert 0 <= detector.probability(np.full((BANDS, 40), -20, np.float32)) <= 1


@needs_soundfont
def test_folders_without_speech_are_an_error(tmp_path: Path) -> None:
    music_option = folders(tmp_path)[:2]
    (tmp_path / "none").mkdir()
    command = ["train-detector", *music_option, "--other", str(tmp_path / "none"), "--out", "x.npz"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, DataError)
    assert "a kind speech among the other sounds" in str(result.exception)


def test_song_from_speech_has_notes() -> None:
    rng = np.random.default_rng(2)
    t = np.arange(3 * SR) / SR
    voice = np.sign(np.sin(2 * np.pi * 120 * t)) * (np.sin(2 * np.pi * 2 * t) > -0.5)
    song = synthetic_music.sing(voice.astype(np.float32), rng)
    assert len(song) > len(voice)
    assert np.abs(song).max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("louder_db", [-10.0, 6.0])
def test_speech_over_music_is_louder_by_the_given_level(louder_db: float) -> None:
    speech, under = tone(2.0, SR, 300.0, 0.1), tone(3.0, SR, 1000.0, 0.9)
    mixed = synthetic_music.over(speech, under, louder_db)
    assert len(mixed) == len(speech)
    gain = np.std(mixed - under[: len(mixed)]) / np.std(under)
    assert 20 * np.log10(gain) == pytest.approx(louder_db, abs=0.1)
